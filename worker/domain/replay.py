"""What an operator's replay of a dead letter makes ready again: only what was not sent."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from schemas import FailureCode, Outcome
from worker.domain.entry import Call, CallState, Entry, Part, Settled, Split


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay of one dead letter.

    Attributes:
        id: of the dead letter; the same letter replayed twice counts once.
        force: uncertain recipients are sent to as well: some may get the text twice.
    """

    id: str
    force: bool = False


def reopened(entry: Entry, replay: Replay) -> Entry:
    """Make ready what the job had given up; every other outcome stands.

    A second time, for the same replay, changes nothing. The outcomes that change are a new revision.
    """
    if replay.id in entry.replays or entry.plan is None:
        return entry
    marked = replace(entry, replays=(*entry.replays, replay.id))
    again = _is_open(replay)
    if isinstance(entry.plan, Split):
        return _planned_anew(marked) if _unsent_for_good(entry.plan.parts) else marked
    if _unsent_for_good((entry.plan,)):
        return _planned_anew(marked)
    part = replace(entry.plan, calls=tuple(c for call in entry.plan.calls for c in _reopened(call, again)))
    return marked if part == entry.plan else replace(marked, plan=part, revision=entry.revision + 1)


def _is_open(replay: Replay) -> Callable[[Settled], bool]:
    def is_open(one: Settled) -> bool:
        if one.outcome is Outcome.UNCERTAIN:
            return replay.force
        return one.outcome is Outcome.FAILED and one.code == FailureCode.RETRIES_EXHAUSTED

    return is_open


def _unsent_for_good(parts: tuple[Part, ...]) -> bool:
    """Tell whether the job was given up before anybody was to be called."""
    settled = [one for part in parts for one in part.settled]
    given_up = any(one.code == FailureCode.RETRIES_EXHAUSTED for one in settled)
    return given_up and not any(part.calls for part in parts)


def _planned_anew(entry: Entry) -> Entry:
    """Forget the plan; parts of the next one get keys of their own."""
    return replace(entry, plan=None, revision=entry.revision + 1, generation=entry.generation + 1)


def _reopened(call: Call, is_open: Callable[[Settled], bool]) -> tuple[Call, ...]:
    """Cut a call that is done into what stands and what is ready again."""
    again = tuple(one.recipient for one in call.settled if is_open(one))
    if call.state is not CallState.DONE or not again:
        return (call,)
    ready = Call(again)
    standing = tuple(one for one in call.settled if not is_open(one))
    if not standing:
        return (ready,)
    done = replace(call, recipients=tuple(one.recipient for one in standing), settled=standing)
    return (done, ready)
