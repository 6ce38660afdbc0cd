"""What an operator's replay of a dead letter makes ready again: only what was not sent."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from schemas import FailureCode, Outcome
from worker.domain.entry import Call, CallState, Entry, Part, Settled, Split, column


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay of one dead letter.

    Attributes:
        id: of the dead letter; the same letter replayed twice counts once.
        force: uncertain recipients are sent to as well: some may get the text twice.
        known_until: until then a ledger that does not know the job has never known it; after it, it may
            have forgotten. None: the job was rejected before it began.
    """

    id: str
    force: bool = False
    known_until: datetime | None = None

    def needs_entry(self, now: datetime) -> bool:
        """Tell whether nobody may be sent to without the job's entry, which alone knows who was."""
        return not self.force and self.known_until is not None and now >= self.known_until


def reopened(entry: Entry, replay: Replay, *, of_part: bool = False) -> Entry:
    """Make ready what the job had given up; every other outcome stands, and so does a call in flight.

    A second time, for the same replay, changes nothing. The outcomes that change are a new revision. Of a job
    that was cancelled nothing is made ready: nobody is to be sent to, and its outcomes are published.
    *of_part*: the entry is of a part of a large job, whose plan is not its own to make again.
    """
    if replay.id in entry.replays:
        return entry
    marked = replace(entry, replays=(*entry.replays, replay.id))
    if entry.plan is None or entry.cancelled is not None:
        return marked
    parts = entry.plan.parts if isinstance(entry.plan, Split) else (entry.plan,)
    if not of_part and _unsent_for_good(parts):
        return _planned_anew(marked)
    if isinstance(entry.plan, Split):
        return marked
    part = replace(entry.plan, calls=_reopened(entry.plan.calls, replay))
    return marked if part == entry.plan else replace(marked, plan=part, revision=entry.revision + 1)


def _unsent_for_good(parts: tuple[Part, ...]) -> bool:
    """Tell whether the job was given up before anybody was to be called."""
    settled = [one for part in parts for one in part.settled]
    given_up = any(one.code == FailureCode.RETRIES_EXHAUSTED for one in settled)
    return given_up and not any(part.calls for part in parts)


def _planned_anew(entry: Entry) -> Entry:
    """Forget the plan; parts of the next one get keys of their own."""
    return replace(entry, plan=None, revision=entry.revision + 1, generation=entry.generation + 1)


def _reopened(calls: tuple[Call, ...], replay: Replay) -> tuple[Call, ...]:
    """Take out of the calls that are done whoever may be sent to again, into calls of their own.

    The others keep their index: another worker may be at one of them.
    """
    kept: list[Call] = []
    behind: list[Call] = []
    for call in calls:
        standing, again = _standing(call, replay), _again(call, replay)
        if again and not standing.recipients:
            standing, *again = again
        kept.append(standing)
        behind += again
    return (*kept, *behind)


def _standing(call: Call, replay: Replay) -> Call:
    """What stays of a call; of one that is done that may be nobody."""
    if call.state is not CallState.DONE:
        return call
    settled = tuple(one for one in call.settled if not _is_open(one, replay))
    return replace(call, recipients=_names(settled), outcomes=column(_names(settled), settled))


def _again(call: Call, replay: Replay) -> list[Call]:
    """Calls for those who may be sent to again.

    One that may have gone out before keeps its count of attempts: should it not be made after all, its
    recipients are as uncertain as they were.
    """
    if call.state is not CallState.DONE:
        return []
    opened = [one for one in call.settled if _is_open(one, replay)]
    unsent = _names(one for one in opened if one.outcome is not Outcome.UNCERTAIN)
    doubtful = _names(one for one in opened if one.outcome is Outcome.UNCERTAIN)
    fresh = (Call(unsent), Call(doubtful, attempts=max(call.attempts, 1)))
    return [new for new in fresh if new.recipients]


def _is_open(one: Settled, replay: Replay) -> bool:
    if one.outcome is Outcome.UNCERTAIN:
        return replay.force
    return one.outcome is Outcome.FAILED and one.code == FailureCode.RETRIES_EXHAUSTED


def _names(settled: Iterable[Settled]) -> tuple[str, ...]:
    return tuple(one.recipient for one in settled)
