"""Publishes and what the broker says of them, told apart by number and by key."""

import asyncio
import gc
from types import SimpleNamespace
from typing import cast

import pytest
from aio_pika.abc import AbstractChannel
from aiormq.abc import AbstractChannel as UnderlayChannel
from aiormq.exceptions import (
    AMQPConnectionError,
    ChannelNotFoundEntity,
    ConnectionClosed,
    ConnectionFrameError,
)

from tests.support.deadline import DEADLINE
from worker.amqp.connection.opening import RawConnection
from worker.amqp.publish import window
from worker.amqp.publish.confirms import ConfirmChannel
from worker.amqp.publish.outgoing import Outgoing
from worker.amqp.publish.window import RefusedError, UnroutableError
from worker.amqp.wire import frames
from worker.amqp.wire.frames import Splitter
from worker.amqp.wire.properties import Properties
from worker.amqp.wire.reader import Sink
from worker.domain.errors import BrokerUnavailableError


class FakeBroker:
    """A connection, its channels and its socket; answers when it is told to.

    Attributes:
        published: bodies in the order in which they were written.
        congested: whether the socket takes no more.
    """

    frame_max = 4096

    def __init__(self) -> None:
        self.published: list[bytes] = []
        self.congested = False
        self.drained = asyncio.Event()
        self.sinks: dict[int, Sink] = {}
        self.closings: list[asyncio.Future[object]] = []
        self.number = 0

    @property
    def connection(self) -> RawConnection:
        """What a channel of ours asks for."""
        return cast("RawConnection", SimpleNamespace(library=self, socket=self, frame_max=4096))

    async def channel(self, _number: int | None, *, publisher_confirms: bool) -> AbstractChannel:
        """Open one."""
        assert publisher_confirms
        self.number += 1
        closing: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.closings.append(closing)
        underlay = _Underlay(self.number, closing)
        return cast("AbstractChannel", underlay)

    def serve(self, channel: int, sink: Sink) -> None:
        """Give it what comes."""
        self.sinks[channel] = sink

    def forget(self, channel: int, sink: Sink) -> None:
        """Give it nothing more."""
        if self.sinks.get(channel) is sink:
            del self.sinks[channel]

    def write(self, data: bytes) -> None:
        """Take a publish."""
        publish, header, *bodies = Splitter().feed(data)
        assert isinstance(publish, frames.Frame)
        assert isinstance(header, frames.Frame)
        self.published.append(b"".join(body.payload for body in bodies if isinstance(body, frames.Frame)))

    async def drain(self) -> None:
        """Wait until the test says so."""
        await self.drained.wait()

    def say(self, method: int, tag: int, *, multiple: bool = False, channel: int | None = None) -> None:
        """Confirm, or refuse."""
        payload = method.to_bytes(4, "big") + tag.to_bytes(8, "big") + bytes([multiple])
        self.sinks[channel or self.number].on_method(method, payload)

    def send_back(self, message: Outgoing, channel: int | None = None) -> None:
        """Return it."""
        self.sinks[channel or self.number].on_content(b"", message.raw_properties, None)


class _Underlay:
    """A channel of the library, both its levels."""

    def __init__(self, number: int, closing: asyncio.Future[object]) -> None:
        self.number = number
        self.closing = closing

    @property
    def is_closed(self) -> bool:
        """Whether it is."""
        return self.closing.done()

    async def get_underlay_channel(self) -> UnderlayChannel:
        """Itself."""
        return cast("UnderlayChannel", self)

    async def close(self) -> None:
        """End."""
        if not self.closing.done():
            self.closing.set_result(None)


def message(name: str, body: bytes = b"body") -> Outgoing:
    """One with a message id."""
    return Outgoing.of("iton.results.send", "send.accepted", body, Properties.of(message_id=name))


class Scene:
    """A channel that publishes, and the broker behind it."""

    def __init__(self, limit: float) -> None:
        self.broker = FakeBroker()
        self.channel = ConfirmChannel(limit)
        self.tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def attached(cls, limit: float = 5.0) -> "Scene":
        """One that is connected."""
        scene = cls(limit)
        await scene.channel.attach(scene.broker.connection)
        return scene

    def begin(self, message: Outgoing) -> "asyncio.Future[None] | None":
        """Publish it where that can be at once."""
        window = self.channel.window
        return window.publish(message) if window is not None else None

    async def publishing(self, *messages: Outgoing) -> list[asyncio.Task[None]]:
        """Begin to publish, each in a task."""
        begun = [asyncio.create_task(self.channel.publish(each)) for each in messages]
        self.tasks += begun
        await settle()
        return begun


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


