"""Stand-ins for the worker's ports that remember what was asked of them."""

import asyncio
import heapq
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from tests.support.checked_ledger import CheckedLedger
from worker.domain.entry import MessageIds
from worker.domain.errors import BrokerUnavailableError, LedgerUnavailableError, WorkerError
from worker.domain.messages import Delivery, FollowUpMessage, JobSummary, Lane, PartMessage, ResultMessage
from worker.domain.sent_ids import SentIds, loose_of
from worker.ledger import MemoryLedger
from worker.ports import Command, MessageReport, Stored, Subject, Swap, TextMessage

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_QUIET_ROUNDS = 30  # turns of the event loop after which everybody has got as far as time allows


class FakeClock:
    """Virtual time: sleepers wake in the order of their times, as soon as everybody else waits.

    Attributes:
        slept: seconds of every sleep, in the order they were asked for.
    """

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._now = START
        self._elapsed = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def now(self) -> datetime:
        """Wall-clock time."""
        return self._now

    def elapsed(self) -> float:
        """Seconds that went by."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Wait until a `run` or `advance` reaches the time."""
        self.slept.append(seconds)
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._numbers), wake))
        await wake

    def step_wall(self, seconds: float) -> None:
        """Set the wall clock on (or back), as an operator does."""
        self._now += timedelta(seconds=seconds)

    def leap(self, seconds: float) -> None:
        """Let time pass without waking anybody: the process was stopped."""
        self._elapsed += seconds
        self._now += timedelta(seconds=seconds)

    async def advance(self, seconds: float) -> None:
        """Let *seconds* pass, waking sleepers at their times."""
        until = self._elapsed + seconds
        await settled()
        while self._next_wake() is not None and self._sleepers[0][0] <= until:
            await self._wake_next()
        self.leap(max(until - self._elapsed, 0.0))
        await settled()

    async def run(self, work: Awaitable[object], *, limit: float = 1e6) -> None:
        """Let time pass until *work* is done; its error is the caller's to look at."""
        task = asyncio.ensure_future(work)
        until = self._elapsed + limit
        await settled()
        while not task.done():
            if self._next_wake() is None or self._elapsed > until:
                task.cancel()
                raise AssertionError("nothing that time could bring ends this wait")
            await self._wake_next()

    def _next_wake(self) -> float | None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    async def _wake_next(self) -> None:
        at, _, wake = heapq.heappop(self._sleepers)
        # Never by nothing at all: a wait that rounds to zero must not stop the clock.
        self.leap(max(at - self._elapsed, 1e-6))
        wake.set_result(None)
        await settled()


async def settled() -> None:
    """Return when every task has gone as far as it can without time passing."""
    for _ in range(_QUIET_ROUNDS):
        await asyncio.sleep(0)


Reply = Mapping[str, str | tuple[str, ...]] | WorkerError | None


