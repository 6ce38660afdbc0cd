"""The Web API of a world: what it does, what it says of it, and what is true."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import httpx

from tests.worlds.answers import Answers, Way
from tests.worlds.jobs import TOKEN
from tests.worlds.loop import Host, VirtualLoop
from tests.worlds.plan import Trouble

ADDRESS = "http://web.world/v2"
PATHS = "media"
NOT_SENT = "refuse"
REFUSALS = {"429": 429, "503": 503, "400": 400, "404": 404, "302": 302}
"""Nothing was done."""
SPOILT = ("500", "502", "reset", "cut", "hang", "late")
"""Something may have been done, and the reply does not say so."""
_SLOWEST = 0.4  # seconds that it takes when it is well


@dataclass(slots=True, eq=False)
class WebCall:
    """One request and what became of it.

    Attributes:
        name: of the job, as its path has it; empty for a probe.
        serial: its number, which a reply tells.
        refused: how, where nothing was done; empty otherwise.
        done: whether it was carried out.
        status: of the reply that reached the worker, at `reached`; None: none did.
        cut: the worker did not wait for the reply.
    """

    at: float
    host: str
    method: str
    name: str
    serial: int
    refused: str = ""
    done: bool = False
    status: int | None = None
    reached: float | None = None
    ended: float | None = None
    cut: bool = False


Reply = httpx.Response | Exception


class WebGateway(Answers):
    """One Web API for all workers.

    Attributes:
        calls: every request that it heard of, in order.
        began: the plan's zero.
        troubles: that may concern it.
    """

    def __init__(self, loop: VirtualLoop, chance: Random) -> None:
        super().__init__(loop)
        self._chance = chance
        self.began = 0.0
        self.calls: list[WebCall] = []
        self.troubles: tuple[Trouble, ...] = ()
        self.on_call: Callable[[WebCall], None] = lambda _: None

    def submit(self, call: WebCall, answer: "asyncio.Future[Reply]") -> None:
        """Take a request; *answer* hears what comes back, if anything does."""
        self.calls.append(call)
        self.on_call(call)
        how = self._trouble()
        if how == NOT_SENT:
            call.refused = how
            self._later(0.001, answer, httpx.ConnectError("Connection refused"))
        elif how in REFUSALS:
            call.refused = how
            self._later(0.02, answer, httpx.Response(REFUSALS[how], json={"error": f"no, {TOKEN}"}))
        elif how:
            self._spoil(how, call, answer)
        else:
            seconds = self._chance.uniform(0.02, _SLOWEST)
            self._at(seconds * self._chance.random(), lambda: self._do(call))
            self._later(seconds, answer, _reply(call))

    def _spoil(self, how: str, call: WebCall, answer: "asyncio.Future[Reply]") -> None:
        if self._chance.random() < 0.6:
            self._do(call)
        if how.isdigit():
            self._later(0.1, answer, httpx.Response(int(how), text="<html>Internal error</html>"))
        elif how == "late":
            self._do(call)
            self._later(self._chance.uniform(1.0, 60.0), answer, _reply(call))
        elif how != "hang":
            lost = httpx.ReadError("reset") if how == "reset" else httpx.RemoteProtocolError("no HTTP")
            self._later(0.1, answer, lost)

    def _trouble(self) -> str:
        now = self._loop.time() - self.began
        for each in self.troubles:
            if each.kind == "web" and each.at <= now < each.end and self._chance.random() < each.chance:
                return each.how
        return ""

    def _do(self, call: WebCall) -> None:
        call.done = True


def _reply(call: WebCall) -> httpx.Response:
    """Say what was done; it shows the token as well, which no result may."""
    return httpx.Response(200, content=json.dumps({"serial": call.serial, "with": f"ITON {TOKEN}"}))


class WayToWeb(Way):
    """One worker's connections to the Web API."""

    def __init__(self, web: WebGateway, host: Host, loop: VirtualLoop) -> None:
        super().__init__(host, loop)
        self._web = web

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one request."""
        name = request.url.path.removeprefix("/v2/").removeprefix(f"{PATHS}/")
        call = WebCall(self._loop.time(), self._host.name, request.method, name, len(self._web.calls))
        answer: asyncio.Future[Reply] = self._loop.create_future()
        self._web.submit(call, answer)
        reply = await self._answered(call, answer)
        call.status, call.reached = reply.status_code, self._loop.time()
        return reply
