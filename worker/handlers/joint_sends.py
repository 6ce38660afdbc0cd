"""Sends of several jobs in one call: who rides together, and that each gets what is its own."""

import asyncio
import copy
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from itertools import islice

import structlog

from worker.domain import joint
from worker.domain.entry import MessageIds
from worker.domain.errors import PermanentError, WorkerError
from worker.handlers.ledger_book import LedgerBook
from worker.handlers.seats import Outcome, Passenger, Seat, claim_all, record_all
from worker.ports import CallGate, Command, Gateway, Observer, Subject, TextMessage

log = structlog.get_logger(__name__)

_LOOKED_AT = 4 * joint.MOST  # seats

Key = tuple[str, bool, str | None, tuple[tuple[str, str], ...], bool]


@dataclass(eq=False, slots=True)
class _Line:
    """Those who wait for a call with the same message.

    Attributes:
        waiting: seats, in the order of their coming.
        numbers: recipients of those who wait. Counted as they come and go: there may be a thousand of them.
        calls: tasks that get leave, call and record.
        boarding: of these, the ones that have not taken their passengers yet.
    """

    message: TextMessage
    urgent: bool
    waiting: dict[Seat, None] = field(default_factory=dict)
    numbers: int = 0
    calls: set[asyncio.Task[None]] = field(default_factory=set)
    boarding: int = 0

    def enter(self, seat: Seat) -> None:
        self.waiting[seat] = None
        self.numbers += len(seat.recipients)

    def leave(self, seat: Seat) -> None:
        if seat in self.waiting:
            del self.waiting[seat]
            self.numbers -= len(seat.recipients)


class JointSends:
    """Makes calls for several jobs that send the same.

    Whoever comes while fewer than *at_once* calls with its message are under way goes at once. The others
    gather until one of these ends, or a call is full: the busier the worker is, the fuller its calls get,
    with no timer. A call takes its passengers when it has leave to go, so that those who come while the
    gateway is away ride too.

    Each passenger claims its own entry before the call and records its own outcome after it, in a task that
    no job's cancellation ends. The entries of a call are written together.
    """

    def __init__(
        self, gateway: Gateway, gate: CallGate, observer: Observer, book: LedgerBook, *, at_once: int = 2
    ) -> None:
        self._book = book
        self._gateway = gateway
        self._gate = gate
        self._observer = observer
        self._at_once = at_once
        self._lines: dict[Key, _Line] = {}

    async def make(
        self, message: TextMessage, recipients: tuple[str, ...], passenger: Passenger, *, urgent: bool
    ) -> None:
        """Return when the call of *passenger* is recorded, or was not to be made.

        Raises:
            Exception: what its `claim` or `record` raised, or what kept the call from being made.
        """
        key = (message.text, message.unicode, message.sender, tuple(sorted(message.params.items())), urgent)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line(message, urgent)
        seat = Seat(recipients, passenger, asyncio.get_running_loop().create_future())
        line.enter(seat)
        self._start(key, line)
        try:
            await asyncio.shield(seat.ended)
        except asyncio.CancelledError:
            seat.gone = True
            line.leave(seat)
            raise

    def _start(self, key: Key, line: _Line) -> None:
        # Calls that have not taken their passengers yet will take a hundred numbers each.
        while (left := line.numbers - joint.MOST * line.boarding) > 0:
            if len(line.calls) >= self._at_once and left < joint.MOST:
                break
            line.boarding += 1
            # No one job's: what is logged on its way must not name the trace of whoever came first.
            call = asyncio.create_task(self._make(line), context=Context())
            line.calls.add(call)
            call.add_done_callback(lambda done: self._ended(key, line, done))
        if not line.waiting and not line.calls:
            self._lines.pop(key, None)

    def _ended(self, key: Key, line: _Line, call: asyncio.Task[None]) -> None:
        line.calls.discard(call)
        self._start(key, line)

    async def _make(self, line: _Line) -> None:
        seats: list[Seat] | None = None

        def boarded() -> list[Seat]:
            nonlocal seats
            line.boarding -= 1
            seats = self._taken(line)
            return seats

        try:
            await self._call(line, boarded)
        except Exception as error:  # noqa: BLE001 - it is raised where the jobs wait
            for seat in boarded() if seats is None else seats:
                seat.end(error)

    def _taken(self, line: _Line) -> list[Seat]:
        """Take from the line who fits into one call."""
        if not line.waiting:
            return []
        # Nobody behind the first few hundred can be among a hundred numbers, but for repeats of a number.
        seats = list(islice(line.waiting, _LOOKED_AT))
        chosen = [seats[index] for index in joint.together(seat.recipients for seat in seats)]
        first, *_ = self._gateway.pack(line.message, _numbers(chosen))
        chosen = chosen[: joint.within((len(seat.recipients) for seat in chosen), len(first))]
        for seat in chosen:
            line.leave(seat)
        return chosen

    async def _call(self, line: _Line, boarded: Callable[[], list[Seat]]) -> None:
        """Make one call, for whom *boarded* names once there is leave to make it."""
        aboard: list[Seat] = []
        left: list[Seat] = []
        seats: list[Seat] | None = None
        outcome: Outcome = {}
        answered = False
        try:
            about = Subject((("sender", line.message.sender), line.message.text))
            async with self._gate.admit(Command.SEND, urgent=line.urgent, about=about) as permit:
                seats = boarded()
                claimed = await claim_all(self._book, seats)
                # A job that was cancelled meanwhile says so in its own task, which must have its turn.
                await asyncio.sleep(0)
                for seat in claimed:
                    goes = not seat.gone and seat.passenger.departs()
                    (aboard if goes else left).append(seat)
                if not aboard:
                    permit.unused()
                outcome = await self._sent(line, aboard) if aboard else {}
                answered = bool(aboard)
        except WorkerError as error:
            # Behind the reply nothing can take it back.
            outcome = outcome if answered else error
        if seats is None:
            for seat in boarded():
                seat.end(copy.copy(outcome) if isinstance(outcome, WorkerError) else None)
            return
        if left:
            await asyncio.gather(*map(self._backed_out, left))
        await self._after(line, aboard, outcome)

    async def _sent(self, line: _Line, aboard: Sequence[Seat]) -> MessageIds:
        self._observer.call_shared(Command.SEND, len(aboard))
        return await self._gateway.send(line.message, _numbers(aboard))

    async def _after(self, line: _Line, aboard: list[Seat], outcome: Outcome) -> None:
        """Tell everybody what became of the call; find out whose number made the gateway refuse it."""
        alone = len(aboard) <= 1
        if alone or not isinstance(outcome, PermanentError) or not joint.may_concern_one(outcome.code):
            await record_all(self._book, aboard, outcome)
            return
        log.warning("call.divided", code=outcome.code, jobs=len(aboard))
        # Refused means that nothing was sent: they go again in two halves, each with a claim of its own.
        kept = await asyncio.gather(*(self._backed_out(seat, ending=False) for seat in aboard))
        again = [seat for seat, is_back in zip(aboard, kept, strict=True) if is_back]
        half = (len(again) + 1) // 2
        for part in (again[:half], again[half:]):
            if part:
                await self._call(line, lambda part=part: part)  # type: ignore[misc]

    async def _backed_out(self, seat: Seat, *, ending: bool = True) -> bool:
        try:
            await seat.passenger.back_out()
        except Exception as error:  # noqa: BLE001 - it is raised where the job waits
            seat.end(error)
            return False
        if ending:
            seat.end()
        return True


def _numbers(seats: Iterable[Seat]) -> tuple[str, ...]:
    return tuple(name for seat in seats for name in seat.recipients)
