"""Deliveries from properties, and copies of deliveries."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.common import FieldValue

from worker.amqp.consume.deliveries import decode_delivery
from worker.amqp.publish import copies
from worker.amqp.publish.outgoing import Outgoing
from worker.amqp.topology import ladder
from worker.amqp.topology.values import Topology
from worker.amqp.wire.frames import Deliver
from worker.amqp.wire.properties import Properties
from worker.domain.messages import DeadLetter, Delay, Delivery, Hold, Lane, Schedule

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
TOPOLOGY = Topology("iton")
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def read(properties: Properties, lane: Lane = Lane.SEND) -> Delivery:
    """The delivery of a message with *properties*."""
    return decode_delivery(
        lane, Deliver("tag", 1, redelivered=False, routing_key="send"), properties.marshal(), b"x"
    )


def with_headers(**headers: FieldValue) -> Properties:
    """Properties that are headers only; underscores stand for hyphens."""
    return Properties.of(headers={name.replace("_", "-"): value for name, value in headers.items()})


class TestDeliveries:
    """What the handlers see of a message."""

    def test_all_that_is_read(self) -> None:
        """Ids, reply queue, time, trace and our own headers."""
        properties = Properties.of(
            message_id="m",
            correlation_id="c",
            reply_to="r",
            timestamp=NOW,
            headers={
                "traceparent": TRACE,
                "x-iton-attempts": 2,
                "x-iton-first-seen": "2026-01-02T03:04:05.678Z",
                "x-iton-routing-key": "send.urgent",
            },
        )
        assert read(properties) == Delivery(
            lane=Lane.SEND,
            body=b"x",
            routing_key="send.urgent",
            message_id="m",
            correlation_id="c",
            reply_to="r",
            traceparent=TRACE,
            attempts=2,
            first_seen=NOW,
            published_at=NOW.replace(microsecond=0),
        )

    @pytest.mark.parametrize(
        "trace",
        [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            TRACE.upper(),
            TRACE + "\n",
            7,
        ],
    )
    def test_a_malformed_trace_is_none(self, trace: FieldValue) -> None:
        """W3C Trace Context says which are valid."""
        assert read(with_headers(traceparent=trace)).traceparent is None

    @pytest.mark.parametrize("attempts", [True, "3", -1, None, 1.5])
    def test_odd_attempts_are_none(self, attempts: FieldValue) -> None:
        """What is no count counts as a new job."""
        assert read(with_headers(x_iton_attempts=attempts)).attempts == 0

    @pytest.mark.parametrize("moment", ["yesterday", "2026-01-02T03:04:05", 5, None])
    def test_an_odd_first_seen_is_none(self, moment: FieldValue) -> None:
        """A time without an offset names no moment."""
        assert read(with_headers(x_iton_first_seen=moment)).first_seen is None

    @pytest.mark.parametrize("key", ["", "k" * 256, 5, None])
    def test_an_odd_routing_key_is_ignored(self, key: FieldValue) -> None:
        """Nobody can make the worker publish with a key that the broker refuses."""
        assert read(with_headers(x_iton_routing_key=key)).routing_key == "send"

    @given(st.binary(max_size=120))
    def test_nothing_raises(self, value: bytes) -> None:
        """Whatever bytes stand behind our own headers."""
        names = ("x-iton-attempts", "x-iton-first-seen", "x-iton-routing-key", "traceparent")
        read(Properties({"timestamp": b"\xff" * 8}, tuple((name.encode(), value) for name in names)))


class TestCopies:
    """Dead letters and delayed jobs."""

    def test_a_delay_counts_and_dates(self) -> None:
        """One attempt more, dated now for the first time, to the queue that serves the wait."""
        delivery = read(Properties.of())
        copy = copies.delay_copy(TOPOLOGY, delivery, Properties.of(), Delay(6, "down"), now=NOW)
        assert (copy.exchange, copy.routing_key) == ("iton.delay", "30s.send")
        again = read(copy.properties)
        assert (again.attempts, again.first_seen, again.routing_key) == (1, NOW, "send")

    def test_a_later_delay_keeps_the_first_date(self) -> None:
        """The age of a job is counted from its first round."""
        first = copies.delay_copy(TOPOLOGY, read(Properties.of()), Properties.of(), Delay(5, ""), now=NOW)
        later = datetime(2027, 1, 1, tzinfo=UTC)
        second = copies.delay_copy(
            TOPOLOGY, read(first.properties), first.properties, Delay(5, ""), now=later
        )
        assert read(second.properties).first_seen == NOW
        assert read(second.properties).attempts == 2

    def test_a_round_is_continued_by_the_next_and_the_producers_trace_stays(self) -> None:
        """A later worker goes on from the round before; a dead letter has the header that it came with."""
        given, ours = with_headers(traceparent=TRACE), f"00-{'c' * 32}-{'d' * 16}-01"
        waited = copies.delay_copy(TOPOLOGY, read(given), given, Delay(5, "", ours), now=NOW).properties
        assert (read(waited).traceparent, waited.header("traceparent")) == (ours, TRACE)
        last = ours.replace("d", "e")
        why = DeadLetter("r", "d", last)
        dead = copies.dead_letter_copy(TOPOLOGY, read(waited), waited, why, now=NOW).properties
        assert (read(dead).traceparent, dead.header("traceparent")) == (last, TRACE)

    @pytest.mark.parametrize("trace", ["nonsense", 5, None])
    def test_an_odd_trace_of_a_round_is_ignored(self, trace: FieldValue) -> None:
        """The producer's is there still."""
        assert read(with_headers(x_iton_traceparent=trace, traceparent=TRACE)).traceparent == TRACE

    def test_the_brokers_headers_are_not_republished(self) -> None:
        """Older brokers drop messages that seem to go round in circles."""
        given = with_headers(
            x_death=[{"queue": "q"}], x_first_death_queue="q", x_last_death_reason="r", x_mine=1
        )
        copy = copies.delay_copy(TOPOLOGY, read(given), given, Delay(5, ""), now=NOW)
        names = {name for name, _ in copy.properties.headers or ()}
        assert not {name for name in names if b"death" in name}
        assert b"x-mine" in names

    def test_a_dead_letter_of_a_delayed_job_has_no_deaths_of_ours(self) -> None:
        """Those of the producer, on a job that never waited, stay."""
        fresh = with_headers(x_death=[{"queue": "q"}])
        waited = with_headers(x_death=[{"queue": "q"}], x_iton_attempts=1)
        why = DeadLetter("r", "d")
        kept = copies.dead_letter_copy(TOPOLOGY, read(fresh), fresh, why, now=NOW).properties
        gone = copies.dead_letter_copy(TOPOLOGY, read(waited), waited, why, now=NOW).properties
        assert kept.header("x-death") == [{"queue": "q"}]
        assert gone.header("x-death") is None

    def test_headers_that_fill_a_frame_make_room(self) -> None:
        """The largest of the producer's goes, or the broker would close the connection over the copy."""
        given = Properties.of(headers={"huge": "x" * 130_900, "small": 1})
        copy = copies.dead_letter_copy(TOPOLOGY, read(given), given, DeadLetter("r", "d" * 5000), now=NOW)
        assert len(copy.properties.marshal()) < 130_000
        assert copy.properties.header("small") == 1
        assert copy.properties.header("x-iton-reason") == "r"


