"""A worker's handler of api jobs over stand-ins."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from tests.support.fake_worker import LEASE, MARGIN, MAX_BODY, World
from tests.support.fakes import FakeGate, FakeObserver
from worker.domain import api_entry
from worker.domain.disposition import RetryPolicy
from worker.domain.errors import WorkerError
from worker.domain.messages import Lane
from worker.domain.waiting import WaitingRoom
from worker.domain.web_verdict import WebReply
from worker.handlers.api.acceptance import ApiAcceptance
from worker.handlers.api.handler import ApiHandler
from worker.handlers.api.ports import ApiPorts
from worker.handlers.dispatch import Dispatch
from worker.handlers.entries import Store
from worker.handlers.send.acceptance import Acceptance
from worker.handlers.send.entries import EntryStore
from worker.handlers.send.renewal import Renewal
from worker.ports import WebCall
from worker.resilience.keyed_lock import KeyedLock
from worker.resilience.retry import RetryAttempts


def web_reply(status: int = 200, value: object = "ok", words: str = "said") -> WebReply:
    """A reply of the Web API."""
    return WebReply(status, value, False, f"HTTP {status}: {words}", f"HTTP {status} with a reply")  # type: ignore[arg-type]  # noqa: FBT003 - not cut


@dataclass(slots=True)
class FakeWebApi:
    """Carries out what it is scripted to, and remembers all of it.

    Attributes:
        script: what the next calls end with; empty: a reply of 200.
        before: awaited when a call arrives.
        calls: that arrived.
    """

    script: list[WebReply | WorkerError] = field(default_factory=list)
    before: Callable[[], Awaitable[None]] | None = None
    calls: list[WebCall] = field(default_factory=list)

    async def call(self, call: WebCall) -> WebReply:
        """Answer as the script says."""
        self.calls.append(call)
        if self.before:
            await self.before()
        reply = self.script.pop(0) if self.script else web_reply()
        if isinstance(reply, WorkerError):
            raise reply
        return reply

    async def is_there(self) -> bool:
        """It is."""
        return True


@dataclass(slots=True)
class ApiWorker:
    """One worker process, as far as it carries out api jobs."""

    world: World
    web_api: FakeWebApi
    attempts: int = 3
    delays: tuple[int, ...] = (5, 30)
    gate: FakeGate = field(default_factory=FakeGate)
    observer: FakeObserver = field(default_factory=FakeObserver)
    allowed: tuple[str, ...] = ("credentials", "channels", "media")
    is_on: bool = True

    def dispatch(self) -> Dispatch:
        """The entrance for deliveries, with locks of its own."""
        world = self.world
        jitter = Random(1)  # noqa: S311 - not a secret
        acceptance = ApiAcceptance(self.is_on, self.allowed, MAX_BODY)
        ports = ApiPorts(
            web_api=self.web_api,
            entries=Store(world.ledger, world.token, api_entry.encode, api_entry.decode),
            gate=self.gate,
            retry=RetryAttempts(self.attempts, world.clock, jitter),
            publisher=world.publisher,
            policy=RetryPolicy(self.delays, 86_400),
            clock=world.clock,
            observer=self.observer,
            store_time=lambda: world.clock.now().timestamp(),
            lease=LEASE,
            margin=MARGIN,
        )
        sends = Acceptance(
            max_body_bytes=MAX_BODY,
            max_segments=10,
            allowed_params=frozenset(),
            send_after_limit=0,
            now=world.clock.now,
        )
        return Dispatch(
            handlers={Lane.API: ApiHandler(acceptance, ports, KeyedLock())},
            publisher=world.publisher,
            gate=self.gate,
            observer=self.observer,
            clock=world.clock,
            renewal=Renewal(sends, EntryStore(world.ledger, world.token), acceptance),
            waiting=WaitingRoom(0, self.delays),
        )


def api_job(**fields: object) -> dict[str, object]:
    """An api job that uploads a key, unless it says otherwise."""
    return {
        "job_id": "key-1",
        "method": "POST",
        "path": "credentials/gcm",
        "json": {"key": "AIza-secret"},
        **fields,
    }