@dataclass(slots=True)
class FakeGateway:
    """An account that carries out what it is scripted to, and remembers all of it.

    Attributes:
        script: what the next sends end with: ids, an error, or None for fresh ids. Empty: fresh ids.
        lost: the message goes out although the scripted error says nothing of it.
        latency: seconds of each send on the clock.
        before_send: awaited when a send arrives, before anything happens.
        sent: every (recipient, text) that went out.
        calls: the recipients of every send that arrived.
        given: ids handed out, by recipient.
        send_refused: numbers for which a whole send is refused with `refusal`.
        dnd: numbers on the DND list.
        dnd_script: errors, or None for an answer, of the next DND lookups.
        unnamed: numbers that DND replies leave out.
        status_failing: ids for which a whole status lookup ends with this error.
    """

    clock: FakeClock
    script: list[Reply] = field(default_factory=list)
    lost: bool = False
    latency: float = 0.0
    before_send: Callable[[], Awaitable[None]] | None = None
    per_call: int = 100
    sent: list[tuple[str, str]] = field(default_factory=list)
    calls: list[tuple[str, ...]] = field(default_factory=list)
    given: dict[str, list[str]] = field(default_factory=dict)
    dnd: set[str] = field(default_factory=set)
    dnd_script: list[WorkerError | None] = field(default_factory=list)
    dnd_refused: set[str] = field(default_factory=set)
    send_refused: set[str] = field(default_factory=set)
    dnd_calls: list[tuple[str, ...]] = field(default_factory=list)
    unnamed: set[str] = field(default_factory=set)
    reports: dict[str, MessageReport] = field(default_factory=dict)
    status_script: list[WorkerError | None] = field(default_factory=list)
    status_calls: list[tuple[str, ...]] = field(default_factory=list)
    status_failing: dict[str, WorkerError] = field(default_factory=dict)
    balance: Decimal = Decimal(1000)
    account_script: list[WorkerError | None] = field(default_factory=list)
    account_calls: int = 0
    refusal: WorkerError | None = None
    _ids: "count[int]" = field(default_factory=count)

    def pack(self, message: TextMessage, recipients: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """At most `per_call` a call."""
        del message
        return _cut(recipients, self.per_call)

    def pack_ids(self, message_ids: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """At most 100 a call."""
        return _cut(message_ids, 100)

    async def send(self, message: TextMessage, recipients: Sequence[str]) -> MessageIds:
        """Send as the script says."""
        self.calls.append(tuple(recipients))
        if self.refusal and self.send_refused.intersection(recipients):
            raise self.refusal
        if self.before_send:
            await self.before_send()
        reply = self.script.pop(0) if self.script else None
        if not isinstance(reply, WorkerError) or self.lost:
            self.sent += [(name, message.text) for name in recipients]
        if self.latency:
            await self.clock.sleep(self.latency)
        if isinstance(reply, WorkerError):
            raise reply
        if reply is None:
            reply = {name: f"id-{next(self._ids)}" for name in recipients}
        ids = {name: (given,) if isinstance(given, str) else given for name, given in reply.items()}
        for name, given in ids.items():
            self.given.setdefault(name, []).extend(given)
        return SentIds(ids, loose_of(reply))

    async def check_dnd(self, recipients: Sequence[str]) -> Mapping[str, bool]:
        """Answer from `dnd`; refuse a batch that holds one of `dnd_refused`."""
        self.dnd_calls.append(tuple(recipients))
        if self.dnd_script and (error := self.dnd_script.pop(0)):
            raise error
        if self.refusal and self.dnd_refused.intersection(recipients):
            raise self.refusal
        return {name: name in self.dnd for name in recipients if name not in self.unnamed}

    async def message_status(self, message_ids: Sequence[str]) -> Mapping[str, MessageReport]:
        """Answer from `reports`; fail a batch that holds one of `status_failing`."""
        self.status_calls.append(tuple(message_ids))
        if self.status_script and (error := self.status_script.pop(0)):
            raise error
        if failing := self.status_failing.keys() & set(message_ids):
            raise self.status_failing[min(failing)]
        return {name: self.reports[name] for name in message_ids if name in self.reports}

    async def account(self) -> Decimal:
        """Tell the balance."""
        self.account_calls += 1
        if self.account_script and (error := self.account_script.pop(0)):
            raise error
        return self.balance

    @property
    def times_sent(self) -> Counter[str]:
        """How often each recipient got a text."""
        return Counter(name for name, _ in self.sent)


def _cut(items: Sequence[str], size: int) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(items[at : at + size]) for at in range(0, len(items), size))


@dataclass(slots=True)
class FakePublisher:
    """A broker that confirms everything, but for the next `failures`.

    Attributes:
        before: awaited before each publication.
    """

    results: list[ResultMessage] = field(default_factory=list)
    parts: list[PartMessage] = field(default_factory=list)
    follow_ups: list[FollowUpMessage] = field(default_factory=list)
    failures: int = 0
    follow_up_failures: int = 0
    part_failures: int = 0
    before: Callable[[], Awaitable[None]] | None = None

    async def publish_result(self, result: ResultMessage) -> None:
        """Remember it."""
        if self.before:
            await self.before()
        if self.failures:
            self.failures -= 1
            raise BrokerUnavailableError("not_confirmed", "made to fail")
        self.results.append(result)

    async def publish_part(self, part: PartMessage) -> None:
        """Remember it."""
        if self.before:
            await self.before()
        if self.part_failures and len(self.parts) >= self.part_failures:
            self.part_failures = 0
            raise BrokerUnavailableError("not_confirmed", "made to fail")
        self.parts.append(part)

    async def publish_follow_up(self, follow_up: FollowUpMessage) -> None:
        """Remember it."""
        if self.before:
            await self.before()
        if self.follow_up_failures:
            self.follow_up_failures -= 1
            raise BrokerUnavailableError("not_confirmed", "made to fail")
        self.follow_ups.append(follow_up)


async def one_by_one(swap: Callable[..., Awaitable[bool]], swaps: Sequence[Swap]) -> list[bool | Exception]:
    """Do each of *swaps* by itself: a store that may fail, or lose its worker, between any two of them."""
    answers: list[bool | Exception] = []
    for one in swaps:
        try:
            answers.append(await swap(one.key, expected=one.expected, new=one.new))
        except LedgerUnavailableError as error:
            answers.append(error)
    return answers


class FakeLedger:
    """A ledger in memory that can be away, and that can lose the answer of a write.

    Attributes:
        before: awaited before each operation, with its name; it may raise.
        after: the same behind it: what it did stands.
        keys: of the entries that were written.
        together: how many swaps each batch had.
    """

    def __init__(self, clock: FakeClock, *, retention: float = 1e9) -> None:
        self._clock = clock
        self._retention = retention
        self.forget()
        self.before: Callable[[str], Awaitable[None]] | None = None
        self.after: Callable[[str], Awaitable[None]] | None = None
        self.keys: set[str] = set()
        self.together: list[int] = []

    def forget(self) -> None:
        """Lose every entry, as if its time were over."""
        self._inner = MemoryLedger(retention=self._retention, clock=self._clock)
        self._checked = CheckedLedger(self._inner)

    async def load(self, key: str) -> Stored | None:
        """Return the entry, or None."""
        await self._hook(self.before, "load")
        stored = await self._checked.load(key)
        await self._hook(self.after, "load")
        return stored

    async def swap(self, key: str, *, expected: str | None, new: Stored) -> bool:
        """Write by compare-and-swap."""
        await self._hook(self.before, "swap")
        self.keys.add(key)
        stands = await self._checked.swap(key, expected=expected, new=new)
        await self._hook(self.after, "swap")
        return stands

    async def swap_many(self, swaps: Sequence[Swap]) -> list[bool | Exception]:
        """Do each in turn, with the hooks of each."""
        self.together.append(len(swaps))
        return await one_by_one(self.swap, swaps)

    async def renew(self, keys: Sequence[str]) -> list[bool]:
        """Have entries live on."""
        await self._hook(self.before, "renew")
        return await self._inner.renew(keys)

    async def check(self) -> None:
        """Prove that it is there."""
        await self._hook(self.before, "check")

    async def close(self) -> None:
        """Do nothing."""

    async def _hook(self, hook: Callable[[str], Awaitable[None]] | None, name: str) -> None:
        if hook:
            await hook(name)


class Pausing:
    """A hook that stops whoever comes first, until it is released."""

    def __init__(self, *, name: str | None = None, skip: int = 0) -> None:
        self._name = name
        self._skip = skip
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, name: str | None = None) -> None:
        """Wait, the first time that it is the hook's turn."""
        if self.reached.is_set() or (self._name and name != self._name):
            return
        if self._skip:
            self._skip -= 1
            return
        self.reached.set()
        await self.go_on.wait()


