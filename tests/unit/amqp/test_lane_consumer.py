"""A consumer that the broker says it has: passed over, or forgotten and replaced."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from aiormq.exceptions import ChannelInvalidStateError
from pamqp.commands import Basic, Queue

from worker.amqp.connection.opening import RawConnection
from worker.amqp.consume.deliveries import Destination, Received
from worker.amqp.consume.in_hand import Room
from worker.amqp.consume.lane_consumer import LaneConsumer
from worker.amqp.wire.reader import Sink
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import Lane

CancelCallback = Callable[[Basic.Cancel], None]
DELIVER = bytes.fromhex("003c003c") + Basic.Deliver("tag 10.1", 1, exchange="", routing_key="").marshal()


class FakeChannel:
    """A channel that remembers what it was asked, and answers a passive declare with the jobs ready."""

    def __init__(self, number: int, sinks: dict[int, Sink]) -> None:
        self.number = number
        self._sinks = sinks
        self.ready = 0
        self.asked: list[str] = []
        self.arriving = 0
        self.consumers = 1
        self.refuses: Exception | None = None
        self.on_consumer_cancel_callbacks: set[CancelCallback] = set()
        self.closing: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    @property
    def is_closed(self) -> bool:
        """Whether anybody closed it."""
        return self.closing.done()

    async def get_underlay_channel(self) -> "FakeChannel":
        """Return what answers."""
        if self.refuses:
            raise self.refuses
        return self

    async def set_qos(self, *, prefetch_count: int) -> None:
        """Agree."""
        self.asked.append(f"prefetch {prefetch_count}")

    async def queue_declare(self, name: str, *, passive: bool) -> Queue.DeclareOk:
        """Count."""
        assert passive
        return Queue.DeclareOk(queue=name, message_count=self.ready, consumer_count=self.consumers)

    async def basic_consume(
        self, _queue: str, on_message: Callable[[object], Awaitable[None]]
    ) -> Basic.ConsumeOk:
        """Name the consumer after the channel and the turn."""
        assert callable(on_message)
        self.asked.append("consume")
        return Basic.ConsumeOk(f"tag {self.number}.{self.asked.count('consume')}")

    async def basic_cancel(self, tag: str) -> None:
        """Hand over what is on its way, then answer."""
        self.asked.append(f"cancel {tag}")
        for _ in range(self.arriving):
            self._sinks[self.number].on_content(DELIVER, b"\x00\x00", b"")

    async def close(self) -> None:
        """End, and tell who waits for it."""
        self.asked.append("close")
        self.closing.set_result(None)
        await asyncio.sleep(0)


class Scene:
    """An intake that consumes, and what it said when it gave up."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        self.received: list[Received] = []
        self.channels: list[FakeChannel] = []
        self.sinks: dict[int, Sink] = {}
        self.over: set[Received] = set()
        self.destination = Destination(self._take, Room().take, Room().give, self._consumers_of)
        self.connection = cast("RawConnection", SimpleNamespace(library=self, socket=self))
        self.intake = LaneConsumer(
            lane=Lane.SEND,
            queue="iton.send",
            prefetch=10,
            destination=self.destination,
            on_lost=self.lost.append,
            limit=1.0,
        )

    @classmethod
    async def consuming(cls) -> "Scene":
        """One on its first channel."""
        scene = cls()
        await scene.intake.open(scene.connection)
        await scene.intake.adjust()
        return scene

    async def channel(self, number: int, *, publisher_confirms: bool) -> FakeChannel:
        """What the library's connection does."""
        assert not publisher_confirms
        self.channels.append(FakeChannel(number, self.sinks))
        return self.channels[-1]

    def serve(self, channel: int, sink: Sink) -> None:
        """What the connection's wire does."""
        self.sinks[channel] = sink

    def forget(self, channel: int, sink: Sink) -> None:
        """The same."""
        if self.sinks.get(channel) is sink:
            del self.sinks[channel]

    def _consumers_of(self, _: Lane) -> set[str]:
        """Return those of what is in hand."""
        return {one.consumer for one in self.received if one not in self.over and not one.orphaned}

    def _take(self, received: Received) -> None:
        self.received.append(received)

    @property
    def taken(self) -> int:
        """Deliveries that were handed over."""
        return len(self.received)

    async def look(self, *, idle: bool = True, arrivals: int = 0) -> None:
        """One look of the connection's probe."""
        self.destination.arrivals += arrivals
        await self.intake.probe(idle=idle)

    async def pause_and_resume(self) -> None:
        """Cancel the consumer, and begin with another on the same channel."""
        for wanted in (False, True):
            self.intake.wanted = wanted
            await self.intake.adjust()

    async def renew(self) -> None:
        """Replace the consumer."""
        await self.intake.renew(self.connection)


