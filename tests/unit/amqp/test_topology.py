"""The topology as values."""

import json

import pytest

from worker.amqp.topology.declare import missing_right
from worker.amqp.topology.values import Topology
from worker.domain.messages import Lane


class TestNames:
    """The contract's names."""

    def test_the_contract_names_are_there(self) -> None:
        """Exchanges and queues of section 2, under any prefix."""
        topology = Topology("acme")
        assert {
            "acme.jobs",
            "acme.results.send",
            "acme.results.delivery",
            "acme.results.account",
            "acme.results.cancel",
            "acme.dead",
        } <= {exchange.name for exchange in topology.exchanges}
        queues = {"acme.send", "acme.send.urgent", "acme.status", "acme.account", "acme.cancel"}
        assert queues | {"acme.results.unrouted", "acme.dead"} <= {queue.name for queue in topology.queues}

    def test_every_name_starts_with_the_prefix(self) -> None:
        """Two workers under two prefixes share nothing."""
        topology = Topology("acme")
        names = [x.name for x in topology.exchanges] + [q.name for q in topology.queues]
        assert [name for name in names if not name.startswith("acme.")] == []

    def test_each_queue_is_a_quorum_queue_that_forgets_nothing(self) -> None:
        """The type and the delivery limit are explicit, whatever the broker's defaults are."""
        for queue in Topology().queues:
            assert queue.arguments["x-queue-type"] == "quorum"
            assert queue.arguments["x-delivery-limit"] == 1_000_000

    @pytest.mark.parametrize("lane", list(Lane))
    def test_an_expired_job_goes_to_the_dead_letters(self, lane: Lane) -> None:
        """At least once, which needs the reject-publish overflow."""
        topology = Topology()
        (queue,) = [queue for queue in topology.queues if queue.name == topology.work_queue(lane)]
        assert queue.arguments["x-dead-letter-exchange"] == "iton.dead"
        assert queue.arguments["x-dead-letter-strategy"] == "at-least-once"
        assert queue.arguments["x-overflow"] == "reject-publish"


class TestDelays:
    """Which delay queue serves a wait."""

    @pytest.mark.parametrize(
        ("asked", "served"), [(0, 5), (5, 5), (5.1, 30), (31, 120), (600, 600), (10_000, 600)]
    )
    def test_the_smallest_that_is_long_enough_else_the_largest(self, asked: float, served: int) -> None:
        """Never shorter than asked, while there is a longer one."""
        assert Topology().delay_for(asked) == served

    def test_delays_are_sorted_and_distinct(self) -> None:
        """However a setting spells them."""
        assert Topology(delays=(30, 5, 30)).delays == (5, 30)

    @pytest.mark.parametrize("delays", [(), (0,), (-5, 5)])
    def test_impossible_delays_are_refused(self, delays: tuple[int, ...]) -> None:
        """A delay of nothing would be a hot loop."""
        with pytest.raises(ValueError, match="at least one"):
            Topology(delays=delays)


class TestPrinting:
    """What `iton-worker topology` prints."""

    def test_json_is_stable(self) -> None:
        """Two topologies of the same values print the same."""
        assert json.dumps(Topology("a").to_json()) == json.dumps(Topology("a").to_json())

    def test_rows_name_everything(self) -> None:
        """One row each for exchanges, queues and bindings."""
        topology = Topology()
        rows = topology.rows()
        assert len(rows) == len(topology.exchanges) + len(topology.queues) + len(topology.bindings)
        assert ("exchange", "iton.jobs", "topic", "") in rows
        assert ("binding", "iton.send", "send", "from iton.jobs") in rows


class TestMissingRights:
    """Declaring one thing takes rights to others, and the remedy names these."""

    @pytest.mark.parametrize(
        ("kind", "words", "right"),
        [
            ("queue", "access to queue 'q' in vhost '/' refused for user 'u'", "configure and read it"),
            ("queue", "read access to queue 'q' in vhost '/' refused for user 'u'", "read it"),
            ("queue", "access to exchange 'dead' in vhost '/' refused for user 'u'", "write exchange dead"),
            ("binding of queue", "access to queue 'q' in vhost '/' refused", "write queue q"),
            ("binding of queue", "access to exchange 'jobs' in vhost '/' refused", "read exchange jobs"),
            ("binding of queue", "read access to exchange 'jobs' in vhost '/' refused", "read exchange jobs"),
            ("queue", "words of another broker", "configure and read it"),
        ],
    )
    def test_the_right_that_is_missing(self, kind: str, words: str, right: str) -> None:
        """RabbitMQ names the thing, and later versions the right."""
        assert right == missing_right(kind, "q", "configure and read", f"ACCESS_REFUSED - {words}")
