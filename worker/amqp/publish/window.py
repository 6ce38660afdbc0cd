"""What was published on one channel and waits for its confirm."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel

from worker.amqp.connection.calls import bounded, describe
from worker.amqp.connection.library import AMQPError, ConnectionClosed, UnderlayChannel
from worker.amqp.connection.opening import RawConnection
from worker.amqp.publish.outgoing import Outgoing, publish_key
from worker.amqp.wire import frames
from worker.amqp.wire.properties import readable
from worker.domain.errors import BrokerUnavailableError

_LOOK_EVERY = 0.5  # seconds between two looks for confirms that are overdue


class UnroutableError(BrokerUnavailableError):
    """The broker returned the message: no queue is bound for it."""


class RefusedError(AMQPError):
    """The broker did not take the message (basic.nack)."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A publish without its confirm.

    Attributes:
        over: set once it has its confirm or counts as lost, where somebody waits for that.
    """

    confirmed: "asyncio.Future[None]"
    due: float
    message: Outgoing
    over: asyncio.Event | None = None

    def fail(self, error: BaseException) -> None:
        if not self.confirmed.done():
            self.confirmed.set_exception(error)

    def come_back(self) -> None:
        """Fail, for the broker has returned it."""
        message = self.message
        target = f"exchange {message.exchange}" if message.exchange else "the default exchange"
        self.fail(UnroutableError("unroutable", f"no queue takes {message.routing_key} from {target}"))


class Window:
    """What was published on one channel and is not confirmed. Lives as long as the channel.

    Only `publish` may publish on it: the broker numbers publishes, and so does this.

    Args:
        library: the channel.
        channel: the library's lower one.
        connection: that it is on.
        limit: seconds for one confirm.
        on_refused: told of each message that the broker did not take.
    """

    methods: frozenset[int] = frozenset({frames.ACK, frames.NACK, frames.RETURN})

    def __init__(
        self,
        library: AbstractChannel,
        channel: UnderlayChannel,
        connection: RawConnection,
        limit: float,
        on_refused: Callable[["Window"], None],
    ) -> None:
        self._library = library  # kept: it lets go of channels that nobody holds
        self._channel = channel
        self._number = int(channel.number)
        self._socket = connection.socket
        self._frame_max = connection.frame_max
        self._limit = limit
        self._on_refused = on_refused
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.time()
        self._last_tag = 0
        self._waiting: dict[int, _Waiting] = {}
        self._by_key: dict[bytes, _Waiting] = {}
        self._look = self._loop.call_later(_LOOK_EVERY, self._look_for_overdue)
        self._socket.serve(self._number, self)
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

    def publish(self, message: Outgoing) -> "asyncio.Future[None] | None":
        """Publish *message* and return what ends with its confirm.

        None on a closed channel, and while it has to wait (`ready`).

        Raises:
            BrokerUnavailableError: the connection is closed.
        """
        if self._channel.is_closed or message.key in self._by_key or self._socket.congested:
            return None
        self._socket.write(
            frames.publish(
                self._number,
                message.exchange,
                message.routing_key,
                message.raw_properties,
                message.body,
                self._frame_max,
            )
        )
        # The number counts what was written: a publish that failed before has none.
        self._last_tag += 1
        confirmed = self._loop.create_future()
        waiting = _Waiting(confirmed, self._loop.time() + self._limit, message)
        self._waiting[self._last_tag] = self._by_key[message.key] = waiting
        return confirmed

    async def ready(self, key: bytes) -> None:
        """Wait while another message of the same *key* is under way, or the socket takes no more."""
        if (earlier := self._by_key.get(key)) is not None:
            earlier.over = earlier.over or asyncio.Event()
            await earlier.over.wait()
        while self._socket.congested:
            await bounded(self._socket.drain(), self._limit)

    def _over(self, waiting: _Waiting) -> None:
        if self._by_key.get(waiting.message.key) is waiting:
            del self._by_key[waiting.message.key]
        if waiting.over is not None:
            waiting.over.set()

    def on_method(self, method: int, payload: bytes) -> None:
        """Take a confirm, of one or of all up to it."""
        tag, multiple = frames.read_confirm(payload)
        for each in self._up_to(tag) if multiple else (tag,):
            waiting = self._waiting.pop(each, None)
            if waiting is None:
                continue
            self._over(waiting)
            if waiting.confirmed.done():
                continue
            if method == frames.ACK:
                waiting.confirmed.set_result(None)
            else:
                waiting.fail(RefusedError("the broker refused the message"))
                self._on_refused(self)

    def _up_to(self, tag: int) -> list[int]:
        """Return the numbers of all that wait up to *tag*. RabbitMQ: 0 means all."""
        numbers = []
        for number in self._waiting:  # in the order of their publishing
            if number > tag > 0:
                break
            numbers.append(number)
        return numbers

    def wants(self, size: int) -> bool:  # noqa: ARG002 - whatever its size
        """No body: what was published is still here."""
        return False

    def on_content(self, method: bytes, raw_properties: bytes, body: bytes | None) -> None:  # noqa: ARG002 - the key is enough
        """Take a returned message. Its confirm follows, and says only that it is dealt with."""
        waiting = self._by_key.get(publish_key(readable(raw_properties)))
        if waiting is not None:
            waiting.come_back()

    def _look_for_overdue(self) -> None:
        now = self._loop.time()
        words = f"the broker did not answer within {self._limit:g} s"
        # In the order of their publishing, so in that of their due times. None is kept: a queue that never
        # answers would have each of its messages here once more for every time that it is tried.
        while self._waiting:
            number, waiting = next(iter(self._waiting.items()))
            if waiting.due > now:
                break
            del self._waiting[number]
            waiting.fail(BrokerUnavailableError("timeout", words))
            self._over(waiting)
        self._look = self._loop.call_later(_LOOK_EVERY, self._look_for_overdue)

    def _closed(self, closing: "asyncio.Future[object]") -> None:
        self._socket.forget(self._number, self)
        self._look.cancel()
        error = None if closing.cancelled() else closing.exception()
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            each.fail(_why_closed(error))
            self._over(each)


def _why_closed(error: BaseException | None) -> BaseException:
    """Return what a publish meets whose channel has ended: what the broker refused, or a loss."""
    if isinstance(error, ConnectionError):
        # Over a frame that it does not take, the broker ends the connection with an error of its own kind.
        is_refusal = isinstance(error, ConnectionClosed) and type(error) is not ConnectionClosed
        return error if is_refusal else BrokerUnavailableError("connection_lost", describe(error))
    if isinstance(error, AMQPError):
        return error
    return BrokerUnavailableError("connection_lost", "the channel was closed")
