"""Workers that are stepped from port to port, over one ledger, one gateway and one broker.

Each operation at a port is two steps: before it has its effect, and before its answer arrives. Between
any two steps a worker may be left standing (frozen), for good (killed), or be cut off from the broker.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import count

from tests.support.checked_ledger import Changes, CheckedLedger
from tests.support.fake_worker import LEASE, FakeWorker, World, delivery, part_delivery
from tests.support.fakes import START, FakeGate, FakeGateway, FakePermit, one_by_one, settled
from worker.domain.entry import Call, CallState, MessageIds, Part
from worker.domain.entry_codec import decode
from worker.domain.errors import (
    BrokerUnavailableError,
    LedgerUnavailableError,
    OutcomeUncertainError,
    WorkerError,
)
from worker.domain.messages import Delay, Delivery, Lane, PartMessage, Requeue, ResultMessage
from worker.domain.progress import Progress, Step
from worker.handlers.dispatch import Dispatch
from worker.ledger import MemoryLedger
from worker.ports import Command, MessageReport, Stored, Subject, Swap, TextMessage

_TICK = 1e-5  # seconds that a step takes


@dataclass(slots=True)
class Kept:
    """A message on the broker. *held_by*: the worker it was handed to and the number of that hand-out."""

    delivery: Delivery
    held_by: tuple[int, int] | None = None


@dataclass(slots=True)
class Fleet:
    """What the workers share, what the next operations run into, and what came out.

    Attributes:
        ledger: the store, each change of an entry held against the model of the protocol.
        changes: what came of that.
        coalesce: jobs that send the same share calls.
        sends: (job text, recipient) of each text that reached a phone, in order.
        handed: (process, recipient, id) of each id that a worker was given.
        lost: replies that were lost.
        claims: who has an entry's call under way, and since when, by the entry's key.
        taken_over: jobs of which another worker took a call over.
        taken_early: keys of claims that another worker took over before their lease was over.
        left_behind: keys of claims of workers that lived on and did not call.
        ledger_faults, publish_faults, gateway_faults: of the next operations; None for none.
        claim_faults: of the next swaps that claim a call.
    """

    coalesce: bool = False
    world: World = field(default_factory=World)
    queue: list[Kept] = field(default_factory=list)
    results: list[ResultMessage] = field(default_factory=list)
    sends: list[tuple[str, str]] = field(default_factory=list)
    handed: list[tuple[int, str, str, str]] = field(default_factory=list)
    told: list[tuple[int, str, str, str]] = field(default_factory=list)
    lost: int = 0
    claims: dict[str, tuple["Process", float]] = field(default_factory=dict)
    taken_over: set[str] = field(default_factory=set)
    taken_early: set[str] = field(default_factory=set)
    left_behind: set[str] = field(default_factory=set)
    ledger_faults: deque[str] = field(default_factory=deque)
    claim_faults: deque[str] = field(default_factory=deque)
    publish_faults: deque[str] = field(default_factory=deque)
    gateway_faults: deque[tuple[WorkerError, bool]] = field(default_factory=deque)
    hand_outs: "count[int]" = field(default_factory=count)
    ids: "count[int]" = field(default_factory=count)
    store: MemoryLedger = field(init=False)
    ledger: CheckedLedger = field(init=False)
    changes: Changes = field(default_factory=Changes)

    def __post_init__(self) -> None:
        self.store = MemoryLedger(retention=1e9, clock=self.world.clock)
        self.ledger = CheckedLedger(self.store, self.changes)

    def publish(self, job: Mapping[str, object]) -> None:
        """Put a job on its queue."""
        self.queue.append(Kept(delivery(Lane.SEND, dict(job))))

    def give_back(self, process: int) -> None:
        """Hand out again what *process* holds: its connection is gone."""
        for kept in self.queue:
            if kept.held_by and kept.held_by[0] == process:
                kept.held_by = None
                kept.delivery = replace(kept.delivery, redelivered=True)

    def remembers(self, message_id: str) -> bool:
        """Whether the ledger has an id, or words that tell one."""
        entries = (decode(entry.stored.state) for entry in self.store._entries.values())
        plans = (entry.plan for entry in entries if isinstance(entry.plan, Part))
        return any(message_id in _ids_of(call) for plan in plans for call in plan.calls)

    @property
    def waiting(self) -> list[Kept]:
        """Messages that nobody holds."""
        return [kept for kept in self.queue if kept.held_by is None]


class Process:
    """One worker process of a fleet.

    Args:
        share_above: recipients; it sends smaller jobs by itself.

    Attributes:
        calls: texts of the requests to the gateway that are under way.
        left: jobs whose call was under way when it stopped.
    """

    def __init__(self, fleet: Fleet, number: int, share_above: int = 100) -> None:
        self.fleet = fleet
        self.number = number
        self.share_above = share_above
        self.dead = False
        self.stopped = False
        self.calls: list[str] = []
        self.left: set[str] = set()
        self._bodies: list[bytes] = []
        self.tasks: dict[asyncio.Task[None], Progress] = {}
        self._steps: deque[asyncio.Future[None]] = deque()
        world = World(clock=fleet.world.clock, tokens=fleet.world.tokens)
        world.publisher = _Publisher(self)  # type: ignore[assignment] # the same port
        world.ledger = _Ledger(self)  # type: ignore[assignment] # the same port
        world.gateway = _Gateway(self)
        worker = FakeWorker(world, gate=_Gate(self), coalesce=fleet.coalesce, share_above=share_above)
        self._dispatch: Dispatch = worker.dispatch()

    @property
    def busy(self) -> bool:
        """Whether a step is to be taken."""
        while self._steps and self._steps[0].done():  # cancelled with the operation that it was part of
            self._steps.popleft()
        return not self.dead and bool(self._steps)

    @property
    def in_call(self) -> bool:
        """Whether it waits for the gateway."""
        return bool(self.calls)

    @property
    def idle(self) -> bool:
        """Whether it works on nothing."""
        return not self.tasks

    async def step(self) -> None:
        """Stand still until the next turn."""
        # No two claims begin in the same microsecond: by that a worker knows its own.
        self.fleet.world.clock.leap(_TICK)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._steps.append(turn)
        await turn

    async def go_on(self, steps: int) -> None:
        """Take so many steps, as far as there are any."""
        await settled()
        for _ in range(steps):
            if not self.busy:
                return
            self._steps.popleft().set_result(None)
            await settled()

    def take(self, kept: Kept) -> None:
        """Start on a message."""
        kept.held_by = (self.number, next(self.fleet.hand_outs))
        # A hand-out of its own: what one worker has stopped is for others to carry out.
        taken = replace(kept.delivery, progress=Progress())
        task = asyncio.ensure_future(self._work(kept, kept.held_by, taken))
        self.tasks[task] = taken.progress
        task.add_done_callback(lambda done: self.tasks.pop(done, None))

    def kill(self) -> None:
        """Take no further step, ever."""
        self.dead = True
        self.fleet.give_back(self.number)

    async def stop(self) -> None:
        """Be told to stop, cancel what is under way, and end after what must not be cut in two.

        As `worker.stopping.stop` does it, with no time at all for what only waits or calls.
        """
        self.stopped = True
        self.left.update(self.calls)
        tasks = dict(self.tasks)
        for progress in tasks.values():
            progress.stopped = True
        while not all(task.done() for task in tasks):
            for task, progress in tasks.items():
                if progress.at is not Step.WRITING and not task.cancelling():
                    task.cancel()
            # What waits for a ledger that is away goes on with the clock.
            await (self.go_on(1) if self.busy else self.fleet.world.clock.advance(0.5))
        assert self.fleet.coalesce or not self.busy, "its delivery was given back while it goes on"
        self.fleet.give_back(self.number)
        # Joint calls are nobody's own: those that are still under way end with the process.
        self.dead = self.fleet.coalesce

    async def _work(self, kept: Kept, held_by: tuple[int, int], taken: Delivery) -> None:
        self._bodies.append(taken.body)
        try:
            await self._handle(kept, held_by, taken)
        finally:
            self._bodies.remove(taken.body)
            if not self.fleet.coalesce:
                self._note_claims_left()

    def _works_on(self, job: str) -> bool:
        return any(job.encode() in body for body in self._bodies)

    def _note_claims_left(self) -> None:
        for key, (process, _) in self.fleet.claims.items():
            job = key.split("/")[0]
            if process is self and job not in self.left and not self._works_on(job):
                self.fleet.left_behind.add(key)

    async def _handle(self, kept: Kept, held_by: tuple[int, int], taken: Delivery) -> None:
        disposition = await self._dispatch(taken)
        await self.step()
        if kept.held_by != held_by:
            return  # what is settled on a channel that is gone has no effect
        if isinstance(disposition, Requeue):
            kept.held_by = None
            return
        if isinstance(disposition, Delay):
            again = replace(taken, attempts=taken.attempts + 1, first_seen=START)
            self.fleet.queue.append(Kept(again))
            await self.step()
            if kept.held_by != held_by:
                return
        self.fleet.queue.remove(kept)


def _ids_of(call: Call) -> Iterator[str | None]:
    for one in (*call.settled, *call.late_words.values()):
        yield from (one.message_id, one.detail)
        yield from one.earlier_ids
    for late in call.late_ids.values():
        yield from late


class _Ledger:
    def __init__(self, process: Process) -> None:
        self._process = process
        self._fleet = process.fleet

    async def load(self, key: str) -> Stored | None:
        await self._process.step()
        if self._fault() != "none":
            raise LedgerUnavailableError("ledger_away", "made to fail")
        stored = await self._fleet.ledger.load(key)
        await self._process.step()
        return stored

    async def swap(self, key: str, *, expected: str | None, new: Stored) -> bool:
        await self._process.step()
        claims = _has_call(new) and key not in self._fleet.claims
        fault = self._fleet.claim_faults.popleft() if claims and self._fleet.claim_faults else self._fault()
        if fault == "before":
            raise LedgerUnavailableError("ledger_away", "made to fail")
        stands = await self._fleet.ledger.swap(key, expected=expected, new=new)
        if stands and claims:
            self._fleet.claims[key] = self._process, self._fleet.world.clock.elapsed()
        elif stands and not _has_call(new):
            self._unclaim(key)
        await self._process.step()
        if fault == "after":
            raise LedgerUnavailableError("ledger_away", "made to fail")
        return stands

    async def swap_many(self, swaps: Sequence[Swap]) -> list[bool | Exception]:
        return await one_by_one(self.swap, swaps)

    async def renew(self, keys: Sequence[str]) -> Sequence[bool]:
        await self._process.step()
        if self._fault() != "none":
            raise LedgerUnavailableError("ledger_away", "made to fail")
        return await self._fleet.ledger.renew(keys)

    def _unclaim(self, key: str) -> None:
        fleet = self._fleet
        owner, since = fleet.claims.pop(key, (self._process, 0.0))
        if owner is not self._process:
            fleet.taken_over.add(key.split("/", maxsplit=1)[0])
            if fleet.world.clock.elapsed() - since < LEASE - 0.01:
                fleet.taken_early.add(key)

    def _fault(self) -> str:
        return self._fleet.ledger_faults.popleft() if self._fleet.ledger_faults else "none"


def _has_call(stored: Stored) -> bool:
    plan = decode(stored.state).plan
    return isinstance(plan, Part) and any(call.state is CallState.CALLING for call in plan.calls)


class _Publisher:
    def __init__(self, process: Process) -> None:
        self._process = process
        self._fleet = process.fleet

    async def publish_result(self, result: ResultMessage) -> None:
        await self._publish(lambda: self._fleet.results.append(result))

    async def publish_part(self, part: PartMessage) -> None:
        await self._publish(lambda: self._fleet.queue.append(Kept(part_delivery(part))))

    async def _publish(self, effect: Callable[[], None]) -> None:
        await self._process.step()
        fault = self._fleet.publish_faults.popleft() if self._fleet.publish_faults else "none"
        if fault != "before":
            effect()
            await self._process.step()
        if fault != "none":
            raise BrokerUnavailableError("not_confirmed", "made to fail")


class _Gateway(FakeGateway):
    def __init__(self, process: Process) -> None:
        super().__init__(process.fleet.world.clock)
        self._process = process

    async def send(self, message: TextMessage, recipients: Sequence[str]) -> MessageIds:
        fleet = self._process.fleet
        self._process.calls.append(message.text)
        try:
            await self._process.step()
            error, goes_out = fleet.gateway_faults.popleft() if fleet.gateway_faults else (None, True)
            if goes_out:
                fleet.sends += [(message.text, name) for name in recipients]
            await self._process.step()
        finally:
            self._process.calls.remove(message.text)
        fleet.lost += isinstance(error, OutcomeUncertainError)
        if error and error.tells_ids:
            error = copy(error)
            error.detail = f"(message id loose-{next(fleet.ids)})"
            fleet.told += [(self._process.number, message.text, name, error.detail) for name in recipients]
        if error:
            raise error
        ids = {name: f"id-{next(fleet.ids)}" for name in recipients}
        number = self._process.number
        fleet.handed += [(number, message.text, name, given) for name, given in ids.items()]
        return {name: (given,) for name, given in ids.items()}

    async def message_status(self, message_ids: Sequence[str]) -> Mapping[str, MessageReport]:
        raise NotImplementedError


class _Gate(FakeGate):
    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process

    def passes(self, command: Command) -> bool:  # noqa: ARG002 - no command is held here
        """Nothing stands in the way."""
        return True

    @asynccontextmanager
    async def admit(
        self, command: Command, *, urgent: bool, about: Subject | None = None, patient: bool = False
    ) -> AsyncIterator[FakePermit]:
        del command, urgent, about, patient
        await self._process.step()
        yield FakePermit()
