"""Requests to the gateway over connections of aiohttp: each is written once, and nobody repeats it.

An error is a *connect* error only when not one byte of the request was written. aiohttp's session is left
out: it sends a GET again when a kept-alive connection drops, and what else it does for a request (redirects,
cookies, middlewares) costs as much as the call. httpx's own pool needs many times the CPU with 100 requests
in flight.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple, cast

import aiohttp
import httpx
from aiohttp import ClientRequest, StreamReader, hdrs
from aiohttp.http import HttpProcessingError
from yarl import URL

from worker.iton.codings import BrokenCodingError, OversizedBodyError, begun, is_whole, unpacked
from worker.iton.connector import Connector, NotConnectedError, ReplyProtocol, kind_of, proxy_refusal
from worker.iton.deadlines import Deadlines
from worker.iton.protocol import Headers, Request
from worker.iton.received import received, with_received
from worker.iton.route import Route

_SCHEME = len("https://")  # in either scheme the first slash of the path comes later


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
    """Seconds.

    Attributes:
        connect: until there is a connection, or a free one.
        call: all of it, to the last byte of the reply.
    """

    connect: float
    call: float


@dataclass(eq=False, slots=True)
class Incoming:
    """A reply, read to its end and decompressed; its repr shows nothing of it.

    Attributes:
        headers: as they were sent.
    """

    status: int
    headers: Sequence[tuple[bytes, bytes]] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def successful(self) -> bool:
        """Whether the body may be the answer (2xx)."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class OversizedReplyError(httpx.RemoteProtocolError):
    """The body is longer than the limit; the rest was not read."""


class _Peer(NamedTuple):
    """Who is talked to.

    Attributes:
        request: what the connector wants to know of it.
        lines: of every request's head, but the first.
        whole: whether that one names the whole URL: to a proxy that is no tunnel.
    """

    request: ClientRequest
    lines: str
    whole: bool


