"""What is done about a disposition."""

from dataclasses import dataclass, field

import pytest

from worker.amqp.received import Received
from worker.amqp.settlement import Settlement
from worker.amqp.wire import Properties
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import DeadLetter, Delay, Delivery, Disposition, Done, Lane, Requeue


@dataclass
class RememberingChannel:
    """Settles in memory."""

    is_closed: bool = False
    events: list[str] = field(default_factory=list)

    def ack(self, tag: int) -> None:
        """Remember it."""
        self.events.append(f"ack {tag}")

    def give_back(self, tag: int) -> None:
        """Remember it."""
        self.events.append(f"nack {tag} True")


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

    def _note(self, event: str) -> None:
        if self.away:
            raise BrokerUnavailableError("not_confirmed", "away")
        self.events.append(event)


async def settled(disposition: Disposition, *, away: bool = False, closed: bool = False) -> list[str]:
    """Everything that happened, in order."""
    channel = RememberingChannel(is_closed=closed)
    received = Received(Delivery(Lane.SEND, b"", "send"), Properties({}), channel, 7)

    async def sleep(seconds: float) -> None:
        channel.events.append(f"sleep {seconds:g}")

    settlement = Settlement(RememberingPublisher(channel.events, away), requeue_pause=2, sleep=sleep)
    await settlement.settle(received, disposition)
    await settlement.settle(received, Done())
    return channel.events


class TestSettling:
    """The order of events, once for each delivery."""

    @pytest.mark.parametrize(
        ("disposition", "events"),
        [
            (Done(), ["ack 7"]),
            (DeadLetter("bad", "words"), ["dead send bad", "ack 7"]),
            (Delay(30, "down"), ["delay send 30", "ack 7"]),
            (Requeue("ledger"), ["sleep 2", "nack 7 True"]),
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
        assert await settled(disposition, away=True) == ["sleep 2", "nack 7 True"]

    @pytest.mark.parametrize("disposition", [Done(), Requeue("ledger")])
    async def test_a_dead_channel_is_left_alone(self, disposition: Disposition) -> None:
        """Its delivery tags mean nothing to any other."""
        events = await settled(disposition, closed=True)
        assert [event for event in events if not event.startswith("sleep")] == []
