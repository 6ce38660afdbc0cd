"""Requests to the gateway over any transport of httpx; over our own, without httpx's objects in between."""

from collections.abc import Awaitable, Callable
from functools import partial

import httpx

from worker.iton.protocol import Request
from worker.iton.time_limit import time_limit
from worker.iton.transport import AiohttpTransport, Incoming, Patience

Exchange = Callable[[Request, Patience], Awaitable[Incoming]]


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
    async with time_limit(patience.call):
        response = await transport.handle_async_request(
            httpx.Request(
                request.method,
                request.url,
                headers=request.headers,
                content=request.content,
                extensions={"timeout": timeout.as_dict()},
            )
        )
        content = await response.aread()
    return Incoming(response.status_code, response.headers.raw, content)