class TestWaiting:
    """Copies of jobs that are scheduled or held."""

    ORIGINAL = Properties.of(
        message_id="m",
        correlation_id="c",
        expiration="60000",
        headers={"shop": "7", "x-iton-attempts": 1, "x-death": [{"count": 1}], "x-iton-waited": True},
    )

    def copied(self, wait: Schedule | Hold, lane: Lane = Lane.SEND) -> Outgoing:
        """The copy of the original."""
        delivery = read(self.ORIGINAL, lane)
        return copies.waiting_copy(TOPOLOGY, delivery, self.ORIGINAL, wait)

    def test_it_goes_down_the_ladder_back_to_its_own_lane(self) -> None:
        """A held one to the lane that it was held for."""
        for lane in (Lane.SEND_URGENT, Lane.SEND_URGENT_HELD):
            copy = self.copied(Schedule(5, "scheduled"), lane)
            assert ("iton.scheduled", ladder.key(5, Lane.SEND_URGENT)) == (copy.exchange, copy.routing_key)

    def test_it_goes_to_the_held_queue_of_its_lane(self) -> None:
        """By the lane's name."""
        copy = self.copied(Hold("outside_hours"), Lane.SEND_PARTS)
        assert ("iton.held", "send.parts") == (copy.exchange, copy.routing_key)

    def test_it_is_what_came_and_no_attempt(self) -> None:
        """Nothing of the broker's is left that could have it dropped; it is read as what waited."""
        copy = self.copied(Hold("outside_hours"))
        again = read(copy.properties)
        assert ("m", "c", "send", 1, True) == (
            again.message_id,
            again.correlation_id,
            again.routing_key,
            again.attempts,
            again.waited,
        )
        assert "7" == copy.properties.header("shop")
        assert (None, None) == (copy.properties.header("x-death"), copy.properties.text("expiration"))

    def test_a_dead_letter_has_no_trace_of_it(self) -> None:
        """Its deaths were our queues' affair."""
        dead = copies.dead_letter_copy(
            TOPOLOGY, read(self.ORIGINAL), self.ORIGINAL, DeadLetter("bad", "words"), now=NOW
        )
        assert (None, None) == (dead.properties.header("x-death"), dead.properties.header("x-iton-waited"))