@dataclass(slots=True)
class Failing:
    """A hook that raises LedgerUnavailableError at chosen operations.

    Attributes:
        at: ordinals, from 0, of the operations called *name* that fail.
    """

    name: str
    at: set[int]
    seen: int = 0

    async def __call__(self, name: str) -> None:
        """Fail where it is time."""
        if name != self.name:
            return
        self.seen += 1
        if self.seen - 1 in self.at:
            raise LedgerUnavailableError("ledger_away", "made to fail")


@dataclass(slots=True)
class FakeObserver:
    """Remembers what happened."""

    taken: list[Delivery] = field(default_factory=list)
    ended: list[tuple[JobSummary, Lane, float]] = field(default_factory=list)
    retries: list[Command] = field(default_factory=list)
    revisions: int = 0
    balances: list[Decimal] = field(default_factory=list)
    spent: Decimal = Decimal(0)
    added: Decimal = Decimal(0)
    shared: list[tuple[Command, int]] = field(default_factory=list)
    dnd_hits: int = 0
    dnd_misses: int = 0
    tracked: int = 0
    tracking_ends: list[tuple[str, ...]] = field(default_factory=list)

    def job_taken(self, delivery: Delivery) -> None:
        """Remember it."""
        self.taken.append(delivery)

    def job_ended(self, delivery: Delivery, summary: JobSummary, *, seconds: float) -> None:
        """Remember it."""
        self.ended.append((summary, delivery.lane, seconds))

    def retried(self, command: Command) -> None:
        """Remember it."""
        self.retries.append(command)

    def revised(self) -> None:
        """Count it."""
        self.revisions += 1

    def credits_moved(self, *, spent: Decimal, added: Decimal) -> None:
        """Add up."""
        self.spent += spent
        self.added += added

    def credits_seen(self, remaining: Decimal) -> None:
        """Remember it."""
        self.balances.append(remaining)

    def call_shared(self, command: Command, jobs: int) -> None:
        """Remember it."""
        self.shared.append((command, jobs))

    def tracking_begun(self, messages: int) -> None:
        """Count them."""
        self.tracked += messages

    def tracking_ended(self, statuses: Sequence[str], *, seconds: float) -> None:
        """Remember it."""
        del seconds
        self.tracking_ends.append(tuple(statuses))

    def dnd_cached(self, *, hits: int, misses: int) -> None:
        """Count them."""
        self.dnd_hits += hits
        self.dnd_misses += misses


