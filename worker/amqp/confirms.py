"""A channel on which many publishes wait for their confirms at the same time."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import takewhile
from uuid import uuid4

from aio_pika.abc import AbstractChannel
from aiormq.abc import AbstractChannel as UnderlayChannel
from aiormq.exceptions import AMQPError

from worker.amqp import frames
from worker.amqp.calls import bounded, open_channel, underlay_of
from worker.amqp.codec import Outgoing
from worker.amqp.connection import RawConnection
from worker.amqp.transport import publish_key, readable
from worker.domain.errors import BrokerUnavailableError

_LOOK_EVERY = 0.5  # seconds between two looks for confirms that are overdue
_RENEW_AFTER = 0.2  # seconds that a channel is used, also when everything on it is refused


class UnroutableError(BrokerUnavailableError):
    """The broker returned the message: no queue is bound for it."""


class RefusedError(AMQPError):
    """The broker did not take the message (basic.nack)."""


class _Waiting:
    """A publish without its confirm."""

    __slots__ = ("confirmed", "due", "key", "target")

    def __init__(self, confirmed: "asyncio.Future[None]", due: float, key: str, target: str) -> None:
        self.confirmed = confirmed
        self.due = due
        self.key = key
        self.target = target

    def fail(self, error: BaseException) -> None:
        if not self.confirmed.done():
            self.confirmed.set_exception(error)


class _Window:
    """What was published on one channel and is not confirmed. Lives as long as the channel.

    Only `publish` may publish on it: the broker numbers publishes, and so does this.
    """

    methods: frozenset[int] = frozenset({frames.ACK, frames.NACK, frames.RETURN})

    def __init__(
        self, library: AbstractChannel, channel: UnderlayChannel, connection: RawConnection, limit: float
    ) -> None:
        self._library = library  # kept: it lets go of channels that nobody holds
        self._channel = channel
        self._number = int(channel.number)
        self._wire = connection.wire
        self._frame_max = connection.frame_max
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.time()
        self._last_tag = 0
        self._waiting: dict[int, _Waiting] = {}
        self._look: asyncio.TimerHandle | None = None
        self._wire.serve(self._number, self)
        channel.closing.add_done_callback(self._closed)

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be published on it any more."""
        return bool(self._channel.is_closed)

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return self._loop.time() - self._opened

    async def retire(self) -> None:
        """Close the channel as soon as every publish on it has its answer."""
        if self._waiting:
            await asyncio.wait([each.confirmed for each in self._waiting.values()])
        with suppress(AMQPError, BrokerUnavailableError):
            await bounded(self._library.close(), self._limit)

    async def publish(self, message: Outgoing, raw_properties: bytes, key: str) -> None:
        """Return when the broker has confirmed *message* and not returned it."""
        while self._wire.congested:
            await bounded(self._wire.drain(), self._limit)
        if self.is_closed:
            raise BrokerUnavailableError("connection_lost", "the channel is closed")
        self._wire.write(
            frames.publish(
                self._number,
                message.exchange,
                message.routing_key,
                raw_properties,
                message.body,
                self._frame_max,
            )
        )
        # The number counts what was written: a publish that failed before has none.
        self._last_tag += 1
        confirmed: asyncio.Future[None] = self._loop.create_future()
        target = f"exchange {message.exchange}" if message.exchange else "the default exchange"
        waiting = _Waiting(
            confirmed, self._loop.time() + self._limit, key, f"{message.routing_key} from {target}"
        )
        self._waiting[self._last_tag] = waiting
        if self._look is None:
            self._look = self._loop.call_later(_LOOK_EVERY, self._look_for_overdue)
        await confirmed

    def on_method(self, method: int, payload: bytes) -> None:
        """Take a confirm, of one or of all up to it."""
        tag, multiple = frames.read_confirm(payload)
        # In the order of their numbers. RabbitMQ: tag 0 with `multiple` means all.
        tags = list(takewhile(lambda each: each <= tag or not tag, self._waiting)) if multiple else (tag,)
        for each in tags:
            waiting = self._waiting.pop(each, None)
            if waiting is None or waiting.confirmed.done():
                continue
            if method == frames.ACK:
                waiting.confirmed.set_result(None)
            else:
                waiting.fail(RefusedError("the broker refused the message"))

    def wants(self, size: int) -> bool:  # noqa: ARG002 - whatever its size
        """No body: what was published is still here."""
        return False

    def on_content(self, method: bytes, raw_properties: bytes, body: bytes | None) -> None:  # noqa: ARG002 - the key is enough
        """Take a returned message. Its confirm follows, and says only that it is dealt with."""
        key = publish_key(readable(raw_properties))
        for waiting in self._waiting.values():
            if waiting.key == key:
                waiting.fail(UnroutableError("unroutable", f"no queue takes {waiting.target}"))
                return

    def _look_for_overdue(self) -> None:
        now = self._loop.time()
        words = f"the broker did not answer within {self._limit:g} s"
        # In the order of their publishing, so in that of their due times.
        for waiting in self._waiting.values():
            if waiting.due > now:
                break
            waiting.fail(BrokerUnavailableError("timeout", words))
        more = any(not waiting.confirmed.done() for waiting in self._waiting.values())
        self._look = self._loop.call_later(_LOOK_EVERY, self._look_for_overdue) if more else None

    def _closed(self, closing: "asyncio.Future[object]") -> None:
        self._wire.forget(self._number, self)
        if self._look is not None:
            self._look.cancel()
        error = None if closing.cancelled() else closing.exception()
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            each.fail(_why_closed(error))


