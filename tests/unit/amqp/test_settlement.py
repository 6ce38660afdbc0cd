"""What is done about a disposition."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.support.settled_frames import puts_back, tag_of
from worker.amqp.consume.deliveries import Received
from worker.amqp.consume.settlement import Settlement
from worker.amqp.wire.properties import Properties
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import (
    DeadLetter,
    Delay,
    Delivery,
    Disposition,
    Done,
    Hold,
    Lane,
    Requeue,
    Schedule,
)


@dataclass
class RememberingChannel:
    """Settles in memory."""

    number: int = 1
    closed: bool = False
    events: list[str] = field(default_factory=list)

    def is_closed(self) -> bool:
        """Whether it is."""
        return self.closed

    def write(self, frame: bytes, how: str) -> None:
        """Remember it, as long as it is there."""
        if not self.closed:
            again = " again" if puts_back(frame) else ""
            self.events.append(f"{how} {tag_of(frame)}{again}")


@dataclass
class RememberingPublisher:
    """Publishes copies into the same list of events, or fails."""

    events: list[str]
    away: bool = False

    async def publish_dead(self, received: Received, why: DeadLetter) -> None:
        """Remember it."""
        self._note(f"dead {received.delivery.lane} {why.reason}")

    async def publish_delay(self, received: Received, wait: Delay) -> None:
        """Remember it."""
        self._note(f"delay {received.delivery.lane} {wait.seconds}")

    async def publish_waiting(self, received: Received, wait: Schedule | Hold) -> None:
        """Remember it."""
        self._note(f"{wait.reason} {received.delivery.lane}")

    def _note(self, event: str) -> None:
        if self.away:
            raise BrokerUnavailableError("not_confirmed", "away")
        self.events.append(event)


async def settled(disposition: Disposition, *, away: bool = False, closed: bool = False) -> list[str]:
    """Everything that happened, in order."""
    channel = RememberingChannel(closed=closed)
    received = Received(Delivery(Lane.SEND, b"", "send"), b"\x00\x00", channel, 7)

    async def sleep(seconds: float) -> None:
        channel.events.append(f"sleep {seconds:g}")

    settlement = Settlement(RememberingPublisher(channel.events, away), requeue_pause=2, sleep=sleep)
    await settlement.settle(received, disposition)
    await settlement.settle(received, Done())
    return channel.events


class CrashingPublisher:
    """Fails in ways that no publisher should.

    Attributes:
        bare: whether it copies what has no properties of a producer.
    """

    def __init__(self, events: list[str], *, bare: bool, on_crash: Callable[[], None] = lambda: None) -> None:
        self.events = events
        self.bare = bare
        self.on_crash = on_crash

    async def publish_dead(self, received: Received, why: DeadLetter) -> None:
        """Copy what is bare."""
        if not self.bare or received.properties.fields:
            raise OverflowError("a secret")
        self.events.append(f"dead {received.delivery.routing_key} {why.reason}")

    async def publish_delay(self, received: Received, wait: Delay) -> None:
        """Crash."""
        self.on_crash()
        raise ValueError(received, wait)

    async def publish_waiting(self, received: Received, wait: Schedule | Hold) -> None:
        """Crash."""
        raise ValueError(received, wait)


async def crashed(disposition: Disposition, times: int, *, bare: bool = True) -> list[str]:
    """What happens when the settlement of the same message crashes so many times."""
    channel, now = RememberingChannel(), [0.0]

    async def sleep(seconds: float) -> None:
        channel.events.append(f"sleep {seconds:g}")
        now[0] += seconds

    settlement = Settlement(CrashingPublisher(channel.events, bare=bare), sleep=sleep, now=lambda: now[0])
    for _ in range(times):
        delivery = Delivery(Lane.SEND, b"same", "odd key")
        received = Received(delivery, Properties({"message_id": b"m"}).marshal(), channel, 7)
        await settlement.settle(received, disposition)
    return channel.events


class TestWaiting:
    """For a time, or for the hours."""

    @pytest.mark.parametrize("wait", [Schedule(3, "scheduled"), Hold("outside_hours")])
    async def test_the_copy_comes_before_the_ack(self, wait: Schedule | Hold) -> None:
        """And where it is not confirmed, the original goes back."""
        assert [f"{wait.reason} send", "ack 7"] == await settled(wait)
        assert ["sleep 2", "nack 7 again"] == await settled(wait, away=True)


class TestCrashing:
    """A bug in the settlement is no hot loop."""

    @pytest.mark.parametrize("disposition", [DeadLetter("bad", "words"), Delay(30, "down")])
    async def test_the_pauses_grow_and_a_dead_letter_ends_it(self, disposition: Disposition) -> None:
        """One with the body and none of the properties, which may be what crashes."""
        assert [
            *("sleep 0.5", "nack 7 again"),
            *("sleep 3", "nack 7 again"),
            *("sleep 6", "nack 7 again"),
            *("dead send internal_error", "ack 7"),
        ] == await crashed(disposition, 4)

    async def test_an_orphan_is_no_dead_letter(self) -> None:
        """The broker has it again: what becomes of it is the next delivery's affair."""
        channel = RememberingChannel()

        async def sleep(seconds: float) -> None:
            assert seconds

        def lose() -> None:
            channel.closed = True

        publisher = CrashingPublisher(channel.events, bare=True, on_crash=lose)
        settlement = Settlement(publisher, sleep=sleep, now=lambda: 0.0)
        for _ in range(6):
            channel.closed = False
            received = Received(Delivery(Lane.SEND, b"same", "send"), b"\x00\x00", channel, 7)
            await settlement.settle(received, Delay(30, "down"))
        assert [] == channel.events

    async def test_it_goes_back_where_even_that_crashes(self) -> None:
        """With pauses of up to a minute."""
        events = await crashed(DeadLetter("bad", "words"), 9, bare=False)
        assert ["sleep 60", "nack 7 again"] == events[-2:]
        assert "ack 7" not in events


class TestSettling:
    """The order of events, once for each delivery."""

    @pytest.mark.parametrize(
        ("disposition", "events"),
        [
            (Done(), ["ack 7"]),
            (DeadLetter("bad", "words"), ["dead send bad", "ack 7"]),
            (Delay(30, "down"), ["delay send 30", "ack 7"]),
            (Requeue("ledger"), ["sleep 2", "nack 7 again"]),
        ],
    )
    async def test_it_acknowledges_only_after_the_copy(
        self, disposition: Disposition, events: list[str]
    ) -> None:
        """Published first, acknowledged then; a second settlement does nothing."""
        assert await settled(disposition) == events

    @pytest.mark.parametrize("disposition", [DeadLetter("bad", "words"), Delay(30, "down")])
    async def test_what_cannot_be_copied_goes_back(self, disposition: Disposition) -> None:
        """Nothing is lost while the broker takes no copy."""
        assert await settled(disposition, away=True) == ["sleep 2", "nack 7 again"]

    @pytest.mark.parametrize(
        "disposition", [Done(), Requeue("ledger"), DeadLetter("bad", "words"), Delay(30, "down")]
    )
    async def test_a_dead_channel_is_left_alone(self, disposition: Disposition) -> None:
        """Its delivery tags mean nothing to any other; copies are the next delivery's to make."""
        assert [] == await settled(disposition, closed=True)
