"""What becomes of deliveries in hand, whatever their handler does and whatever happens meanwhile."""

import asyncio
from dataclasses import dataclass, field

import pytest

from tests.support.settled_frames import tag_of
from worker.amqp.consume.deliveries import Received
from worker.amqp.consume.in_hand import InHand
from worker.amqp.consume.options import ConsumerOptions
from worker.amqp.consume.settlement import Settlement
from worker.domain.errors import LedgerUnavailableError
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
class Scene:
    """Deliveries in hand, their channel, and what is said on it."""

    answer: Disposition | Exception = field(default_factory=Done)
    closed: bool = False
    said: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)
    disposed: list[Disposition] = field(default_factory=list)
    crashes: int = 0
    number: int = 1

    def __post_init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        options = ConsumerOptions(crash_attempts=2, on_crash=self._crashed, on_disposed=self.disposed.append)
        self.in_hand = InHand(self._handle, Settlement(self, requeue_pause=60), (5, 30), options)

    async def _handle(self, _: Delivery) -> Disposition:
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def _crashed(self) -> None:
        self.crashes += 1

    def is_closed(self) -> bool:
        """Whether the channel is gone."""
        return self.closed

    def write(self, frame: bytes, how: str) -> None:
        """Remember it, as long as the channel is there."""
        if not self.closed:
            self.said.append(f"{how} {tag_of(frame)}")

    async def publish_dead(self, _: Received, why: DeadLetter) -> None:
        """Remember it."""
        self.copies.append(f"dead {why.reason}")

    async def publish_delay(self, _: Received, wait: Delay) -> None:
        """Remember it."""
        self.copies.append(f"delay {wait.seconds}")

    async def publish_waiting(self, _: Received, wait: Schedule | Hold) -> None:
        """Remember it."""
        self.copies.append(wait.reason)

    async def take(self, *tags: int, attempts: int = 0, size: int = 10) -> None:
        """Take deliveries, and let them go as far as they can."""
        for tag in tags:
            received = Received(Delivery(Lane.SEND, b"", "send", attempts=attempts), b"\x00\x00", self, tag)
            received.length = received.size = size
            self.in_hand.room.held[Lane.SEND] += size
            self.in_hand.take(received)
        await self.settle()

    async def settle(self) -> None:
        """Let every task go as far as it can."""
        for _ in range(10):
            await asyncio.sleep(0)

    @property
    def left(self) -> tuple[int, int, int]:
        """How many are worked on, are orphans, and how many bytes they have."""
        in_hand = self.in_hand
        return len(in_hand.working), len(in_hand.orphans), in_hand.room.held[Lane.SEND]


class TestDone:
    """The ordinary end."""

    async def test_it_is_acknowledged_and_nothing_is_left(self) -> None:
        """Neither the delivery nor its bytes."""
        scene = Scene()
        await scene.take(1, 2)
        assert ["ack 1", "ack 2"] == scene.said
        assert ((0, 0, 0), []) == (scene.left, scene.disposed)


class TestTrouble:
    """No job stops the consumer."""

    async def test_a_crash_is_told_and_delayed_and_in_the_end_a_dead_letter(self) -> None:
        """Acknowledged after its copy."""
        scene = Scene(ValueError("919876543210"))
        await scene.take(1)
        await scene.take(2, attempts=1)
        assert (["delay 5", "dead internal_error"], ["ack 1", "ack 2"]) == (scene.copies, scene.said)
        assert 2 == scene.crashes

    async def test_a_store_that_is_away_costs_no_attempt(self) -> None:
        """The job goes back, after a pause."""
        scene = Scene(LedgerUnavailableError("ledger", "away"))
        await scene.take(1)
        assert ([Requeue("ledger")], [], 0) == (scene.disposed, scene.said, scene.crashes)
        await scene.in_hand.abandon(scene.in_hand.working, 1.0)
        assert (["nack 1"], (0, 0, 0)) == (scene.said, scene.left)


class TestUnwanted:
    """Nothing is taken of a lane for the time being."""

    async def test_what_comes_goes_back(self) -> None:
        """At once, to the handler unknown."""
        scene = Scene()
        scene.in_hand.unwanted = {Lane.SEND}
        await scene.take(1)
        assert (["nack 1"], (0, 0, 0)) == (scene.said, scene.left)

    async def test_what_only_waits_to_go_back_goes_at_once(self) -> None:
        """It cannot come again while nothing is taken; other lanes wait."""
        scene = Scene(Requeue("gateway_away"))
        await scene.take(1, 2)
        assert [] == scene.said
        scene.in_hand.unwanted = {Lane.STATUS}
        scene.in_hand.let_go()
        await scene.settle()
        assert [] == scene.said
        scene.in_hand.unwanted = {Lane.SEND}
        scene.in_hand.let_go()
        await scene.settle()
        assert (["nack 1", "nack 2"], (0, 0, 0)) == (scene.said, scene.left)

    async def test_what_is_to_go_back_later_does_not_wait_either(self) -> None:
        """A call that was under way when the lane was paused."""
        scene = Scene(Requeue("gateway_away"))
        scene.gate.clear()
        await scene.take(1)
        scene.in_hand.unwanted = {Lane.SEND}
        scene.in_hand.let_go()
        await scene.settle()
        assert ([], 1) == (scene.said, len(scene.in_hand.working))
        scene.gate.set()
        await scene.settle()
        assert (["nack 1"], (0, 0, 0)) == (scene.said, scene.left)


class TestLost:
    """The connection is gone, and with it all that was not settled."""

    async def test_what_is_begun_ends_without_being_settled(self) -> None:
        """It is an orphan until then, and takes no other's place."""
        scene = Scene()
        scene.gate.clear()
        await scene.take(1)
        scene.closed = True
        scene.in_hand.lose()
        assert (0, 1, 10) == scene.left
        scene.gate.set()
        await scene.settle()
        assert ([], (0, 0, 0)) == (scene.said, scene.left)

    @pytest.mark.parametrize("size", [10, 9_000_000])
    async def test_what_is_not_begun_is_dropped(self, size: int) -> None:
        """It waits behind a heavy one, or its task has not had its first step."""
        scene = Scene()
        scene.gate.clear()
        if size > 10:
            await scene.take(1, size=size)
        received = Received(Delivery(Lane.SEND, b"", "send"), b"\x00\x00", scene, 2)
        received.length = received.size = size
        scene.in_hand.room.held[Lane.SEND] += size
        scene.in_hand.take(received)
        scene.closed = True
        scene.in_hand.lose()
        assert received not in scene.in_hand.orphans
        scene.gate.set()
        await scene.settle()
        assert ([], (0, 0, 0)) == (scene.said, scene.left)