class TestConfirms:
    """By number."""

    async def test_one_and_all_up_to_one(self) -> None:
        """Nobody else's; number 0 means all."""
        scene = await Scene.attached()
        first, second, third, fourth = await scene.publishing(*(message(str(n)) for n in range(4)))
        scene.broker.say(frames.ACK, 2)
        await settle()
        assert [False, True, False, False] == [each.done() for each in (first, second, third, fourth)]
        scene.broker.say(frames.ACK, 3, multiple=True)
        await settle()
        assert [True, True, True, False] == [each.done() for each in (first, second, third, fourth)]
        scene.broker.say(frames.ACK, 0, multiple=True)
        await asyncio.wait_for(fourth, DEADLINE)

    async def test_what_is_begun_at_once_ends_with_its_confirm(self) -> None:
        """A future and no task."""
        scene = await Scene.attached()
        confirmed = scene.begin(message("1"))
        assert confirmed is not None
        assert not confirmed.done()
        scene.broker.say(frames.ACK, 1)
        assert confirmed.done()

    async def test_a_refusal_is_an_error_of_its_message(self) -> None:
        """And only of that."""
        scene = await Scene.attached()
        one, two = await scene.publishing(message("1"), message("2"))
        scene.broker.say(frames.NACK, 1)
        scene.broker.say(frames.ACK, 2)
        await two
        with pytest.raises(RefusedError):
            await one

    async def test_a_closed_channel_fails_all_that_wait_and_the_next_one_opens_another(self) -> None:
        """With the broker's reason; numbers begin anew."""
        scene = await Scene.attached()
        (one,) = await scene.publishing(message("1"))
        scene.broker.closings[0].set_exception(ChannelNotFoundEntity(404, "no exchange"))
        with pytest.raises(ChannelNotFoundEntity):
            await one
        assert scene.begin(message("2")) is None
        (two,) = await scene.publishing(message("2"))
        scene.broker.say(frames.ACK, 1)
        await asyncio.wait_for(two, DEADLINE)

    @pytest.mark.parametrize(
        ("error", "seen"),
        [
            (AMQPConnectionError("Server connection unexpectedly closed."), BrokerUnavailableError),
            (ConnectionClosed(320, "CONNECTION_FORCED"), BrokerUnavailableError),
            (ConnectionResetError(104, "reset"), BrokerUnavailableError),
            (ConnectionFrameError("FRAME_ERROR"), ConnectionFrameError),
        ],
    )
    async def test_a_connection_that_is_lost_has_refused_nothing(
        self, error: Exception, seen: type[Exception]
    ) -> None:
        """Unless the broker ended it over what was published."""
        scene = await Scene.attached()
        (one,) = await scene.publishing(message("1"))
        scene.broker.closings[0].set_exception(error)
        with pytest.raises(seen):
            await one

    async def test_an_overdue_one_is_not_kept(self) -> None:
        """A queue without a leader answers nothing for hours, and all that goes there is tried again."""
        scene = await Scene.attached(limit=0.0)
        tasks = await scene.publishing(*(message(str(n)) for n in range(20)))
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert {"timeout"} == {each.code for each in answers if isinstance(each, BrokerUnavailableError)}
        answers.clear()
        gc.collect()
        assert [] == [each for each in gc.get_objects() if type(each) is window._Waiting]
        scene.broker.say(frames.ACK, 20, multiple=True)

    async def test_without_a_connection_nothing_is_begun(self) -> None:
        """It is an error for whoever insists."""
        scene = await Scene.attached()
        scene.channel.detach()
        assert scene.begin(message("1")) is None
        with pytest.raises(BrokerUnavailableError):
            await scene.channel.publish(message("1"))


class TestReturns:
    """By key: a return says nothing of the number, and its confirm follows."""

    async def test_a_return_is_matched_before_its_confirm(self) -> None:
        """However many are under way, it is the right one that fails."""
        scene = await Scene.attached()
        messages = [message(str(n)) for n in range(5)]
        tasks = await scene.publishing(*messages)
        scene.broker.send_back(messages[3])
        scene.broker.say(frames.ACK, 5, multiple=True)
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(None)] * 3 + [UnroutableError, type(None)] == [type(each) for each in answers]

    @pytest.mark.parametrize("name", ["same", ""])
    async def test_those_of_the_same_key_take_turns(self, name: str) -> None:
        """Nobody could tell whose return it is; so do those without any key."""
        scene = await Scene.attached()
        first, second = message(name, b"1"), message(name, b"2")
        one, two = await scene.publishing(first, second)
        assert [b"1"] == scene.broker.published
        assert scene.begin(second) is None
        scene.broker.send_back(first)
        await settle()
        assert [b"1"] == scene.broker.published
        scene.broker.say(frames.ACK, 1)
        await settle()
        assert [b"1", b"2"] == scene.broker.published
        scene.broker.say(frames.ACK, 2)
        await two
        with pytest.raises(UnroutableError):
            await one

    async def test_whoever_gave_up_keeps_its_turn_until_its_confirm(self) -> None:
        """The message is under way all the same."""
        scene = await Scene.attached()
        one, two = await scene.publishing(message("same", b"1"), message("same", b"2"))
        one.cancel()
        await settle()
        assert [b"1"] == scene.broker.published
        scene.broker.send_back(message("same"))
        scene.broker.say(frames.ACK, 1)
        await settle()
        scene.broker.say(frames.ACK, 2)
        await asyncio.wait_for(two, DEADLINE)
        assert [b"1", b"2"] == scene.broker.published

    async def test_a_closed_channel_ends_every_turn(self) -> None:
        """The next one goes on the next channel."""
        scene = await Scene.attached()
        one, two = await scene.publishing(message("same", b"1"), message("same", b"2"))
        scene.broker.closings[0].set_result(None)
        await settle()
        with pytest.raises(BrokerUnavailableError):
            await one
        scene.broker.say(frames.ACK, 1)
        await asyncio.wait_for(two, DEADLINE)


class TestCongestion:
    """The socket takes no more for the time being."""

    async def test_publishes_wait(self) -> None:
        """Nothing is begun, and what waits goes on when it takes more."""
        scene = await Scene.attached()
        scene.broker.congested = True
        assert scene.begin(message("1")) is None
        (one,) = await scene.publishing(message("1"))
        assert [] == scene.broker.published
        scene.broker.congested = False
        scene.broker.drained.set()
        await settle()
        scene.broker.say(frames.ACK, 1)
        await asyncio.wait_for(one, DEADLINE)
