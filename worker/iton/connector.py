"""Connections to the gateway, direct or through a proxy: aiohttp's, without its session.

What fails before there is a connection is told apart from what fails on one: only the first is sure not to
have reached the gateway.
"""

import functools
import os
import ssl
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import ClientRequest, StreamReader
from aiohttp.client_proto import ResponseHandler

from worker.iton.heads import is_as_usual, passed_on

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


class Connector(aiohttp.TCPConnector):
    """Marks everything that fails before there is a connection, and drops connections that talk unasked.

    Args:
        connections: open at once; whoever wants one more waits, within the time limit for connecting.
        keepalive: seconds that an idle connection is kept, 0: not at all.
        dns_seconds: how long a resolved address is used.
        trust: whose certificates are believed; None: the system's.
    """

    def __init__(
        self, connections: int, keepalive: float, dns_seconds: int, *, trust: ssl.SSLContext | None
    ) -> None:
        super().__init__(
            limit=connections,
            ttl_dns_cache=dns_seconds,
            ssl=trust or True,
            **({"keepalive_timeout": keepalive} if keepalive else {"force_close": True}),
        )
        # aiohttp has no public way to give a connection another protocol.
        self._factory = functools.partial(ReplyProtocol, loop=self._loop)  # type: ignore[assignment]  # a subclass

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
            while True:
                connection = await super().connect(req, traces, timeout)
                protocol = connection.protocol
                if not (isinstance(protocol, ReplyProtocol) and protocol.used and protocol.should_close):
                    return connection
                # Something came in after the last reply; aiohttp would take it for the reply to this request,
                # and ids would go to the wrong recipients.
                connection.close()
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as exc:  # odd replies of a proxy, too
            reason = _trouble(exc, proxied=req.proxy is not None)
            raise NotConnectedError(reason, timed_out=isinstance(exc, TimeoutError)) from None


class ReplyProtocol(ResponseHandler):
    """aiohttp's, with the head of each reply put right before it is parsed.

    Attributes:
        used: a request was written on the connection.
        body: of the reply, where it comes piece by piece.
        _came: what is there of a head; None once it was passed on.
    """

    used = False
    body: StreamReader | None = None
    _came: bytes | None = None

    def write(self, request: bytes) -> None:
        """Write *request* and expect the reply.

        Raises:
            NotConnectedError: nothing was written, as the connection has gone.
        """
        if self.transport is None or self.transport.is_closing():
            raise NotConnectedError("the connection was closed", timed_out=False)
        self.used, self.body, self._came = True, None, b""
        self.set_response_params(
            read_until_eof=True,
            auto_decompress=False,  # aiohttp takes a gzip stream that ends too early for complete
        )
        self.transport.write(request)

    def give_up(self, error: Exception) -> None:
        """Have whoever waits for the reply get *error*."""
        self.set_exception(error)
        if self.body is not None:
            self.body.set_exception(error)

    def data_received(self, data: bytes) -> None:
        """Pass *data* on, once the head is complete."""
        if self._came is None or not data:
            super().data_received(data)
            return
        self._came += data
        if is_as_usual(self._came):
            data, self._came = self._came, None
            super().data_received(data)
            return
        while self._came and (ready := passed_on(self._came)) is not None:
            known, more = ready
            self._came = self._came[len(known) :] if more else None
            super().data_received(known)


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
