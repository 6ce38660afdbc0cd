"""Requests to the gateway over any transport of httpx; over our own, without httpx's objects in between."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import httpx

from worker.domain.errors import OutcomeUncertainError, TransientError, WorkerError
from worker.iton.httpx_transport import CUT_OFF
from worker.iton.protocol import Request
from worker.iton.time_limit import time_limit
from worker.iton.transport import AiohttpTransport, Incoming, Patience

Exchange = Callable[[Request, Patience], Awaitable[Incoming]]

# The first that fits. Only what happens before the request is written is safe to try again; the words of
# these three are the transport's own, those of any other may hold the URL.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_UNREADABLE = (httpx.DecodingError, httpx.RemoteProtocolError)


def exchange_of(transport: AiohttpTransport | httpx.AsyncBaseTransport) -> Exchange:
    """Return what makes one request and raises httpx's errors."""
    if isinstance(transport, AiohttpTransport):
        # A request and a response of httpx cost 40 us of a call's 200.
        return transport.exchange
    return partial(_through_httpx, transport)


async def _through_httpx(
    transport: httpx.AsyncBaseTransport, request: Request, patience: Patience
) -> Incoming:
    timeout = httpx.Timeout(None, connect=patience.connect, pool=patience.connect)
    cut_off: list[Callable[[], httpx.Response]] = []
    try:
        async with time_limit(patience.call):
            response = await transport.handle_async_request(
                httpx.Request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    content=request.content,
                    extensions={"timeout": timeout.as_dict(), CUT_OFF: cut_off},
                )
            )
            content = await response.aread()
    except TimeoutError:
        if not cut_off:
            raise
        response = cut_off[0]()
        content = response.content
    return Incoming(response.status_code, response.headers.raw, content)


def lost(exc: Exception, asked: str) -> WorkerError:
    """Return what an *exc* in place of a reply means; *asked* names who was to reply."""
    if isinstance(exc, _NOT_SENT):
        return TransientError("gateway_unreachable", f"{asked} cannot be reached: {exc}")
    kind = type(exc).__name__
    if isinstance(exc, _UNREADABLE):
        return OutcomeUncertainError("reply_unreadable", f"the reply cannot be read ({kind})")
    return OutcomeUncertainError("reply_lost", f"the reply was lost ({kind})")


def asked_to_wait(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Return what a reply says in ``Retry-After``."""
    return next((value.decode("latin-1") for name, value in headers if name.lower() == b"retry-after"), None)
