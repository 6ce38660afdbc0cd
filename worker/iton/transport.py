"""httpx over aiohttp: an error is a *connect* error only when not one byte of the request was written.

aiohttp repeats a GET by itself when a kept-alive connection drops: an SMS could go twice. ``_once`` stops
that. httpx's own pool is no way out: it needs many times the CPU with 100 requests in flight.
"""

import asyncio
import math
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakSet

import aiohttp
import httpx
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from yarl import URL

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

_WAYS_TO_DECODE = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's wbits


@dataclass(frozen=True, slots=True)
class Pool:
    """How connections are used.

    Attributes:
        connections: open at once; a request over that waits for one to be free.
        keepalive: seconds that an idle connection is kept for the next request, 0 for one request a
            connection. Many Java servers close after 5: whoever uses a connection later may lose a
            request that was read by nobody, and for a sendSMS that is an uncertain outcome.
        reply_limit: bytes of a body, also after decompression.
        dns_seconds: how long a resolved address is used. Short, so that a move is followed at once.
    """

    connections: int = 100
    keepalive: float = 4.0
    reply_limit: int = 4 * 1024 * 1024
    dns_seconds: int = 5


class Patience(NamedTuple):
    """Seconds that the steps of a request may take; None: any."""

    connect: float | None = None
    read: float | None = None
    room: float | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request; its repr shows no credentials.

    Attributes:
        url: the whole of it, percent-encoded.
        content: None for a request without a body.
        patience: of its steps.
    """

    method: str
    url: str = field(repr=False)
    headers: list[tuple[str, str]] = field(repr=False)
    content: bytes | None = field(repr=False)
    patience: Patience


class Incoming(NamedTuple):
    """A reply, read to its end and decompressed."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    content: bytes


class OversizedReplyError(httpx.RemoteProtocolError):
    """The body is longer than the limit; the rest was not read."""