class TestPassedOver:
    """Connected, registered, and not given anything."""

    async def test_jobs_that_stay_ready_look_after_look_end_the_connection(self) -> None:
        """The first look may fall between a job's arrival and its delivery."""
        scene = await Scene.consuming()
        scene.channels[0].ready = 3
        await scene.look()
        assert [] == scene.lost
        await scene.look()
        assert ["the broker keeps the jobs of queue iton.send to itself"] == scene.lost

    async def test_an_empty_queue_is_no_reason(self) -> None:
        """However long nothing comes."""
        scene = await Scene.consuming()
        for _ in range(5):
            await scene.look()
        assert [] == scene.lost

    async def test_a_backlog_that_flows_is_no_reason(self) -> None:
        """Something arrived between the looks, or work is in flight."""
        scene = await Scene.consuming()
        scene.channels[0].ready = 1000
        for _ in range(4):
            await scene.look(arrivals=5)
            await scene.look(idle=False)
        assert [] == scene.lost


class TestSilence:
    """Looks in a row at which nothing had come."""

    async def test_it_grows_while_nothing_comes(self) -> None:
        """A look a step."""
        scene = await Scene.consuming()
        for _ in range(3):
            await scene.look()
        assert 3 == scene.intake.silence

    async def test_an_arrival_ends_it(self) -> None:
        """Also one that is done with by the time of the look."""
        scene = await Scene.consuming()
        await scene.look()
        await scene.look(arrivals=1)
        assert 0 == scene.intake.silence

    async def test_work_in_flight_ends_it(self) -> None:
        """A full prefetch gets nothing more."""
        scene = await Scene.consuming()
        await scene.look()
        await scene.look(idle=False)
        assert 0 == scene.intake.silence

    async def test_a_paused_lane_is_not_silent(self) -> None:
        """Nothing is expected there."""
        scene = await Scene.consuming()
        scene.intake.wanted = False
        await scene.intake.adjust()
        await scene.look()
        assert 0 == scene.intake.silence


