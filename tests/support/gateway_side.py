"""A gateway's client and the misbehaving servers it talks to, for the tests of both."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.deadline import DEADLINE
from tests.support.raw_server import FrameSocket, Heard, Script, raw_server
from worker.domain.errors import WorkerError
from worker.iton.client import ItonGateway, Observers, TimeLimits
from worker.iton.dialect import Credentials, Dialect
from worker.iton.httpx_transport import HttpxTransport
from worker.iton.route import Route
from worker.iton.transport import AiohttpTransport, Pool
from worker.ports import TextMessage

SELF_SIGNED = Path(__file__).parents[1] / "samples" / "tls" / "self-signed.pem"
"""A certificate for 127.0.0.1 and its key, made for the tests; no authority signed it."""

ID = "532073f7e4b05199d2c3d812"
SENT = f"Success Your MessageId is {ID}".encode()
NUMBER = "919876543210"
MESSAGE = TextMessage(text="Ihr Code: 4711 & mehr\r\n", unicode=False, sender=None, params={})
SECRETS = ("meine-nutzerin", "gehe!m&w=ört", "gehe%21m%26w%3D%C3%B6rt", "token-4d2f81")
CREDENTIALS = Credentials(SECRETS[0], SECRETS[1], SECRETS[3])


@dataclass
class _Chosen:
    """What the tests of a module talk by."""

    name: str = "pooled"


_chosen = _Chosen()


@contextmanager
def talking_by(name: str) -> Iterator[None]:
    """Have all gateways talk by the transport of this name."""
    before, _chosen.name = _chosen.name, name
    try:
        yield
    finally:
        _chosen.name = before


def transport_of(pool: Pool, route: Route | None = None) -> AiohttpTransport | HttpxTransport:
    """Return the transport that was chosen."""
    return HttpxTransport(pool, route) if _chosen.name == "httpx" else AiohttpTransport(pool, route)


def gateway(
    url: str,
    *,
    seconds: float = DEADLINE,
    connect: float = DEADLINE,
    pool: Pool | None = None,
    dialect: Dialect | None = None,
    observers: Observers | None = None,
) -> ItonGateway:
    """Return a gateway whose calls take at most *seconds*."""
    return ItonGateway(
        url,
        CREDENTIALS,
        dialect,
        limits=TimeLimits(call=seconds, connect=connect),
        observers=observers,
        transport=transport_of(pool or Pool()),
    )


@asynccontextmanager
async def talking_to(
    script: Script,
    *,
    seconds: float = DEADLINE,
    connect: float = DEADLINE,
    pool: Pool | None = None,
    dialect: Dialect | None = None,
) -> AsyncIterator[tuple[ItonGateway, Heard]]:
    """Provide a gateway and the server it talks to."""
    async with raw_server(script) as heard:
        client = gateway(heard.url, seconds=seconds, connect=connect, pool=pool, dialect=dialect)
        try:
            yield client, heard
        finally:
            await client.aclose()


async def send(client: ItonGateway) -> dict[str, tuple[str, ...]]:
    """Send one message to one number."""
    return await client.send(MESSAGE, [NUMBER])


async def failure(client: ItonGateway) -> WorkerError:
    """Return the error of a sendSMS."""
    with pytest.raises(WorkerError) as caught:
        await send(client)
    return caught.value


def has_idle_connection(client: ItonGateway) -> bool:
    """Tell whether a connection is kept that is fit for the next call; there is no public way to ask."""
    transport = client._transport
    if isinstance(transport, HttpxTransport):
        pool = transport._inner._pool
        return any(one.is_available() and not one.has_expired() for one in pool.connections)
    assert isinstance(transport, AiohttpTransport)
    assert transport._opened is not None
    idle = [protocol for some in transport._opened[0]._conns.values() for protocol, _ in some]
    return any(protocol.is_connected() and not protocol.should_close for protocol in idle)


def answering(body: bytes, status: str = "200 OK", headers: str = "") -> Script:
    """Return a script that answers every request alike."""

    async def script(wire: FrameSocket) -> None:
        while True:
            await wire.request()
            await wire.reply(body, status, headers)

    return script


def raw(content: bytes) -> Script:
    """Return a script that answers one request with *content* as it is and hangs up."""

    async def script(wire: FrameSocket) -> None:
        await wire.request()
        await wire.write(content)

    return script


async def hang(wire: FrameSocket) -> None:
    """Read requests and never answer."""
    await wire.request()
    await wire.closed()


def after_a_good_call(fault: Script) -> Script:
    """Return a script that answers the first request, keeps the connection, and then does *fault* on it."""

    async def script(wire: FrameSocket) -> None:
        if wire.number == 1:
            await wire.request()
            await wire.reply(SENT)
            await fault(wire)
        else:
            await answering(SENT)(wire)

    return script


async def drop_at_the_first_byte(wire: FrameSocket) -> None:
    """Close as soon as a request begins."""
    await wire.first_byte()


async def reset_at_the_first_byte(wire: FrameSocket) -> None:
    """Reset as soon as a request begins."""
    await wire.first_byte()
    wire.reset()


async def drop_after_the_request(wire: FrameSocket) -> None:
    """Close when the whole request was read."""
    await wire.request()


async def reset_after_the_request(wire: FrameSocket) -> None:
    """Reset when the whole request was read."""
    await wire.request()
    wire.reset()


async def drop_in_the_status_line(wire: FrameSocket) -> None:
    """Close within the head of the reply."""
    await wire.request()
    await wire.write(b"HTTP/1.1 20")


async def drop_in_the_body(wire: FrameSocket) -> None:
    """Close before the announced length is there."""
    await wire.request()
    await wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nSuccess Your MessageId is 53")


async def reset_in_the_body(wire: FrameSocket) -> None:
    """Reset before the announced length is there."""
    await drop_in_the_body(wire)
    wire.reset()


async def drop_in_a_chunk(wire: FrameSocket) -> None:
    """Close before the last chunk."""
    await wire.request()
    await wire.write(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1c\r\nSuccess Your MessageId is 53\r\n"
    )


DROPS: list[Script] = [
    drop_at_the_first_byte,
    reset_at_the_first_byte,
    drop_after_the_request,
    reset_after_the_request,
    drop_in_the_status_line,
    drop_in_the_body,
    reset_in_the_body,
    drop_in_a_chunk,
]
