"""httpx's own transport, for those who want it below the client: the same promises at many times the CPU.

httpx never repeats a request, but says "connect" of too little and takes labels of replies at their word.
Here an error is a *connect* error whenever not one byte of the request was written, which httpx tells while
it works (its ``trace`` extension), and the body decides on its own compression.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import httpx

from worker.iton.codings import BrokenCodingError, OversizedBodyError, begun, is_whole, unpacked
from worker.iton.connector import proxy_refusal
from worker.iton.httpx_heads import mend_heads
from worker.iton.received import with_received
from worker.iton.route import Route
from worker.iton.transport import OversizedReplyError, Pool

CUT_OFF = "cut_off"
"""The extension of a request, a list: a reading that is cut off leaves there how to make the best of it."""

_WRITING = "http11.send_request_headers.started"
_ENDED = ("disconnected", "closed connection")  # what httpx says of a connection that ended too early

# In this order: the first that fits. The last two are the proxy's where there is one.
_TROUBLES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((httpx.TimeoutException,), "no connection in time"),
    ((ssl.SSLCertVerificationError,), "its certificate is not trusted"),
    ((ssl.SSLError,), "TLS failed"),
    ((socket.gaierror,), "its name cannot be resolved"),
    ((httpx.RemoteProtocolError, httpx.ReadError), "the connection was closed"),
)


class _Written:
    """Whether a byte of the request has gone out: a tunnel that is asked for is none."""

    def __init__(self) -> None:
        self.begun = False

    async def __call__(self, event: str, about: Mapping[str, Any]) -> None:
        """Learn how far httpx is."""
        if event == _WRITING and about["request"].method != b"CONNECT":
            self.begun = True


class HttpxTransport(httpx.AsyncBaseTransport):
    """Sends each request at most once and hands back complete, decompressed replies.

    Args:
        pool: how connections are used; names are resolved for each connection.
        route: how the gateway is reached.
    """

    def __init__(self, pool: Pool, route: Route | None = None) -> None:
        self._limit = pool.reply_limit
        self._route = route or Route()
        self._inner = httpx.AsyncHTTPTransport(
            verify=self._route.trust or ssl.create_default_context(),
            trust_env=False,
            limits=httpx.Limits(
                max_connections=pool.connections,
                max_keepalive_connections=pool.connections if pool.keepalive else 0,
                keepalive_expiry=pool.keepalive,
            ),
            proxy=_proxy(self._route),
        )
        mend_heads(self._inner)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one request.

        Raises:
            ConnectError, ConnectTimeout: nothing of the request was written.
            ReadError, ReadTimeout, RemoteProtocolError: it may have been read and carried out.
            DecodingError: the reply came, in a compression that is broken.
        """
        written = _Written()
        request.extensions = {**request.extensions, "trace": written}
        try:
            response = await self._inner.handle_async_request(request)
        except httpx.TransportError as error:
            if not written.begun:
                raise _not_connected(error, proxied=self._route.proxy is not None) from None
            raise _lost(error) from None
        try:
            by_proxy = self._route.proxy is not None and request.url.scheme == "http"  # else by a tunnel
            if response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED and by_proxy:
                # No server but a proxy says so (RFC 9110, 15.5.8), and it has passed nothing on.
                raise httpx.ConnectError(proxy_refusal(response.status_code))
            return await self._read(response, request.extensions.get(CUT_OFF, []))
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close every connection; a request under way fails with ReadError."""
        await self._inner.aclose()

    async def _read(
        self, response: httpx.Response, cut_off: list[Callable[[], httpx.Response]]
    ) -> httpx.Response:
        content = bytearray()
        lost: httpx.TransportError | None = None
        try:
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > self._limit:
                    raise self._oversized()
        except OversizedReplyError:
            raise
        except httpx.TransportError as error:
            lost = _lost(error)
        except asyncio.CancelledError:
            # Perhaps by the call's time limit: what is whole waits only for an end that was announced.
            lost = httpx.ReadTimeout("the end of the reply did not come")
            cut_off.append(partial(self._plain, response, content, lost))
            raise
        return self._plain(response, content, lost)

    def _plain(
        self, response: httpx.Response, content: bytearray, lost: httpx.TransportError | None
    ) -> httpx.Response:
        """Return the response as it is without its compression; raise *lost* where it is not whole."""
        label = ",".join(response.headers.get_list("Content-Encoding"))
        try:
            plain = unpacked(bytes(content), label, self._limit)
        except OversizedBodyError:
            raise self._oversized() from None
        except BrokenCodingError:
            error = lost or httpx.DecodingError("the reply's compression is broken")
            raise with_received(error, begun(bytes(content), self._limit)) from None
        if lost and not is_whole(plain):
            raise with_received(lost, plain)
        other = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-encoding"]
        return httpx.Response(response.status_code, headers=other, content=plain)

    def _oversized(self) -> OversizedReplyError:
        return OversizedReplyError(f"the reply is longer than {self._limit} bytes")


def _proxy(route: Route) -> httpx.Proxy | None:
    if route.proxy is None:
        return None
    return httpx.Proxy(route.proxy, headers={"Proxy-Authorization": route.login} if route.login else None)


def _lost(error: httpx.TransportError) -> httpx.TransportError:
    """Tell a connection that ended too early from a reply that is no HTTP; httpx has one class for both."""
    ended = isinstance(error, httpx.RemoteProtocolError) and any(word in str(error) for word in _ENDED)
    return httpx.ReadError("the connection was closed") if ended else error


def _not_connected(error: httpx.TransportError, *, proxied: bool) -> httpx.TransportError:
    timed_out = isinstance(error, httpx.TimeoutException)
    return (httpx.ConnectTimeout if timed_out else httpx.ConnectError)(_trouble(error, proxied=proxied))


def _trouble(error: httpx.TransportError, *, proxied: bool) -> str:
    """Say in fixed words why there is no connection."""
    if isinstance(error, httpx.ProxyError):
        status = str(error)[:3]
        return proxy_refusal(int(status) if status.isdecimal() else 0)
    chain = tuple(_chain(error))
    for number, (kinds, words) in enumerate(_TROUBLES):
        if any(isinstance(one, kinds) for one in chain):
            return f"the proxy: {words}" if proxied and number >= len(_TROUBLES) - 2 else words
    numbers = (one.errno for one in chain if isinstance(one, OSError) and one.errno)
    words = next((os.strerror(number) for number in numbers if number > 0), type(error).__name__)
    return f"the proxy cannot be reached: {words}" if proxied else words


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from _chain(one)
        error = error.__cause__ or error.__context__
