"""Opens connections to the broker, and closes them whatever state they are in."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
from aio_pika.connection import make_url
from aiormq.exceptions import AMQPError

from worker.amqp.connection.calls import bounded, describe
from worker.amqp.connection.reasons import no_connection
from worker.amqp.wire.socket import FrameSocket
from worker.amqp.wire.transport import RawTransportFactory
from worker.domain.errors import BrokerUnavailableError

# The libraries log whole messages (texts and numbers) at error and whole frames at debug.
for _library in ("aio_pika", "aiormq", "pamqp"):
    logging.getLogger(_library).setLevel(logging.CRITICAL + 1)

# AMQP 0-9-1, 4.2.3: every peer takes frames of this size.
_SMALLEST_FRAME_MAX = 4096


@dataclass(frozen=True, slots=True)
class Timing:
    """Limits, all in seconds.

    Attributes:
        connect: for TCP, TLS and log-in together.
        set_up: for everything that is asked on a new connection. Each question has its own limit, so that a
            far broker may take its time as long as it answers.
        call: for one question to the broker.
        probe_every: how often a connection must prove that it is alive.
        probe_limit: how long it has to do so.
        heartbeat: what is agreed with the broker, unless the URL says so.
        backoff: the longest pause between two attempts to connect.
    """

    connect: float = 10.0
    set_up: float = 60.0
    call: float = 10.0
    probe_every: float = 5.0
    probe_limit: float = 5.0
    heartbeat: int = 10
    backoff: float = 5.0


class RawConnection:
    """A connection of the library, and the socket below it.

    Attributes:
        library: for channels, queues and exchanges.
    """

    def __init__(self, library: aio_pika.Connection, transport: RawTransportFactory) -> None:
        self.library = library
        self._transport = transport

    @property
    def socket(self) -> FrameSocket:
        """The socket, for frames of ours beside the library's."""
        return self._transport.socket

    @property
    def frame_max(self) -> int:
        """Bytes of the largest frame, as agreed with the broker."""
        transport = self.library.transport
        agreed = transport.connection.connection_tune.frame_max if transport is not None else 0
        return int(agreed or _SMALLEST_FRAME_MAX)

    async def close(self, limit: float) -> None:
        """Say goodbye for at most *limit* seconds, then cut the socket. Never raises."""
        self._transport.flush()
        closing = asyncio.ensure_future(self.library.close())
        closing.add_done_callback(_forget)
        try:
            await asyncio.wait({closing}, timeout=limit)
        finally:
            self._transport.abort()
            closing.cancel()

    async def lost(self) -> str:
        """Wait until the connection is closed, by whomever, and return why.

        The library's own ``closed()`` only tells of a close that was asked for here.
        """
        transport = self.library.transport
        if transport is not None:
            closing = transport.connection.closing
            await asyncio.wait({closing})
            if not closing.cancelled() and (error := closing.exception()):
                return describe(error)
        return "the connection was closed"

    @property
    def forgets_consumers(self) -> bool:
        """Whether this is a RabbitMQ before 4.

        When a quorum queue is deleted and declared again at once, such a broker moves the consumer to the new
        queue by itself and then forgets it: it is counted, takes messages out of the queue, and is not given
        them (found with 3.10). Nothing that a client may ask tells it from an idle one.
        """
        transport = self.library.transport
        properties = transport.connection.server_properties if transport is not None else {}
        product, version = (properties.get(name) for name in ("product", "version"))
        return product == "RabbitMQ" and str(version).startswith("3.")

    async def blocked(self) -> bool:
        """Whether the broker holds back what we publish (a memory or disk alarm)."""
        transport = self.library.transport
        if transport is None:
            return False
        ready = asyncio.ensure_future(transport.connection.ready())
        try:
            done, _ = await asyncio.wait({ready}, timeout=0.01)
        finally:
            ready.cancel()
        return not done


def _forget(task: asyncio.Future[None]) -> None:
    """Look at the error, or the event loop complains that nobody did."""
    if not task.cancelled():
        task.exception()


async def open_connection(
    url: str, *, name: str, timing: Timing | None = None, raw: bool = True
) -> RawConnection:
    """Connect once.

    Args:
        url: with user and password; it appears in no error.
        name: what the broker's operator sees.
        timing: limits; the default ones when absent.
        raw: whether properties are wrapped, to be read by `worker.amqp.transport.unwrap` and no other way.

    Raises:
        BrokerUnavailableError: code ``connect_failed``, ``login_refused`` or ``virtual_host_refused``.
    """
    limits = timing or Timing()
    factory = RawTransportFactory(raw=raw)
    library = _unopened(url, name, limits.heartbeat)
    library.kwargs["transport_factory"] = factory
    try:
        await bounded(_log_in(library, url, factory), limits.connect)
    except BaseException as error:
        factory.abort()
        if isinstance(error, BrokerUnavailableError) and error.code == "timeout":
            raise no_connection(error, url, factory.close_reason) from None
        raise
    return RawConnection(library, factory)


def _unopened(url: str, name: str, heartbeat: int) -> aio_pika.Connection:
    """Return the library's connection, unopened; *heartbeat* is for a *url* that names none.

    Raises:
        BrokerUnavailableError: the library cannot read it; its own error quotes user and password.
    """
    try:
        address = make_url(url) if "heartbeat=" in url else make_url(url, heartbeat=heartbeat)
        return aio_pika.Connection(address, client_properties={"connection_name": name})
    except ValueError:
        pass
    words = "is no valid URL: percent-encode what is neither letter nor digit in user and password"
    raise BrokerUnavailableError("connect_failed", f"the broker cannot be reached: AMQP_URL {words}")


async def _log_in(library: aio_pika.Connection, url: str, factory: RawTransportFactory) -> None:
    try:
        await library.connect()
    except (AMQPError, EOFError, OSError, RuntimeError, StopAsyncIteration, ValueError) as error:
        raise no_connection(error, url, factory.close_reason) from None


@asynccontextmanager
async def connected(
    url: str, *, name: str, timing: Timing | None = None, raw: bool = False
) -> AsyncIterator[aio_pika.Connection]:
    """A connection for a short task, the command line's say; errors as `open_connection`.

    Unless *raw* it is a plain one of the library, for messages of ours.
    """
    connection = await open_connection(url, name=name, timing=timing, raw=raw)
    try:
        yield connection.library
    finally:
        await connection.close(2.0)