class AiohttpTransport:
    """Sends each request over the wire at most once and hands back complete, decompressed replies.

    Like a transport of httpx, but without httpx's objects. Redirects are not followed, cookies not kept,
    proxies of the environment not used; certificates are checked against the system's. Errors carry neither
    the request nor a cause. Belongs to the event loop of its first request.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._free = asyncio.Semaphore(pool.connections)
        self._session: aiohttp.ClientSession | None = None

    async def exchange(self, outgoing: "Outgoing") -> "Incoming":
        """Make one request.

        Raises:
            ConnectError, ConnectTimeout, PoolTimeout: nothing of the request was written.
            ReadError, ReadTimeout, RemoteProtocolError: it may have been read and carried out.
            DecodingError: the reply came, in a compression that is broken or unknown.
        """
        outcome = await self._outcome(outgoing)
        if isinstance(outcome, Incoming):
            return outcome
        # Outside of the except clause: nothing may keep aiohttp's exception, which knows the URL.
        raise outcome

    async def aclose(self) -> None:
        """Close every connection; a request under way fails with ReadError."""
        if self._session is not None:
            await self._session.close()

    async def _outcome(self, outgoing: "Outgoing") -> "Incoming | httpx.RequestError":
        try:
            await self._take_room(outgoing.patience.room)
        except TimeoutError:
            return httpx.PoolTimeout("no connection became free")
        try:
            return await self._exchanged(outgoing)
        except httpx.RequestError as exc:
            return exc
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            return _translated(exc)
        finally:
            self._free.release()

    async def _take_room(self, seconds: float | None) -> None:
        if not self._free.locked():
            await self._free.acquire()  # at once, as nearly always: no timer
            return
        async with asyncio.timeout(seconds):
            await self._free.acquire()

    async def _exchanged(self, outgoing: "Outgoing") -> "Incoming":
        response = await self._opened().request(
            outgoing.method,
            URL(outgoing.url, encoded=True),  # to go out byte for byte as it is
            data=outgoing.content,
            headers=outgoing.headers,
            allow_redirects=False,
            timeout=_timeout(outgoing.patience.connect, outgoing.patience.read),
        )
        try:
            content = await self._body(response)
        finally:
            response.close()  # a no-op for a reply that was read to its end: its connection is back already
        return Incoming(response.status, response.raw_headers, content)

    async def _body(self, response: ClientResponse) -> bytes:
        limit = self._pool.reply_limit
        content = bytearray()
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) > limit:
                raise OversizedReplyError(f"the reply is longer than {limit} bytes")
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if not content or encoding in {"", "identity"}:
            return bytes(content)  # servers name a compression above an empty error reply, too
        return _decompressed(content, encoding, limit)

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session, made on first use: aiohttp wants a running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(self._pool),
                middlewares=(_once,),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # aiohttp takes a gzip stream that ends too early for complete
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            )
        return self._session


class _NotConnectedError(aiohttp.ClientError):
    """No connection: not one byte of the request was written."""

    def __init__(self, reason: str, *, timed_out: bool) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class _LostError(aiohttp.ClientError):
    """The connection went away under a request. Of no class that aiohttp answers with a second one."""


class _Connector(aiohttp.TCPConnector):
    """Marks everything that fails before there is a connection, and drops connections that talk unasked."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(
            limit=0,  # the transport counts, so that waiting for a connection has a time limit of its own
            ttl_dns_cache=pool.dns_seconds,
            **({"keepalive_timeout": pool.keepalive} if pool.keepalive else {"force_close": True}),
        )
        self._used: WeakSet[ResponseHandler] = WeakSet()

    async def connect(
        self,
        req: ClientRequest,
        traces: "list[Trace]",
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> "Connection":
        """Return a connection whose next bytes answer *req*.

        Raises:
            _NotConnectedError: there is none.
        """
        try:
            connection = await super().connect(req, traces, timeout)
            while self._is_spoilt(connection):
                connection.close()
                connection = await super().connect(req, traces, timeout)
        except (aiohttp.ClientError, OSError) as exc:
            raise _NotConnectedError(_trouble(exc), timed_out=isinstance(exc, TimeoutError)) from None
        if connection.protocol is not None:
            self._used.add(connection.protocol)
        return connection

    def _is_spoilt(self, connection: "Connection") -> bool:
        """Tell of a kept-alive connection whether something came in after the last reply.

        aiohttp would take it for the reply to the next request: ids would go to the wrong recipients.
        """
        protocol = connection.protocol
        return protocol is not None and protocol in self._used and protocol.should_close


async def _once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Keep aiohttp from sending a request again (a middleware; ``ClientSession`` repeats idempotent methods).

    Raises:
        _LostError: instead of the errors that aiohttp would repeat the request after.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise _LostError(_kind(exc)) from None


def _translated(exc: Exception) -> httpx.RequestError:
    """Return the httpx error for whatever came out of aiohttp; in doubt, one of "it may have been sent"."""
    if isinstance(exc, _NotConnectedError):
        return (httpx.ConnectTimeout if exc.timed_out else httpx.ConnectError)(str(exc))
    if isinstance(exc, TimeoutError):
        return httpx.ReadTimeout("no reply in time")
    if isinstance(exc, aiohttp.ClientResponseError):
        return httpx.RemoteProtocolError("the reply is no HTTP")
    return httpx.ReadError(str(exc) if isinstance(exc, _LostError) else _kind(exc))


@lru_cache(maxsize=16)
def _timeout(connect: float | None, read: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(connect=connect, sock_read=read, ceil_threshold=math.inf)


_CONNECT_TROUBLES: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "no connection in time"),
    (aiohttp.ClientConnectorDNSError, "its name cannot be resolved"),
    (aiohttp.ClientConnectorCertificateError, "its certificate is not trusted"),
    (aiohttp.ClientSSLError, "TLS failed"),
)


def _trouble(exc: Exception) -> str:
    """Say in fixed words why there is no connection."""
    words = next((words for kind, words in _CONNECT_TROUBLES if isinstance(exc, kind)), None)
    number = exc.errno if isinstance(exc, OSError) else None
    return words or (os.strerror(number) if number and number > 0 else _kind(exc))


def _kind(exc: BaseException) -> str:
    """Name an error without its words, which may hold the URL."""
    return type(exc).__name__


def _decompressed(content: bytearray, encoding: str, limit: int) -> bytes:
    """Decompress a complete stream.

    Raises:
        DecodingError: the compression is not known, the stream is broken or ends too early.
        OversizedReplyError: more than *limit* bytes would come out.
    """
    if encoding not in _WAYS_TO_DECODE:
        raise httpx.DecodingError("the reply has a compression that nobody asked for")
    stream = zlib.decompressobj(_WAYS_TO_DECODE[encoding])
    try:
        plain = stream.decompress(bytes(content), limit + 1)
    except zlib.error:
        plain = None
    if plain is not None and len(plain) > limit:
        raise OversizedReplyError(f"the reply is longer than {limit} bytes")
    if plain is None or not stream.eof or stream.unused_data:
        raise httpx.DecodingError("the reply's compression is broken")
    return plain
