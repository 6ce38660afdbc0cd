"""A send job that is stopped: in front of it, in an outage, and in the middle of a campaign under kills."""

from collections.abc import Callable, Iterable

import pytest

from tests.support.line import Line, wait_settled
from tests.support.results_side import Result, new_job_id, numbers
from tests.support.worker_process import wait_until

pytestmark = pytest.mark.slow

# Calls are few and slow, parts are handed out, and what a dead worker was at is settled soon.
NARROW = {"WORKER_MAX_CALLS": 6, "WORKER_URGENT_CALLS": 1, "WORKER_SHARE_ABOVE": 100, "ITON_TIMEOUT": 4}


def ask_to_stop(line: Line, target: str) -> str:
    """Publish a cancel job and return its id."""
    job_id = new_job_id()
    line.producer.publish({"job_id": job_id, "target": target}, "cancel")
    return job_id


def by_outcome(parts: Iterable[Result], *outcomes: str) -> set[str]:
    """Who ended so."""
    return {name for part in parts for name, outcome in part.outcomes.items() if outcome in outcomes}


class TestOneJob:
    """A single worker."""

    def test_a_request_may_overtake_its_target(self, line: Line) -> None:
        """Nobody is called, and the result says why."""
        target = new_job_id()
        answer = line.collector.one(ask_to_stop(line, target))
        assert ("results.cancel", "cancel.recorded") == (answer.exchange, answer.key)
        assert "cancel.result.v1" == answer.properties.type
        line.producer.send([*numbers(2), "12"], "stopped", job_id=target)
        result = line.collector.one(target)
        assert "send.cancelled" == result.key
        assert {"cancelled": 2, "invalid": 1} == result.body["counts"]
        assert 0 == line.gateway.calls("sendSMS")
        assert "cancel.too_late" == line.collector.one(ask_to_stop(line, target)).key

    def test_it_works_while_everything_else_stands_still(self, own_line: Callable[..., Line]) -> None:
        """The gateway is away: the request is answered, and its target ends, before that is over."""
        line = own_line()
        line.gateway.fault(command="all", status=503)
        target = line.producer.send(numbers(1), "waits", category="service")
        other = line.producer.send(numbers(1), "waits too", category="service")
        wait_until(lambda: line.worker.log_lines("circuit.changed"), "the outage is noticed")
        assert "cancel.recorded" == line.collector.one(ask_to_stop(line, target)).key
        assert "send.cancelled" == line.collector.one(target).key
        line.gateway.clear_faults()
        assert "send.accepted" == line.collector.one(other).key
        assert {} == line.gateway.times("waits")


class TestCampaign:
    """A large job, its parts at several workers."""

    @pytest.mark.row(
        "stopped/campaign",
        "a large job is stopped in the middle, one of three workers is killed before the request and another "
        "right after its answer",
        "the parts that were called end as they would, the others are `cancelled`; each recipient once",
    )
    def test_sent_and_cancelled_are_everybody(self, own_line: Callable[..., Line]) -> None:
        """One worker is killed with calls under way, and another right after the answer."""
        line = own_line(**NARROW)
        others = [line.workshop.start(**NARROW) for _ in range(2)]
        for one in others:
            one.wait_ready()
        line.gateway.change(latency=1.5)  # the answer to the request comes long before all is sent
        names = numbers(6_000)
        target = line.producer.send(names, "a mistake", category="service")
        line.collector.wait_for(lambda one: one.job_id == target, "some of it is sent", count=3)
        others[0].kill()
        answer = line.collector.one(ask_to_stop(line, target))
        assert "cancel.recorded" == answer.key
        begun = line.gateway.calls("sendSMS")
        others[1].kill()
        parts = line.collector.whole(target)
        wait_settled(line)
        assert set(names) == {name for part in parts for name in part.outcomes}
        assert begun == line.gateway.calls("sendSMS")
        got = set(line.gateway.times("a mistake"))
        stopped = by_outcome(parts, "cancelled")
        assert not got & stopped
        assert got <= by_outcome(parts, "accepted", "uncertain")
        assert set(names) == stopped | by_outcome(parts, "accepted", "uncertain")
        assert stopped
        assert {1} == set(line.gateway.times("a mistake").values())
