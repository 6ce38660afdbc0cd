"""Connections to the gateway, direct or through a proxy, below aiohttp's session.

What fails before there is a connection is told apart from what fails on one: only the first is sure not to
have reached the gateway.
"""

import functools
import os
import ssl
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from aiohttp.client_proto import ResponseHandler

from worker.iton.heads import passed_on

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

_PROXY_WANTS_LOGIN = 407

# In this order: the first that fits.
_TROUBLES: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "no connection in time"),
    (aiohttp.ClientConnectorDNSError, "its name cannot be resolved"),
    (aiohttp.ClientConnectorCertificateError, "its certificate is not trusted"),
    (aiohttp.ClientSSLError, "TLS failed"),
    (aiohttp.ServerDisconnectedError, "the connection was closed"),
)


class NotConnectedError(aiohttp.ClientError):
    """No connection: not one byte of the request was written."""

    def __init__(self, reason: str, *, timed_out: bool) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class LostError(aiohttp.ClientError):
    """The connection went away under a request. Of no class that aiohttp answers with a second one."""


class Connector(aiohttp.TCPConnector):
    """Marks everything that fails before there is a connection, and drops connections that talk unasked.

    Args:
        keepalive: seconds that an idle connection is kept, 0: not at all.
        dns_seconds: how long a resolved address is used.
        trust: whose certificates are believed; None: the system's.
    """

    def __init__(self, *, keepalive: float, dns_seconds: int, trust: ssl.SSLContext | None) -> None:
        super().__init__(
            limit=0,  # the transport counts, so that waiting for a connection has a time limit of its own
            ttl_dns_cache=dns_seconds,
            ssl=trust or True,
            **({"keepalive_timeout": keepalive} if keepalive else {"force_close": True}),
        )
        # aiohttp has no public way to give a connection another protocol.
        self._factory = functools.partial(_Protocol, loop=self._loop)  # type: ignore[assignment]  # a subclass
        self._used: WeakSet[ResponseHandler] = WeakSet()

    async def connect(
        self,
        req: ClientRequest,
        traces: "list[Trace]",
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> "Connection":
        """Return a connection whose next bytes answer *req*.

        Raises:
            NotConnectedError: there is none.
        """
        try:
            connection = await super().connect(req, traces, timeout)
            while self._is_spoilt(connection):
                connection.close()
                connection = await super().connect(req, traces, timeout)
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as exc:  # odd replies of a proxy, too
            reason = _trouble(exc, proxied=req.proxy is not None)
            raise NotConnectedError(reason, timed_out=isinstance(exc, TimeoutError)) from None
        if connection.protocol is not None:
            self._used.add(connection.protocol)
        return connection

    def _is_spoilt(self, connection: "Connection") -> bool:
        """Tell of a kept-alive connection whether something came in after the last reply.

        aiohttp would take it for the reply to the next request: ids would go to the wrong recipients.
        """
        protocol = connection.protocol
        return protocol is not None and protocol in self._used and protocol.should_close


class _Protocol(ResponseHandler):
    """aiohttp's, with the head of each reply put right before it is parsed.

    Attributes:
        _came: what is there of a head; None once it was passed on.
    """

    _came: bytes | None = None

    def set_response_params(self, **params: Any) -> None:  # noqa: ANN401 - as aiohttp's
        """Expect the head of a reply."""
        self._came = b""
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Pass *data* on, once the head is complete."""
        if self._came is None or not data:
            super().data_received(data)
            return
        self._came += data
        while self._came and (ready := passed_on(self._came)) is not None:
            known, more = ready
            self._came = self._came[len(known) :] if more else None
            super().data_received(known)


async def once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Keep aiohttp from sending a request again (a middleware; ``ClientSession`` repeats idempotent methods).

    Raises:
        LostError: instead of the errors that aiohttp would repeat the request after.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise LostError(kind_of(exc)) from None


def kind_of(exc: BaseException) -> str:
    """Name an error without its words, which may hold the URL."""
    return type(exc).__name__


def proxy_refusal(status: int) -> str:
    """Say in fixed words that a proxy let nothing through."""
    if status == _PROXY_WANTS_LOGIN:
        return "the proxy refuses the user or password in its address (HTTP 407)"
    return f"the proxy refuses the connection (HTTP {status})"


def _trouble(exc: Exception, *, proxied: bool) -> str:
    """Say in fixed words why there is no connection."""
    if isinstance(exc, aiohttp.ClientHttpProxyError):
        return proxy_refusal(exc.status)
    words = next((words for kind, words in _TROUBLES if isinstance(exc, kind)), None)
    number = exc.errno if isinstance(exc, OSError) else None
    words = words or (os.strerror(number) if number and number > 0 else kind_of(exc))
    if isinstance(exc, aiohttp.ClientProxyConnectionError):
        return f"the proxy cannot be reached: {words}"
    by_the_proxy = proxied and isinstance(
        exc, aiohttp.ClientConnectorDNSError | aiohttp.ServerDisconnectedError
    )
    return f"the proxy: {words}" if by_the_proxy else words