class TestRenewed:
    """A consumer that may have been forgotten is replaced."""

    async def test_the_old_channel_is_closed_after_the_new_one_consumes(self) -> None:
        """Its end gives back what the broker kept on it; nobody is told of a loss."""
        scene = await Scene.consuming()
        await scene.look()
        await scene.renew()
        old, new = scene.channels
        assert ["prefetch 10", "consume", "cancel tag 10.1", "close"] == old.asked
        assert ["prefetch 10", "consume"] == new.asked
        assert ([], True, 0) == (scene.lost, scene.intake.registered, scene.intake.silence)

    async def test_a_delivery_in_the_last_moment_keeps_the_old_channel(self) -> None:
        """It must be acknowledged there; and a consumer that is handed something is not forgotten."""
        scene = await Scene.consuming()
        await scene.look()
        scene.channels[0].arriving = 1
        await scene.renew()
        old, new = scene.channels
        assert 1 == scene.taken
        assert ["prefetch 10", "consume", "cancel tag 10.1", "consume"] == old.asked
        assert ["prefetch 10", "close"] == new.asked
        assert ([], True) == (scene.lost, scene.intake.registered)

    async def test_two_channel_numbers_serve_for_ever(self) -> None:
        """The library would count on to what the broker refuses."""
        scene = await Scene.consuming()
        for _ in range(50):
            await scene.renew()
        assert {10, 11} == {channel.number for channel in scene.channels}
        assert 1 == sum(not channel.is_closed for channel in scene.channels)

    async def test_lanes_do_not_share_numbers(self) -> None:
        """They are channels of one connection."""
        intakes = [
            LaneConsumer(
                lane=lane,
                queue="",
                prefetch=1,
                destination=Destination(Scene()._take, Room().take, Room().give),
                on_lost=Scene().lost.append,
                limit=1.0,
            )
            for lane in Lane
        ]
        assert 2 * len(Lane) == len({number for intake in intakes for number in intake._numbers})

    async def test_the_new_consumer_is_watched_as_the_old_one_was(self) -> None:
        """A cancel of the broker's, or a closed channel, is a loss."""
        scene = await Scene.consuming()
        await scene.renew()
        (on_cancel,) = scene.channels[1].on_consumer_cancel_callbacks
        on_cancel(Basic.Cancel("tag 10.1"))
        assert [] == scene.lost
        on_cancel(Basic.Cancel("tag 11.1"))
        assert ["the broker cancelled the consumer of queue iton.send"] == scene.lost
        await scene.channels[1].close()
        assert 2 == len(scene.lost)

    async def test_a_paused_lane_is_left_alone(self) -> None:
        """There is no consumer to replace."""
        scene = await Scene.consuming()
        scene.intake.wanted = False
        await scene.intake.adjust()
        await scene.renew()
        assert 1 == len(scene.channels)


class TestCount:
    """How many workers consume a queue."""

    async def test_a_former_consumer_of_ours_is_not_another_worker(self) -> None:
        """The broker counts it until the last message that it was handed is settled."""
        scene = await Scene.consuming()
        (channel,) = scene.channels
        channel.arriving = 1
        await scene.pause_and_resume()
        channel.consumers = 5
        await scene.intake.look()
        assert 4 == scene.intake.consumers
        scene.over.add(scene.received[0])
        channel.consumers = 4
        await scene.intake.look()
        assert 4 == scene.intake.consumers

    async def test_what_came_on_a_lost_connection_is_no_consumer(self) -> None:
        """It may still be worked on; the broker knows nothing of it."""
        scene = await Scene.consuming()
        scene.channels[0].arriving = 1
        await scene.pause_and_resume()
        scene.intake.lost()
        await scene.intake.open(scene.connection)
        await scene.intake.adjust()
        scene.over.add(scene.received[0])
        scene.channels[-1].consumers = 3
        await scene.intake.look()
        assert 3 == scene.intake.consumers


class TestClosedChannel:
    """The library refuses everything on it, with an error that is none of the broker's."""

    async def test_it_is_a_broker_that_is_away(self) -> None:
        """Whoever asked goes on."""
        scene = await Scene.consuming()
        scene.channels[0].refuses = ChannelInvalidStateError("Channel was not opened")
        with pytest.raises(BrokerUnavailableError):
            await scene.intake.look()
        scene.intake.wanted = False
        with pytest.raises(BrokerUnavailableError):
            await scene.intake.adjust()


class TestPage:
    """``docs/versions.md`` on what it costs to replace idle consumers."""

    def test_it_counts_every_lane(self) -> None:
        """Each is replaced after four looks, five seconds apart."""
        page = (Path(__file__).parents[3] / "docs" / "versions.md").read_text()
        (told,) = re.findall(r"its (\d+) lanes costs the broker up to (\d+) replacements a minute", page)
        assert [int(number) for number in told] == [len(Lane), len(Lane) * 60 // (4 * 5)]
