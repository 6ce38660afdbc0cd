"""A stand-in for the gateway that answers as fast as one core can: no framework, one parse a request.

``python -m bench.stub PORT`` serves 127.0.0.1:PORT. ``/-/set?latency=0.02&limit=10`` sets the seconds that a
reply takes (`Latency.query` has the forms) and how many connections get one (0: all; the rest are answered
429), and starts the counts anew; ``/-/state`` returns them as JSON, ``/-/arrivals`` when each number came
first. Only for GET with keep-alive, as all who are measured speak it.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import parse_qsl, unquote_to_bytes

import uvloop

from bench.latency import Latency

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
TOO_MANY = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
END = b"\r\n\r\n"
STATUS = (
    '"{}":{{"phoneNumberWithRespectiveStatus":{{"919800000000":"DELIVRD"}},"message":"Hello",'
    '"sender_Id":"itonXXXX","user_Id":"bench","sending_Date":"Mar 12, 2025 8:13:39 PM"}}'
)


@dataclass(slots=True)
class Traffic:
    """What the stub does and what it has seen since it was last set.

    Attributes:
        times: seconds that the next replies take.
        limit: connections that are served; 0: all.
        messages: recipients of sendSMS calls, repeats included.
        arrived: the distinct ones, and when each came first, seconds since the epoch.
        busiest: the most calls that were under way at once.
    """

    times: Iterator[float] = field(default_factory=Latency(0.02).times)
    limit: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    arrived: dict[str, float] = field(default_factory=dict)
    refused: int = 0
    under_way: int = 0
    busiest: int = 0
    served: set["Connection"] = field(default_factory=set)
    ids: "count[int]" = field(default_factory=lambda: count(0x532073F7E4B05199D2C3D812))

    def set(self, latency: Latency, limit: int) -> None:
        """Begin anew with these."""
        self.times, self.limit = latency.times(), limit
        self.calls.clear()
        self.arrived.clear()
        self.messages = self.refused = self.busiest = 0

    def state(self) -> dict[str, object]:
        """Return the counts."""
        return {
            "calls": dict(self.calls),
            "messages": self.messages,
            "distinct": len(self.arrived),
            "refused": self.refused,
            "busiest": self.busiest,
        }

    def answer(self, query: dict[bytes, bytes]) -> bytes:
        """Count a call and return the body of its reply."""
        command = query.get(b"cmd", b"").decode()
        self.calls[command] += 1
        match command:
            case "sendSMS":
                numbers = _listed(query[b"to"])
                self.messages += len(numbers)
                now = time.time()
                for number in numbers:
                    self.arrived.setdefault(number, now)
                pairs = ",".join(f'"{next(self.ids):024x}":"{number}"' for number in numbers)
                return b'{"message_id":{%b}}' % pairs.encode()
            case "check_DNDnumber":
                pairs = ",".join(f'"{number}":false' for number in _listed(query[b"phoneNumbers"]))
                return b"{%b}" % pairs.encode()
            case "message_status":
                return b"{%b}" % ",".join(STATUS.format(one) for one in _listed(query[b"ids"])).encode()
            case _:
                return b'{"Remaining_Credits": 10000000}'


def _listed(value: bytes) -> list[str]:
    """Split a comma list, escaped or not."""
    return (unquote_to_bytes(value) if b"%" in value else value).decode().split(",")


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it among the served ones if there is room."""
        self._transport = transport  # type: ignore[assignment]  # a stream socket's is one
        served = self._traffic.served
        if not self._traffic.limit or len(served) < self._traffic.limit:
            served.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio gives it
        """Make room."""
        self._traffic.served.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer each complete request; a GET has no body."""
        self._buffer += data
        while (end := self._buffer.find(END)) >= 0:
            line, self._buffer = self._buffer[:end], self._buffer[end + len(END) :]
            self._take(line[4 : line.index(b" ", 4)])

    def _take(self, target: bytes) -> None:
        path, _, query = target.partition(b"?")
        if path.startswith(b"/-/"):
            self._write(HEAD, self._control(path, query))
        elif self not in self._traffic.served:
            self._traffic.refused += 1
            self._write(TOO_MANY)
        else:
            pairs = dict(pair.split(b"=", 1) for pair in query.split(b"&") if b"=" in pair)
            self._later(self._traffic.answer(pairs))

    def _control(self, path: bytes, query: bytes) -> bytes:
        asked = dict(parse_qsl(query.decode()))
        if path == b"/-/set":
            self._traffic.served.discard(self)
            self._traffic.set(Latency.read(asked), int(asked.get("limit", 0)))
        if path == b"/-/arrivals":
            return json.dumps(self._traffic.arrived).encode()
        return json.dumps(self._traffic.state()).encode()

    def _later(self, body: bytes) -> None:
        traffic = self._traffic
        traffic.under_way += 1
        traffic.busiest = max(traffic.busiest, traffic.under_way)
        if latency := next(traffic.times):
            self._loop.call_later(latency, self._reply, body)
        else:
            self._reply(body)

    def _reply(self, body: bytes) -> None:
        self._traffic.under_way -= 1
        self._write(HEAD, body)

    def _write(self, form: bytes, body: bytes | None = None) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(form if body is None else form % (len(body), body))
            if body is None:
                self._transport.close()


async def _serve(port: int) -> None:
    traffic = Traffic()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(traffic), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))
