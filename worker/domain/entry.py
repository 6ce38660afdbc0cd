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

A cancellation is a mark in the same entry: who is about to write `calling` loses the race against it, reads
the entry again and settles what would have been sent to. No step takes the mark away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum
from typing import NamedTuple

from schemas import FailureCode, Outcome
from worker.domain.value import value


class CallState(StrEnum):
    """Where a sendSMS call stands."""

    READY = "ready"
    CALLING = "calling"
    DONE = "done"


class Settled(NamedTuple):
    """What became of one recipient. A tuple: a hundred are made for each call.

    Attributes:
        recipient: digits with country code; the producer's spelling where it is invalid.
        message_id: only of an accepted one.
        code: an error code, of all but ``accepted`` and ``dnd``.
        detail: a sentence that goes with the code.
        earlier_ids: further ids that ITON gave to the same recipient, in the same reply or in a call whose
            reply came late.
        tells_ids: the detail has message ids of a reply that gives them to nobody, or what may be some: they
            stand nowhere else.
    """

    recipient: str
    outcome: Outcome
    message_id: str | None = None
    code: str | None = None
    detail: str | None = None
    earlier_ids: tuple[str, ...] = ()
    tells_ids: bool = False


_ACCEPTED = Outcome.ACCEPTED

MessageIds = Mapping[str, tuple[str, ...]]
"""What a reply to sendSMS names: by recipient at least one id, more where the gateway gave it several."""


Column = tuple[str | Settled, ...]
"""Outcomes beside their recipients: of one that was accepted with one id, as nearly all are, the id alone."""


def column(recipients: Sequence[str], settled: Sequence[Settled]) -> Column:
    """Return the outcomes of *recipients* as a column."""
    if len(recipients) != len(settled):
        return tuple(settled)
    return tuple([_alone(name, one) for name, one in zip(recipients, settled, strict=True)])


def _alone(name: str, one: Settled) -> str | Settled:
    """The message id, where the outcome says no more than that."""
    recipient, outcome, message_id, code, detail, earlier_ids, _ = one
    plain = outcome is _ACCEPTED and message_id and not (code or detail or earlier_ids)
    return message_id if plain and recipient == name and message_id else one


def accepted(recipient: str, message_id: str) -> Settled:
    """Settle one recipient as nearly all are; a call with names would take twice as long."""
    return tuple.__new__(Settled, (recipient, _ACCEPTED, message_id, None, None, (), False))


@value
class Call:
    """One sendSMS request.

    Attributes:
        recipients: at most 100, digits with country code.
        attempts: how often the request may have gone out.
        started: wall-clock seconds since the epoch of the swap to `calling`.
        outcomes: one for each recipient, in their order, once the call is done; as `column` makes them.
        late_ids: message ids of replies that came after another worker had taken over, by recipient.
        late_words: of such replies that name ids of nobody, by recipient: uncertain outcomes that tell them,
            until the call is done.
    """

    recipients: tuple[str, ...]
    state: CallState = CallState.READY
    attempts: int = 0
    started: float = 0.0
    outcomes: Column = ()
    late_ids: MessageIds = field(default_factory=dict)
    late_words: Mapping[str, Settled] = field(default_factory=dict)

    @property
    def settled(self) -> tuple[Settled, ...]:
        """The outcomes, each with its recipient."""
        return tuple(
            [
                accepted(self.recipients[place], one) if isinstance(one, str) else one
                for place, one in enumerate(self.outcomes)
            ]
        )

    def is_still(self, begun: "Call") -> bool:
        """Tell whether this is the call that was begun as *begun* was: not settled, not taken over."""
        mine = (CallState.CALLING, begun.attempts, begun.started, begun.recipients)
        return mine == (self.state, self.attempts, self.started, self.recipients)


@value
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
        for index, call in enumerate(self.calls):
            if call.state is not CallState.DONE:
                return index
        return None

    def holds_together(self) -> bool:
        """Tell whether each recipient is settled or in a call, once."""
        called = [name for call in self.calls for name in call.recipients]
        return sorted(self.order) == sorted([*called, *(one.recipient for one in self.settled)])

    def still_at(self, begun: Call) -> int | None:
        """Index of the call that was begun as *begun*; None when it was settled or taken over."""
        return next((i for i, call in enumerate(self.calls) if call.is_still(begun)), None)

    def outcomes(self) -> tuple[Settled, ...]:
        """Every recipient's outcome, in the result's order. The part must be complete."""
        every = [*self.settled, *(settled for call in self.calls for settled in call.settled)]
        by_name = {settled.recipient: settled for settled in every}
        return tuple(by_name[name] for name in self.order)

    @property
    def message_ids(self) -> tuple[str, ...] | None:
        """The id of each recipient, in their order, where all were accepted in one call, with one id."""
        if self.settled or len(self.calls) != 1 or self.calls[0].recipients != self.order:
            return None
        ids = tuple([one for one in self.calls[0].outcomes if type(one) is str])
        return ids if len(ids) == len(self.order) else None

    def given_up(self) -> Settled | None:
        """One whose attempts were used up; None where there is none."""
        called = (one for call in self.calls for one in call.outcomes if isinstance(one, Settled))
        every = (*self.settled, *called)
        return next((one for one in every if one.code == FailureCode.RETRIES_EXHAUSTED), None)


@value
class Split:
    """The plan of a large job: its parts as they were cut, once and for all."""

    parts: tuple[Part, ...]