def _why_closed(error: BaseException | None) -> BaseException:
    if isinstance(error, AMQPError):
        return error
    return BrokerUnavailableError("connection_lost", "the channel was closed")


class ConfirmChannel:
    """Publishes with ``mandatory`` and confirms; opens its channel again when the broker closed it.

    Returned messages are told apart by key, one publish a key: those of the same key take turns.

    A channel on which the broker refused something makes room for a new one. RabbitMQ's channel looks
    for a quorum queue at the node that led it when the channel met it first; when that was a node that
    had just died, the channel refuses all that goes there, for as long as it lives.

    Args:
        limit: seconds, for opening and for one confirm.
        draw_key: returns a fresh key for a message that has none.
    """

    def __init__(self, limit: float, draw_key: Callable[[], str] = lambda: uuid4().hex) -> None:
        self._limit = limit
        self._draw_key = draw_key
        self._connection: RawConnection | None = None
        self._window: _Window | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()
        self._under_way: dict[str, asyncio.Event | None] = {}

    async def attach(self, connection: RawConnection) -> None:
        """Use *connection* from now on."""
        self._connection, self._window = connection, None
        await self._open()

    async def close(self) -> None:
        """Publish nothing more."""
        window, self._window, self._connection = self._window, None, None
        if window is not None and not window.is_closed:
            await window.retire()

    def detach(self) -> None:
        """The connection is gone."""
        self._connection = self._window = None

    async def publish(self, message: Outgoing) -> None:
        """Return when the broker has confirmed *message* and not returned it.

        Raises:
            UnroutableError: it came back.
            BrokerUnavailableError: no connection, or it was lost, or no confirm in time.
            AMQPError: the broker refused it, or closed the channel over it.
        """
        key = publish_key(message.properties) or self._draw_key()
        while key in self._under_way:
            await self._turn(key)
        self._under_way[key] = None
        try:
            window = self._window
            if window is None or window.is_closed:
                window = await self._open()
            try:
                await window.publish(message, message.properties.marshal(), key)
            except RefusedError:
                self._renew(window)
                raise
        finally:
            over = self._under_way.pop(key)
            if over is not None:
                over.set()

    def _renew(self, refused: _Window) -> None:
        # A full queue refuses on every channel: one that is fresh stays for a moment.
        if self._window is not refused or refused.age < _RENEW_AFTER:
            return
        self._window = None
        retiring = asyncio.create_task(refused.retire())
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    async def _turn(self, key: str) -> None:
        over = self._under_way[key]
        if over is None:
            over = self._under_way[key] = asyncio.Event()
        await over.wait()

    async def _open(self) -> _Window:
        async with self._opening:
            if self._connection is None:
                raise BrokerUnavailableError("connection_lost", "not connected")
            if self._window is None or self._window.is_closed:
                connection = self._connection
                library = await open_channel(connection.library, self._limit, confirms=True)
                underlay = await underlay_of(library)
                self._window = _Window(library, underlay, connection, self._limit)
            return self._window
