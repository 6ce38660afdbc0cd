"""What the ledger knows of jobs, read beside workers that run; nothing is ever written."""

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from schemas.outcomes import CancelStatus
from worker.domain.cancel_request import cancel_key, decode_request
from worker.domain.entry import Call, CallState, Entry, Part, Split
from worker.domain.entry_codec import UnreadableEntryError, decode
from worker.domain.errors import WorkerError
from worker.handlers import parallel
from worker.handlers.send.head import keys_of_parts
from worker.ports import Stored

_AT_ONCE = 50  # parts that are read together


class Readable(Protocol):
    """A ledger whose entries can be read and listed."""

    def load(self, key: str) -> Awaitable[Stored | None]:
        """Return the entry, or None."""
        ...

    def pages(self) -> AsyncGenerator[Sequence[tuple[str, Stored]]]:
        """Yield all entries that live, some at a time, perhaps one twice."""
        ...


class JobUnknownError(WorkerError):
    """The ledger knows nothing under the id."""


class JobState(StrEnum):
    """How far a send job has come."""

    EXPECTED = "expected"  # cancelled before it came
    OPENED = "opened"  # taken, and not planned: it waits for its lookups or its time
    WAITING = "waiting"  # planned; recipients wait for their call
    CALLING = "calling"
    DONE = "done"
    IN_PARTS = "in_parts"  # of a large job whose parts were not looked at
    UNREADABLE = "unreadable"  # damaged, or a newer release's


@dataclass(frozen=True, slots=True)
class Fate:
    """One recipient.

    Attributes:
        outcome: None while it has none.
        code: an error code, where the outcome has one.
    """

    recipient: str
    outcome: str | None = None
    message_id: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger has of a send job.

    Attributes:
        cancelled: the request that stopped it.
        parts: of its result; 0 while it is not planned.
        parts_done: of these.
        fates: of its recipients, as far as they are known.
        attempts: calls that went out, or may have.
        tally: see `counts`, where the recipients themselves were let go.
    """

    job_id: str
    state: JobState
    cancelled: str | None = None
    revision: int = 1
    parts: int = 0
    parts_done: int = 0
    attempts: int = 0
    fates: tuple[Fate, ...] = field(default=(), repr=False)
    tally: Mapping[str, int] | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        """How many recipients ended so; those without an outcome are ``open``."""
        if self.tally is not None:
            return self.tally
        return dict(Counter(fate.outcome or "open" for fate in self.fates))


@dataclass(frozen=True, slots=True)
class Request:
    """What the ledger has of a cancel job.

    Attributes:
        answer: None while it is under way.
    """

    job_id: str
    target: str
    answer: CancelStatus | None


async def look_up(ledger: Readable, job_id: str) -> tuple[Known | None, Request | None]:
    """Return what is known of the send job and of the cancel job with the id; at least one is.

    Raises:
        JobUnknownError: neither is.
        LedgerUnavailableError: the store is away.
    """
    stored, asked = await ledger.load(job_id), await ledger.load(cancel_key(job_id))
    known = await _whole(ledger, job_id, stored) if stored else None
    request = _request(job_id, asked) if asked else None
    if known is None and request is None:
        words = f"the ledger knows no job {job_id}: it never came, or was forgotten after its retention"
        raise JobUnknownError("job_unknown", words)
    return known, request


async def walk(ledger: Readable) -> AsyncGenerator[Known]:
    """Yield the send jobs, in no order; of a large one not its parts.

    Raises:
        LedgerUnavailableError: the store is away.
    """
    async with aclosing(ledger.pages()) as pages:
        async for page in pages:
            for key, stored in page:
                if "/" not in key:  # what belongs to a job, or is one of another kind, has a slash
                    yield _seen(key, stored)


def _request(job_id: str, stored: Stored) -> Request | None:
    try:
        found = decode_request(stored.state)
    except UnreadableEntryError:
        return None
    return Request(job_id, found.target, found.answer)


async def _whole(ledger: Readable, job_id: str, stored: Stored) -> Known:
    """Look at the parts of a large job as well."""
    entry = _decoded(stored)
    if entry is None or not isinstance(entry.plan, Split):
        return _seen(job_id, stored)

    async def entry_of(one: tuple[str, Part]) -> Entry:
        found = await ledger.load(one[0])
        return (_decoded(found) if found else None) or Entry(entry.fingerprint, one[1])

    parts = await parallel.each(entry_of, keys_of_parts(job_id, entry), limit=_AT_ONCE)
    seen = [_seen_entry(job_id, part) for part in parts]
    states = {one.state for one in seen}
    state = next((one for one in (JobState.CALLING, JobState.WAITING) if one in states), JobState.DONE)
    return Known(
        job_id,
        state,
        entry.cancelled,
        max([entry.revision, *(one.revision for one in seen)]),
        len(seen),
        sum(one.parts_done for one in seen),
        sum(one.attempts for one in seen),
        tuple(fate for one in seen for fate in one.fates),
    )


def _decoded(stored: Stored) -> Entry | None:
    try:
        return decode(stored.state)
    except UnreadableEntryError:
        return None


def _seen(job_id: str, stored: Stored) -> Known:
    entry = _decoded(stored)
    return Known(job_id, JobState.UNREADABLE) if entry is None else _seen_entry(job_id, entry)


def _seen_entry(job_id: str, entry: Entry) -> Known:
    if entry.plan is None:
        state = JobState.EXPECTED if entry.awaits_job else JobState.OPENED
        return Known(job_id, state, entry.cancelled, entry.revision)
    if isinstance(entry.plan, Split):
        parts = len(entry.plan.parts)
        fates = tuple(Fate(name) for part in entry.plan.parts for name in part.order)
        return Known(job_id, JobState.IN_PARTS, entry.cancelled, entry.revision, parts, fates=fates)
    part = entry.plan
    states = {call.state for call in part.calls}
    state = JobState.CALLING if CallState.CALLING in states else JobState.WAITING
    if part.next_call() is None:
        state = JobState.DONE
    attempts = sum(call.attempts for call in part.calls)
    done = int(state is JobState.DONE)
    fates = tuple(_fates(part))
    return Known(job_id, state, entry.cancelled, entry.revision, 1, done, attempts, fates)


def _fates(part: Part) -> Iterator[Fate]:
    for one in part.settled:
        yield Fate(one.recipient, one.outcome.value, one.message_id, one.code)
    for call in part.calls:
        yield from _of_call(call)


def _of_call(call: Call) -> Iterator[Fate]:
    if call.state is not CallState.DONE:
        yield from (Fate(name) for name in call.recipients)
        return
    for one in call.settled:
        yield Fate(one.recipient, one.outcome.value, one.message_id, one.code)
