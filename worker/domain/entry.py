"""The life of a send in the ledger: what is known, and which step may follow.

An entry belongs to a job, or to one part of a large job. Its calls go through these states, each change
by compare-and-swap, so that of several workers exactly one makes it:

    ready ── begin ──> calling ── settle ──> done
      ^                   │
      └──── release ──────┘     the call certainly did not go out, or the job asked for a repeat

`calling` is written right before the request and `done` right after the reply. Whoever finds `calling`
without being the caller waits until the lease has run out; then the reply is lost for good and the
recipients are `uncertain`. A caller that comes back after that finds its swap refused and adds its
message ids as a revision.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from schemas import Outcome


class CallState(StrEnum):
    """Where a sendSMS call stands."""

    READY = "ready"
    CALLING = "calling"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one recipient.

    Attributes:
        recipient: digits with country code; the producer's spelling where it is invalid.
        message_id: only of an accepted one.
        code: an error code, of all but ``accepted`` and ``dnd``.
        detail: a sentence that goes with the code.
        earlier_ids: ids that ITON gave to the same recipient in a call whose reply came late.
    """

    recipient: str
    outcome: Outcome
    message_id: str | None = None
    code: str | None = None
    detail: str | None = None
    earlier_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One sendSMS request.

    Attributes:
        recipients: at most 100, digits with country code.
        attempts: how often the request may have gone out.
        started: wall-clock seconds since the epoch of the swap to `calling`.
        settled: one for each recipient once the call is done.
        late_ids: message ids of a reply that came after another worker had taken over, by recipient.
    """

    recipients: tuple[str, ...]
    state: CallState = CallState.READY
    attempts: int = 0
    started: float = 0.0
    settled: tuple[Settled, ...] = ()
    late_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """At most 100 recipients that share a result: those settled without a call, and the calls.

    Attributes:
        settled: recipients that are not sent to.
        order: all recipients, as the result lists them.
    """

    order: tuple[str, ...]
    settled: tuple[Settled, ...] = ()
    calls: tuple[Call, ...] = ()

    def next_call(self) -> int | None:
        """Index of the first call that is not done; None when the part is complete."""
        return next((i for i, call in enumerate(self.calls) if call.state is not CallState.DONE), None)

    def outcomes(self) -> tuple[Settled, ...]:
        """Every recipient's outcome, in the result's order. The part must be complete."""
        every = [*self.settled, *(settled for call in self.calls for settled in call.settled)]
        by_name = {settled.recipient: settled for settled in every}
        return tuple(by_name[name] for name in self.order)


@dataclass(frozen=True, slots=True)
class Split:
    """The plan of a large job: its parts as they were cut, once and for all."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger knows of a job or of a part of one.

    Attributes:
        fingerprint: of the job's content; another content under the same id is a conflict.
        plan: None until the recipients were looked up.
        revision: 1; 2 once a late reply changed an outcome.
    """

    fingerprint: str
    plan: Part | Split | None = None
    revision: int = 1

    @property
    def part(self) -> Part:
        """The plan of an entry that is sent by itself."""
        if not isinstance(self.plan, Part):
            raise TypeError("the entry has no calls of its own")
        return self.plan


def begin(entry: Entry, index: int, *, started: float) -> Entry:
    """Mark a call as going out now."""
    call = entry.part.calls[index]
    return _with_call(
        entry, index, replace(call, state=CallState.CALLING, attempts=call.attempts + 1, started=started)
    )


def release(entry: Entry, index: int, *, went_out: bool) -> Entry:
    """Make a call ready again; one that certainly did not go out is not counted as an attempt."""
    call = entry.part.calls[index]
    attempts = call.attempts if went_out else call.attempts - 1
    return _with_call(entry, index, replace(call, state=CallState.READY, attempts=attempts, started=0.0))


def settle(entry: Entry, index: int, settled: tuple[Settled, ...]) -> Entry:
    """Close a call with one outcome for each of its recipients."""
    call = entry.part.calls[index]
    known = tuple(_with_late_id(one, call.late_ids.get(one.recipient)) for one in settled)
    return _with_call(entry, index, replace(call, state=CallState.DONE, settled=known))


def revise(entry: Entry, index: int, message_ids: Mapping[str, str]) -> Entry:
    """Add the ids of a reply that came after the call was taken from its caller.

    An `uncertain` recipient becomes `accepted`; one that was accepted by a repeat keeps its id and names
    the late one beside it. A call that is being repeated remembers the ids until it is settled.
    """
    call = entry.part.calls[index]
    if call.state is not CallState.DONE:
        return _with_call(entry, index, replace(call, late_ids={**call.late_ids, **message_ids}))
    settled = tuple(_with_late_id(one, message_ids.get(one.recipient)) for one in call.settled)
    if settled == call.settled:
        return entry
    return replace(_with_call(entry, index, replace(call, settled=settled)), revision=entry.revision + 1)


def _with_late_id(one: Settled, late_id: str | None) -> Settled:
    if late_id is None or late_id == one.message_id or late_id in one.earlier_ids:
        return one
    if one.message_id is None:
        return Settled(one.recipient, Outcome.ACCEPTED, message_id=late_id)
    return replace(one, earlier_ids=(*one.earlier_ids, late_id))


def _with_call(entry: Entry, index: int, call: Call) -> Entry:
    part = entry.part
    return replace(entry, plan=replace(part, calls=(*part.calls[:index], call, *part.calls[index + 1 :])))
