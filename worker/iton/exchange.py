"""Requests to the gateway over any transport of httpx; over our own, without httpx's objects in between."""

from collections.abc import Awaitable, Callable
from functools import partial

import httpx

from worker.iton.transport import AiohttpTransport, Incoming, Outgoing

Exchange = Callable[[Outgoing], Awaitable[Incoming]]


def exchange_of(transport: AiohttpTransport | httpx.AsyncBaseTransport) -> Exchange:
    """Return what makes one request and raises httpx's errors."""
    if isinstance(transport, AiohttpTransport):
        # A request and a response of httpx cost 40 us of a call's 200.
        return transport.exchange
    return partial(_through_httpx, transport)


async def _through_httpx(transport: httpx.AsyncBaseTransport, outgoing: Outgoing) -> Incoming:
    patience = outgoing.patience
    timeout = httpx.Timeout(patience.read, connect=patience.connect, pool=patience.room)
    request = httpx.Request(
        outgoing.method,
        outgoing.url,
        headers=outgoing.headers,
        content=outgoing.content,
        extensions={"timeout": timeout.as_dict()},
    )
    response = await transport.handle_async_request(request)
    content = await response.aread()
    return Incoming(response.status_code, response.headers.raw, content)
