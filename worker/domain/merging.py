"""What the ledger's version of an entry and the one that a worker has in hand know together.

Other workers only add to an entry, so the ledger's is nearly always the one that knows more. It knows less
where its store forgot something: it was emptied, set back, or failed over to a replica without the last
writes. What a worker knows of calls that went out must be in the ledger again before anybody calls anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from schemas import FailureCode, Outcome
from worker.domain.entry import (
    Call,
    CallState,
    Entry,
    Part,
    Settled,
    Split,
    accepted,
    column,
    ids_of,
    known_apart,
    merge_ids,
    with_late_ids,
    with_late_words,
)

Ids = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What one version of an entry tells of a recipient.

    Attributes:
        ids: message ids, the first one first.
        words: an uncertain outcome that tells ids of nobody; None where none are known.
        outcome: None while it has none.
        call: that it was in.
    """

    ids: Ids
    words: Settled | None
    outcome: Settled | None
    call: Call


def with_ids(entry: Entry) -> int:
    """Count the recipients of whom *entry* holds message ids, or words that tell some.

    They cannot be asked for again.
    """
    calls = entry.plan.calls if isinstance(entry.plan, Part) else ()
    return sum(
        len({*call.late_ids, *call.late_words})
        or sum(1 for one in call.outcomes if isinstance(one, str) or one.message_id or one.tells_ids)
        for call in calls
    )


def merged(found: Entry, known: Entry) -> Entry | None:
    """Return *found* with what *known* holds beyond it, equal to *found* where that is nothing.

    Outcomes that may have been published from *found* and change are a new revision.

    Args:
        found: what the ledger says.
        known: a part's entry, with what this worker knows of its calls.

    Returns:
        None where *found* is no version of the same part.
    """
    if isinstance(found.plan, Split) or not (found.awaits_job or found.fingerprint == known.fingerprint):
        return None
    if not known.part.calls:
        return found
    if found.plan is None:
        return replace(
            known,
            replays=tuple(dict.fromkeys((*found.replays, *known.replays))),
            revision=max(found.revision, known.revision),
            generation=max(found.generation, known.generation),
            cancelled=found.cancelled or known.cancelled,
        )
    facts = {name: fact for call in known.part.calls for name, fact in _facts(call)}
    return _with(_stopped(found, known), found.plan, facts, known.revision)


def _stopped(found: Entry, known: Entry) -> Entry:
    """A cancellation that the store has forgotten holds."""
    return replace(found, cancelled=known.cancelled) if known.cancelled and not found.cancelled else found


def _facts(call: Call) -> Iterable[tuple[str, _Known]]:
    outcomes = {one.recipient: one for one in call.settled}
    for name in call.recipients:
        one = outcomes.get(name)
        ids = (*(ids_of(one) if one else ()), *call.late_ids.get(name, ()))
        words = _in_doubt(one) if one and one.tells_ids else call.late_words.get(name)
        if one or ids or words:
            yield name, _Known(tuple(dict.fromkeys(ids)), words, one, call)


def _in_doubt(one: Settled) -> Settled:
    """What an outcome that tells ids says to whom another worker has called uncertain: not less than that."""
    if one.outcome is Outcome.UNCERTAIN:
        return one
    return one._replace(outcome=Outcome.UNCERTAIN, code=FailureCode.REPLY_UNREADABLE)


def _with(found: Entry, plan: Part, facts: Mapping[str, _Known], revision: int) -> Entry:
    settled = _better(plan.settled, facts)
    calls: list[Call] = []
    behind: list[Call] = []
    for call in plan.calls:
        same, again = _call(call, facts)
        calls.append(same)
        behind += again
    strangers = tuple(
        with_late_ids(accepted(name, fact.ids[0]), fact.ids)
        for name, fact in facts.items()
        if fact.ids and name not in plan.order
    )
    order = (*plan.order, *(one.recipient for one in strangers))
    new = Part(order, (*settled, *strangers), (*calls, *behind))
    told = (plan.order, plan.settled, _told(plan.calls))
    revised = (new.order, new.settled, _told(new.calls[: len(plan.calls)], like=plan.calls))
    raised = found.revision + (told != revised)
    return replace(found, plan=new, revision=max(raised, revision))


def _told(calls: Iterable[Call], *, like: Iterable[Call] | None = None) -> list[tuple[Settled, ...]]:
    """The outcomes of those calls that are done (in *like*): what may have been published."""
    pairs = zip(calls, like or calls, strict=True)
    return [call.settled for call, model in pairs if model.state is CallState.DONE]


def _call(call: Call, facts: Mapping[str, _Known]) -> tuple[Call, list[Call]]:
    """Return *call* with what is known of its recipients, and calls for those who must leave it."""
    if not any(name in facts for name in call.recipients):
        return call, []
    if call.state is CallState.DONE:
        return _ids_added(call, facts), []
    if call.state is CallState.READY:
        return _ready(call, facts)
    own = facts[call.recipients[0]].call if call.recipients[0] in facts else call
    if own.state is CallState.DONE and call.is_still(own):
        # This worker's own call, whose record the store has lost.
        return _ids_added(own, facts), []
    return _with_late(call, facts), []


def _ready(call: Call, facts: Mapping[str, _Known]) -> tuple[Call, list[Call]]:
    """A call that waits to be made: whoever was called, unknown to the ledger, is not called again."""
    gone = tuple(name for name in call.recipients if _went_out(call, facts.get(name)))
    if not gone:
        first, *apart = known_apart(_with_late(call, facts))
        return first, apart
    attempts = max(facts[name].call.attempts for name in gone)
    outcomes = tuple(one for name in gone if (one := facts[name].outcome))
    known = column(gone, _better(outcomes, facts))
    done = Call(gone, CallState.DONE, attempts, facts[gone[0]].call.started, known)
    rest = tuple(name for name in call.recipients if name not in gone)
    if not rest:
        return done, []
    # It keeps its place: another worker may be at it.
    first, *apart = known_apart(_with_late(replace(call, recipients=rest), facts))
    return first, [*apart, done]


def _went_out(call: Call, fact: _Known | None) -> bool:
    """Tell whether the ledger does not know of a call. One that is to be repeated has been counted."""
    return fact is not None and fact.outcome is not None and fact.call.attempts > call.attempts


def _better(settled: Iterable[Settled], facts: Mapping[str, _Known]) -> tuple[Settled, ...]:
    """Return the outcomes with what is known beyond them: ids, be they somebody's or only in words."""
    return tuple(_told_better(one, facts.get(one.recipient)) for one in settled)


def _told_better(one: Settled, fact: _Known | None) -> Settled:
    return with_late_ids(with_late_words(one, fact.words), fact.ids) if fact else one


def _ids_added(call: Call, facts: Mapping[str, _Known]) -> Call:
    return replace(call, outcomes=column(call.recipients, _better(call.settled, facts)))


def _with_late(call: Call, facts: Mapping[str, _Known]) -> Call:
    known = {name: facts[name] for name in call.recipients if name in facts}
    ids = {name: fact.ids for name, fact in known.items() if fact.ids}
    # Of a call that is not known to have gone out, a refusal is in no doubt.
    words = {name: fact.words for name, fact in known.items() if fact.words and call.attempts}
    if not (ids or words):
        return call
    told = {name: with_late_words(call.late_words.get(name, late), late) for name, late in words.items()}
    late_words = {**call.late_words, **told}
    return replace(call, late_ids=merge_ids(call.late_ids, ids), late_words=late_words)
