"""httpx over aiohttp: an error is a *connect* error only when not one byte of the request was written.

aiohttp repeats a GET by itself when a kept-alive connection drops: an SMS could go twice. ``once`` stops
that. httpx's own pool is no way out: it needs many times the CPU with 100 requests in flight.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

import aiohttp
import httpx
from aiohttp import ClientResponse
from yarl import URL

from worker.iton.codings import BrokenCodingError, OversizedBodyError, is_whole, unpacked
from worker.iton.connector import Connector, LostError, NotConnectedError, kind_of, once, proxy_refusal
from worker.iton.route import Route


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
    proxies of the environment not used. Errors carry neither the request nor a cause. Belongs to the event
    loop of its first request.

    Args:
        pool: how connections are used.
        route: how the gateway is reached.
    """

    def __init__(self, pool: Pool, route: Route | None = None) -> None:
        self._pool = pool
        self._route = route or Route()
        self._free = asyncio.Semaphore(pool.connections)
        self._session: aiohttp.ClientSession | None = None

    async def exchange(self, outgoing: "Outgoing") -> "Incoming":
        """Make one request.

        Raises:
            ConnectError, ConnectTimeout, PoolTimeout: nothing of the request was written.
            ReadError, ReadTimeout, RemoteProtocolError: it may have been read and carried out.
            DecodingError: the reply came, in a compression that is broken.
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
        url = URL(outgoing.url, encoded=True)  # to go out byte for byte as it is
        route = self._route
        response = await self._opened().request(
            outgoing.method,
            url,
            data=outgoing.content,
            headers=[*outgoing.headers, *route.headers(url.scheme)] if route.proxy else outgoing.headers,
            allow_redirects=False,
            timeout=_timeout(outgoing.patience.connect, outgoing.patience.read),
            proxy=route.proxy,
            proxy_headers=route.tunnel_headers(url.scheme),
        )
        try:
            if response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
                # No server but a proxy says so (RFC 9110, 15.5.8), and it has passed nothing on.
                raise httpx.ConnectError(proxy_refusal(response.status))
            content = await self._body(response)
        finally:
            response.close()  # a no-op for a reply that was read to its end: its connection is back already
        return Incoming(response.status, response.raw_headers, content)

    async def _body(self, response: ClientResponse) -> bytes:
        limit = self._pool.reply_limit
        content = bytearray()
        lost: Exception | None = None
        try:
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > limit:
                    raise OversizedReplyError(f"the reply is longer than {limit} bytes")
        except (aiohttp.ClientError, OSError) as exc:
            lost = exc
        label = ",".join(response.headers.getall("Content-Encoding", ()))
        try:
            plain = unpacked(bytes(content), label, limit)
        except OversizedBodyError:
            raise OversizedReplyError(f"the reply is longer than {limit} bytes") from None
        except BrokenCodingError:
            raise lost or httpx.DecodingError("the reply's compression is broken") from None
        if lost and not is_whole(plain):
            raise lost
        return plain

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session, made on first use: aiohttp wants a running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=Connector(
                    keepalive=self._pool.keepalive,
                    dns_seconds=self._pool.dns_seconds,
                    trust=self._route.trust,
                ),
                middlewares=(once,),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # aiohttp takes a gzip stream that ends too early for complete
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            )
        return self._session


def _translated(exc: Exception) -> httpx.RequestError:
    """Return the httpx error for whatever came out of aiohttp; in doubt, one of "it may have been sent"."""
    if isinstance(exc, NotConnectedError):
        return (httpx.ConnectTimeout if exc.timed_out else httpx.ConnectError)(str(exc))
    if isinstance(exc, TimeoutError):
        return httpx.ReadTimeout("no reply in time")
    if isinstance(exc, aiohttp.ClientResponseError):
        return httpx.RemoteProtocolError("the reply is no HTTP")
    return httpx.ReadError(str(exc) if isinstance(exc, LostError) else kind_of(exc))


@lru_cache(maxsize=16)
def _timeout(connect: float | None, read: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(connect=connect, sock_read=read, ceil_threshold=math.inf)
