"""The gateway of a world: what it does, what it says of it, and what is true."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from urllib.parse import parse_qs

import httpx

from tests.worlds import fates
from tests.worlds.answers import Answers, Way
from tests.worlds.latency import draw
from tests.worlds.loop import Host, VirtualLoop
from tests.worlds.plan import Gateway as Manner
from tests.worlds.plan import Latency, Trouble
from tests.worlds.replies import REFUSALS, SPOILT, Answer, render

_WELL = 1_000_000  # credits


@dataclass(slots=True, eq=False)
class Call:
    """One request and what became of it.

    Attributes:
        refused: how, where nothing was done; empty otherwise.
        sent: when the texts went out; None: never.
        ids: of those, by number.
        told: numbers that a reply with their ids named, and that reached the worker at `reached`.
        cut: the worker did not wait for the reply.
    """

    at: float
    host: str
    command: str
    numbers: tuple[str, ...] = ()
    text: str = ""
    sender: str = ""
    asked: tuple[str, ...] = ()
    refused: str = ""
    sent: float | None = None
    ids: dict[str, str] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    reached: float | None = None
    ended: float | None = None
    cut: bool = False


Reply = Answer | Exception


class Gateway(Answers):
    """One gateway for all workers.

    Attributes:
        calls: every request that it heard of, in order.
        in_flight: calls that are worked on.
        began: the plan's zero.
        listed: whether a number is on the DND list.
        troubles: that may concern it.
    """

    def __init__(self, loop: VirtualLoop, manner: Manner, chance: Random, began: float) -> None:
        super().__init__(loop)
        self._manner = manner
        self._chance = chance
        self.began = began
        self._line: deque[Callable[[], None]] = deque()
        self._ids = 0
        self._tokens = max(manner.rate, 1.0)
        self._filled = began
        self._given: dict[str, tuple[float, list[str]]] = {}
        self.calls: list[Call] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.listed: Callable[[str], bool] = lambda _: False
        self.troubles: tuple[Trouble, ...] = ()
        self.on_call: Callable[[Call], None] = lambda _: None

    def submit(self, call: Call, answer: "asyncio.Future[Reply]", connect: float) -> None:
        """Take a request; *answer* hears what comes back, if anything does.

        It goes on whatever becomes of the worker.
        """
        self.calls.append(call)
        self.on_call(call)
        trouble = self._trouble(call)
        if trouble is not None:
            self._in_trouble(trouble.how, call, answer, connect)
        elif not self._has_token():
            self._refuse("429", call, answer)
        elif self._manner.connections and self.in_flight >= self._manner.connections:
            if self._manner.over == "queue":
                self._line.append(lambda: self._work(call, answer))
            else:
                self._refuse(self._manner.over, call, answer)
        else:
            self._work(call, answer)

    def _trouble(self, call: Call) -> Trouble | None:
        now = self._loop.time() - self.began
        for each in self.troubles:
            if each.at <= now < each.end and concerns(each, call) and self._chance.random() < each.chance:
                return each
        return None

    def _in_trouble(self, how: str, call: Call, answer: "asyncio.Future[Reply]", connect: float) -> None:
        if how == "refuse":
            call.refused = how
            self._later(0.001, answer, httpx.ConnectError("Connection refused"))
        elif how == "unroutable":
            call.refused = how
            self._later(connect, answer, httpx.ConnectTimeout("no connection in time"))
        elif how in REFUSALS:
            self._refuse(how, call, answer)
        else:
            self._spoil(how, call, answer)

    def _refuse(self, how: str, call: Call, answer: "asyncio.Future[Reply]") -> None:
        call.refused = how
        self._later(self._chance.uniform(0.01, 0.05), answer, REFUSALS[how](call.command))

    def _spoil(self, how: str, call: Call, answer: "asyncio.Future[Reply]") -> None:
        """Lose the reply in some way; the deed may be done or not."""
        if self._chance.random() < 0.6:
            self._do(call)
        if how in SPOILT:
            self._later(self._chance.uniform(0.05, 0.3), answer, SPOILT[how](call.command))
        elif how == "late":
            self._later(self._chance.uniform(1.0, 60.0), answer, self._reply(call))
        # "hang": nothing ever comes.

    def _work(self, call: Call, answer: "asyncio.Future[Reply]") -> None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        seconds = self._seconds(self._manner.send if call.command == "sendSMS" else self._manner.read)
        self._at(seconds * self._chance.random(), lambda: self._do(call))
        self._at(seconds, lambda: self._worked(call, answer))

    def _worked(self, call: Call, answer: "asyncio.Future[Reply]") -> None:
        self.in_flight -= 1
        self._later(0.0, answer, self._reply(call))
        if self._line:
            self._line.popleft()()

    def _do(self, call: Call) -> None:
        if call.command != "sendSMS" or call.sent is not None:
            return
        call.sent = self._loop.time()
        common = self._manner.form in {"text", "joined"}
        name = self._draw()
        call.ids = {number: name if common else self._draw() for number in call.numbers}
        for number, given in call.ids.items():
            self._given.setdefault(given, (call.sent, []))[1].append(number)

    def _draw(self) -> str:
        self._ids += 1
        return f"{self._ids:06x}{self._chance.getrandbits(72):018x}"

    def _reply(self, call: Call) -> Answer:
        self._do(call)
        asked = call.numbers or call.asked
        return render(self._manner.form, call.command, asked, call.ids, self.listed, self._reported)

    def _reported(self, name: str) -> Mapping[str, str] | None:
        if name not in self._given:
            return fates.of_others(name)
        sent, numbers = self._given[name]
        return fates.words(name, self._loop.time() - sent, numbers)

    def _seconds(self, latency: Latency) -> float:
        return draw(latency, self._chance, self.in_flight, self._loop.time())

    def _has_token(self) -> bool:
        rate = self._manner.rate
        if not rate:
            return True
        now = self._loop.time()
        self._tokens = min(rate, self._tokens + (now - self._filled) * rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def concerns(trouble: Trouble, call: Call) -> bool:
    """Tell whether *trouble* is one with this call."""
    if trouble.kind == "gateway":
        return True
    if trouble.kind == "account":
        return True
    if trouble.kind == "command":
        return call.command == trouble.target
    if trouble.kind != "own" or call.command != "sendSMS":
        return False
    what, _, value = trouble.target.partition(":")
    return {
        "text": lambda: value in call.text,
        "number": lambda: value in call.numbers,
        "sender": lambda: call.sender == value,
        "size": lambda: len(call.numbers) > int(value),
    }[what]()


class WayToGateway(Way):
    """One worker's connections to the gateway."""

    def __init__(self, gateway: Gateway, host: Host, loop: VirtualLoop) -> None:
        super().__init__(host, loop)
        self._gateway = gateway

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one request."""
        query = parse_qs((request.content or request.url.query).decode(), keep_blank_values=True)
        call = _call(self._loop.time(), self._host.name, {name: value[0] for name, value in query.items()})
        answer: asyncio.Future[Reply] = self._loop.create_future()
        timeout = request.extensions.get("timeout", {})
        self._gateway.submit(call, answer, timeout.get("connect") or 5.0)
        reply = await self._answered(call, answer)
        call.told, call.reached = reply.told, self._loop.time()
        headers = {"retry-after": reply.retry_after} if reply.retry_after else {}
        return httpx.Response(reply.status, content=reply.content, headers=headers)


def _call(now: float, host: str, query: Mapping[str, str]) -> Call:
    numbers = query.get("to") or query.get("phoneNumbers") or ""
    return Call(
        now,
        host,
        query["cmd"],
        tuple(filter(None, numbers.split(","))),
        query.get("message", ""),
        query.get("sender", ""),
        tuple(filter(None, query.get("ids", "").split(","))),
    )
