"""A consumer that the broker says it has, and passes over."""

from typing import cast

from aio_pika.abc import AbstractChannel
from pamqp.commands import Queue

from worker.amqp.intake import LaneIntake
from worker.amqp.received import Received
from worker.domain.messages import Lane


class FakeChannel:
    """Answers a passive declare with the jobs that are ready."""

    is_closed = False

    def __init__(self) -> None:
        self.ready = 0

    async def get_underlay_channel(self) -> "FakeChannel":
        """Return what answers."""
        return self

    async def queue_declare(self, name: str, *, passive: bool) -> Queue.DeclareOk:
        """Count."""
        assert passive
        return Queue.DeclareOk(queue=name, message_count=self.ready, consumer_count=1)


class Scene:
    """An intake that consumes, and what it said when it gave up."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        self.channel = FakeChannel()
        self.intake = LaneIntake(
            lane=Lane.SEND,
            queue="iton.send",
            prefetch=10,
            take=self._take,
            on_lost=self.lost.append,
            limit=1.0,
        )
        self.intake._channel = cast("AbstractChannel", self.channel)
        self.intake._tag = "tag"

    async def _take(self, _: Received) -> None:
        """Nothing is delivered here."""

    async def look(self, *, idle: bool = True, arrivals: int = 0) -> None:
        """One look of the connection's probe."""
        self.intake._arrivals += arrivals
        await self.intake.probe(idle=idle)


class TestPassedOver:
    """Connected, registered, and not given anything."""

    async def test_jobs_that_stay_ready_look_after_look_end_the_connection(self) -> None:
        """The first look may fall between a job's arrival and its delivery."""
        scene = Scene()
        scene.channel.ready = 3
        await scene.look()
        assert [] == scene.lost
        await scene.look()
        assert ["the broker keeps the jobs of queue iton.send to itself"] == scene.lost

    async def test_an_empty_queue_is_no_reason(self) -> None:
        """However long nothing comes."""
        scene = Scene()
        for _ in range(5):
            await scene.look()
        assert [] == scene.lost

    async def test_a_backlog_that_flows_is_no_reason(self) -> None:
        """Something arrived between the looks, or work is in flight."""
        scene = Scene()
        scene.channel.ready = 1000
        for _ in range(4):
            await scene.look(arrivals=5)
            await scene.look(idle=False)
        assert [] == scene.lost