class AiohttpTransport:
    """Sends each request over the wire at most once and hands back complete, decompressed replies.

    Like a transport of httpx, but without httpx's objects. Redirects are not followed, cookies not kept,
    proxies of the environment not used. Errors carry neither the request nor its words. Belongs to the event
    loop of its first request.

    Args:
        pool: how connections are used.
        route: how the gateway is reached.
    """

    def __init__(self, pool: Pool, route: Route | None = None) -> None:
        self._pool = pool
        self._route = route or Route()
        self._opened: tuple[Connector, Deadlines] | None = None
        self._peers: dict[tuple[str, Headers], _Peer] = {}

    async def exchange(self, request: Request, patience: Patience) -> Incoming:
        """Make one request.

        Raises:
            ConnectError, ConnectTimeout: nothing of the request was written.
            ReadError, ReadTimeout, RemoteProtocolError: it may have been read and carried out.
            DecodingError: the reply came, in a compression that is broken.
        """
        loop = asyncio.get_running_loop()
        due = loop.time() + patience.call
        connector, deadlines = self._opened or self._open(loop)
        peer, head = self._written(request)
        try:
            connection = await connector.connect(peer.request, [], _timeout(patience.connect))
        except NotConnectedError as error:
            raise (httpx.ConnectTimeout if error.timed_out else httpx.ConnectError)(str(error)) from None
        protocol = cast("ReplyProtocol", connection.protocol)
        try:
            deadlines.begin(protocol, due)
            protocol.write(head)
            reply = await self._reply(protocol, by_proxy=peer.whole)
        except BaseException as error:
            connection.close()
            if isinstance(error, aiohttp.ClientError | OSError | ValueError | HttpProcessingError):
                raise with_received(_translated(error), received(error)) from None
            raise
        finally:
            deadlines.end(protocol)
        connection.release()
        return reply

    async def aclose(self) -> None:
        """Close every connection; a request under way fails with ReadError."""
        if self._opened is not None:
            connector, deadlines = self._opened
            deadlines.give_up(ConnectionAbortedError())
            await connector.close()

    async def _reply(self, protocol: ReplyProtocol, *, by_proxy: bool) -> Incoming:
        message, body = await protocol.read()
        while message.code < HTTPStatus.OK and message.code != HTTPStatus.SWITCHING_PROTOCOLS:
            message, body = await protocol.read()
        if message.code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and by_proxy:
            # No server but a proxy says so (RFC 9110, 15.5.8), and it has passed nothing on. Without one, and
            # behind a tunnel, it is what the gateway says of a call that it may have carried out.
            raise httpx.ConnectError(proxy_refusal(message.code))
        label = message.headers.get(hdrs.CONTENT_ENCODING)
        if label is None and body.is_eof():
            content = body.read_nowait()
            if content.startswith((b"{", b"[")) and len(content) <= self._pool.reply_limit:
                return Incoming(message.code, message.raw_headers, content)  # nothing compressed begins so
            return Incoming(message.code, message.raw_headers, self._unpacked(content, ""))
        protocol.body = body
        label = ",".join(message.headers.getall(hdrs.CONTENT_ENCODING, ()))
        return Incoming(message.code, message.raw_headers, await self._rest(body, label))

    async def _rest(self, body: StreamReader, label: str) -> bytes:
        """Read a body that is not there yet, or is labelled as compressed."""
        content = bytearray()
        lost: Exception | None = None
        try:
            while chunk := await body.readany():
                content += chunk
                if len(content) > self._pool.reply_limit:
                    raise self._oversized()
        except (aiohttp.ClientError, OSError, HttpProcessingError) as exc:
            lost = exc  # TimeoutError, too: what is whole waits only for an end that was announced
        try:
            plain = self._unpacked(bytes(content), label)
        except httpx.DecodingError as exc:
            raise (with_received(lost, received(exc)) if lost else exc) from None
        if lost and not is_whole(plain):
            raise with_received(lost, plain)
        return plain

    def _unpacked(self, content: bytes, label: str) -> bytes:
        try:
            return unpacked(content, label, self._pool.reply_limit)
        except OversizedBodyError:
            raise self._oversized() from None
        except BrokenCodingError:
            broken = httpx.DecodingError("the reply's compression is broken")
            raise with_received(broken, begun(content, self._pool.reply_limit)) from None

    def _oversized(self) -> OversizedReplyError:
        return OversizedReplyError(f"the reply is longer than {self._pool.reply_limit} bytes")

    def _written(self, request: Request) -> tuple[_Peer, bytes]:
        """Return whom *request* is for, and its bytes.

        Raises:
            ValueError: it would be more than one.
        """
        url = request.url
        if not (url.isascii() and url.isprintable()) or " " in url:
            raise ValueError("a URL must be percent-encoded")
        path = url.index("/", _SCHEME)
        peer = self._peers.get((url[:path], request.headers))
        if peer is None or peer.request.proxy is not None:  # the connector changes those of a proxy
            peer = self._peers[url[:path], request.headers] = self._peer(url[:path], request.headers)
        first = f"{request.method} {url if peer.whole else url[path:]} HTTP/1.1\r\n{peer.lines}"
        if request.content is None:
            return peer, f"{first}\r\n".encode("ascii")
        head = f"{first}Content-Length: {len(request.content)}\r\n\r\n"
        return peer, head.encode("ascii") + request.content

    def _peer(self, origin: str, headers: Headers) -> _Peer:
        url, route = URL(origin, encoded=True), self._route
        request = ClientRequest(
            "GET",
            url,
            loop=asyncio.get_running_loop(),
            proxy=URL(route.proxy) if route.proxy else None,
            proxy_headers=route.tunnel_headers(url.scheme),
        )
        told = route.headers(url.scheme) if route.proxy else []
        ends = [] if self._pool.keepalive else [("Connection", "close")]
        lines = [("Host", request.headers[hdrs.HOST]), *headers, *told, *ends]
        whole = route.proxy is not None and url.scheme == "http"
        return _Peer(request, "".join(f"{name}: {value}\r\n" for name, value in lines), whole)

    def _open(self, loop: asyncio.AbstractEventLoop) -> tuple[Connector, Deadlines]:
        """Return what is made on first use: aiohttp wants a running loop."""
        pool = self._pool
        connector = Connector(pool.connections, pool.keepalive, pool.dns_seconds, trust=self._route.trust)
        self._opened = (connector, Deadlines(loop))
        return self._opened


def _translated(exc: Exception) -> httpx.RequestError:
    """Return the httpx error for whatever came out of aiohttp; in doubt, one of "it may have been sent"."""
    if isinstance(exc, NotConnectedError):
        return httpx.ConnectError(str(exc))
    if isinstance(exc, TimeoutError):
        return httpx.ReadTimeout("no reply in time")
    if isinstance(exc, HttpProcessingError):
        return httpx.RemoteProtocolError("the reply is no HTTP")
    return httpx.ReadError(kind_of(exc))


@lru_cache(maxsize=16)
def _timeout(connect: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(connect=connect, ceil_threshold=math.inf)