@value
class Entry:
    """What the ledger knows of a job or of a part of one.

    Attributes:
        fingerprint: of the job's content; another content under the same id is a conflict.
        plan: None until the recipients were looked up.
        revision: 1; 2 once a late reply or a replay changed an outcome.
        replays: ids of the dead letters that were replayed into it.
        generation: of the plan; a replay of a job that nobody was called for plans it anew.
        cancelled: the request that stopped the job, None while none did. Once it is there it stays, and no
            call begins.
    """

    fingerprint: str
    plan: Part | Split | None = None
    revision: int = 1
    replays: tuple[str, ...] = ()
    generation: int = 0
    cancelled: str | None = None

    @property
    def awaits_job(self) -> bool:
        """Whether only a cancellation is known: the first job that comes with the id is it."""
        return not self.fingerprint

    @property
    def part(self) -> Part:
        """The plan of an entry that is sent by itself."""
        if not isinstance(self.plan, Part):
            raise TypeError("the entry has no calls of its own")
        return self.plan


def begin(entry: Entry, index: int, *, started: float) -> Entry:
    """Mark a call as going out now.

    Raises:
        ValueError: it is not ready, or the job is cancelled.
    """
    part = entry.part
    call = part.calls[index]
    if call.state is not CallState.READY or entry.cancelled is not None:
        raise ValueError("only a call that is ready may begin, and none of a cancelled job")
    attempts, late = call.attempts + 1, (call.late_ids, call.late_words)
    calling = Call(call.recipients, CallState.CALLING, attempts, started, call.outcomes, *late)
    return _with_call(entry, part, index, calling)


def release(entry: Entry, index: int, *, went_out: bool) -> Entry:
    """Make a call ready again; one that certainly did not go out is not counted as an attempt.

    Whom a late reply has brought an id meanwhile, or words that tell some, is settled instead.
    """
    part = entry.part
    call = part.calls[index]
    attempts = call.attempts if went_out else call.attempts - 1
    ready = replace(call, state=CallState.READY, attempts=attempts, started=0.0)
    return _with_call(entry, part, index, *known_apart(ready))


def settle(entry: Entry, index: int, outcomes: Column) -> Entry:
    """Close a call with one outcome for each of its recipients."""
    part = entry.part
    call = part.calls[index]
    done = Call(call.recipients, CallState.DONE, call.attempts, call.started, outcomes, call.late_ids)
    if call.late_ids or call.late_words:
        late = [_with_late(call, one) for one in done.settled]
        done = replace(done, outcomes=column(call.recipients, late))
    return _with_call(entry, part, index, done)


def known_apart(call: Call) -> tuple[Call, ...]:
    """Take out of a call that waits for its repeat those of whom late replies have brought an id, or words.

    Nobody calls for them again. What is still to be called comes first and keeps the call's place.
    """
    known = tuple([name for name in call.recipients if name in call.late_ids or name in call.late_words])
    if call.state is not CallState.READY or not known:
        return (call,)
    ids = {name: call.late_ids[name] for name in known if name in call.late_ids}
    settled = [_with_late(call, Settled(name, Outcome.UNCERTAIN)) for name in known]
    done = Call(known, CallState.DONE, call.attempts, call.started, column(known, settled), ids)
    rest = tuple(name for name in call.recipients if name not in known)
    return (replace(call, recipients=rest, late_ids={}, late_words={}), done) if rest else (done,)


def ids_of(one: Settled) -> tuple[str, ...]:
    """All ids that a recipient got, the one of its outcome first."""
    return (one.message_id, *one.earlier_ids) if one.message_id else ()


def merge_ids(known: MessageIds, more: MessageIds) -> MessageIds:
    """Return the ids of both, each once, by recipient."""
    both = {name: tuple(dict.fromkeys((*known.get(name, ()), *ids))) for name, ids in more.items()}
    return {**known, **both}


def with_late_ids(one: Settled, late_ids: tuple[str, ...]) -> Settled:
    """Add ids of replies that came late, or that the ledger has lost: whoever has an id was sent to."""
    for late_id in late_ids:
        if one.message_id is None:
            one = Settled(one.recipient, Outcome.ACCEPTED, message_id=late_id)
        elif late_id != one.message_id and late_id not in one.earlier_ids:
            one = one._replace(earlier_ids=(*one.earlier_ids, late_id))
    return one


def with_late_words(one: Settled, late: Settled | None) -> Settled:
    """Tell what *late* tells, an uncertain outcome whose detail has ids, of whom is still in doubt."""
    if late is None or one.outcome is not Outcome.UNCERTAIN:
        return one
    if not one.tells_ids:
        return late
    words, more = one.detail or "", late.detail or ""
    if more in words:
        return one
    return late if words in more else one._replace(detail=f"{words}; {more}")


def _with_late(call: Call, one: Settled) -> Settled:
    name = one.recipient
    told = with_late_words(one, call.late_words.get(name))
    return with_late_ids(told, call.late_ids.get(name, ()))


def _with_call(entry: Entry, part: Part, index: int, call: Call, *behind: Call) -> Entry:
    # Twice for each call that is made: dataclasses.replace would take five times as long.
    calls = (*part.calls[:index], call, *part.calls[index + 1 :], *behind)
    plan = Part(part.order, part.settled, calls)
    return Entry(entry.fingerprint, plan, entry.revision, entry.replays, entry.generation, entry.cancelled)
