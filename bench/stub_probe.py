"""How many calls a second the stub itself can answer: raw connections that ask again at once."""

import asyncio
import time

import uvloop

REQUEST = (
    b"GET /api/?username=bench&password=bench&cmd=sendSMS&to=919800000000&uniCode=0"
    b"&message=Your+order+1+has+left HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n"
)
CONNECTIONS = 100


class _Asking(asyncio.Protocol):
    def __init__(self, answered: list[int]) -> None:
        self._answered = answered
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream socket's is one
        transport.write(REQUEST)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        del data  # a reply is far smaller than a segment: one read is one reply
        self._answered[0] += 1
        if self._transport:
            self._transport.write(REQUEST)


async def _ask(port: int, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    answered = [0]
    made = [
        await loop.create_connection(lambda: _Asking(answered), "127.0.0.1", port) for _ in range(CONNECTIONS)
    ]
    began, before = time.perf_counter(), answered[0]
    await asyncio.sleep(seconds)
    rate = (answered[0] - before) / (time.perf_counter() - began)
    for transport, _ in made:
        transport.close()
    return rate


def calls_a_second(port: int, seconds: float = 1.5) -> float:
    """Return what the stub on *port* answers over 100 connections; set it to no latency before."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_ask(port, seconds))