@dataclass(slots=True)
class FakePermit:
    """Leave to make a call.

    Attributes:
        made: no word came that it was not.
        patience: as the port says.
    """

    made: bool = True
    patience: float = 60.0

    def unused(self) -> None:
        """No call was made."""
        self.made = False


@dataclass(slots=True)
class FakeGate:
    """A door that is always open, and remembers who passed.

    Attributes:
        on_admit: awaited before each admission; it may raise.
    """

    admitted: list[tuple[Command, bool]] = field(default_factory=list)
    permits: list[FakePermit] = field(default_factory=list)
    ledger_failures: int = 0
    on_admit: Callable[[], Awaitable[None]] | None = None

    def passes(self, command: Command) -> bool:  # noqa: ARG002 - no command is held here
        """Nothing stands in the way."""
        return True

    def has_room(self, *, urgent: bool) -> bool:  # noqa: ARG002 - for everybody
        """As many calls as one likes."""
        return True

    @asynccontextmanager
    async def admit(
        self,
        command: Command,
        *,
        urgent: bool,
        about: Subject | None = None,  # noqa: ARG002 - nobody is refused here
        patient: bool = False,  # noqa: ARG002 - nobody waits here
    ) -> AsyncIterator[FakePermit]:
        """Let pass."""
        if self.on_admit:
            await self.on_admit()
        self.admitted.append((command, urgent))
        self.permits.append(FakePermit())
        yield self.permits[-1]

    def ledger_failed(self) -> None:
        """Count it."""
        self.ledger_failures += 1
