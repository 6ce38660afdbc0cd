"""The code held to the model: each change of a ledger entry is a row of transitions.pml, which is read here.

An entry is seen from each of its recipients, as the model sees it: the state, the calls that may have gone
out, the message ids. To the model every id is somebody's. Those that a reply gives to nobody stand in words,
and what may become of these is said here.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from proof.spin import MODEL
from schemas import Outcome
from worker.domain.entry import Call, CallState, Entry, Part, Settled, Split
from worker.domain.entry_codec import UnreadableEntryError, decode

_ROW = re.compile(r"^ +row\((\w+), +(\w+), +(\w+), +(-?\d), +(\d)\)", re.MULTILINE)
_ENDS = {Outcome.ACCEPTED: "ACCEPTED", Outcome.UNCERTAIN: "UNCERTAIN"}
# A late reply brings words alone: by state, what they add to the revision.
_KEPT_WORDS = {"UNCERTAIN": 1, "CALLING": 0}
_NOBODY = ""  # stands for all recipients of an entry that names none yet


class NotInModelError(AssertionError):
    """An entry changed in a way that the model does not know."""


class Row(NamedTuple):
    """A change that is allowed: the states, and what is added to the count of calls and to the revision."""

    before: str
    after: str
    calls: int
    revision: int


class Seen(NamedTuple):
    """An entry as one recipient sees it; *words* tell message ids that a reply gave to nobody."""

    state: str
    calls: int = 0
    ids: frozenset[str] = frozenset()
    words: str = ""


_ABSENT = Seen("ABSENT")


@cache
def table() -> dict[Row, tuple[str, ...]]:
    """The rows of the model and the names of what they are."""
    names: dict[Row, tuple[str, ...]] = {}
    for name, before, after, calls, revision in _ROW.findall((MODEL / "transitions.pml").read_text()):
        row = Row(before, after, int(calls), int(revision))
        names[row] = (*names.get(row, ()), name)
    return names


def check(before: Entry | None, after: Entry) -> Counter[str]:
    """Return how often each change of the model was made from *before* (None: there was no entry) to *after*.

    Raises:
        NotInModelError: something else was changed.
    """
    made: Counter[str] = Counter()
    revised = after.revision - before.revision if before else 0
    highest = 0
    for old, new in _pairs(before, after):
        if old == new:
            continue
        row, name = _named(old, new, revised)
        if name == "CLAIM" and after.cancelled is not None:
            raise NotInModelError(f"{old} became {new} although the job is cancelled")
        highest = max(highest, row.revision)
        made[name] += 1
    if revised != highest:
        raise NotInModelError(f"the revision changed by {revised}, and the outcomes by none of that kind")
    _keeps_identity(before, after)
    if after.cancelled is not None and (before is None or before.cancelled is None):
        made["CANCEL"] += 1
    return made


def check_states(before: bytes | None, after: bytes) -> Counter[str]:
    """The same of entries as they are stored; nothing of one that a test has damaged on purpose.

    Raises:
        NotInModelError: as `check`.
    """
    try:
        return check(decode(before) if before is not None else None, decode(after))
    except UnreadableEntryError:
        return Counter()


def _named(old: Seen, new: Seen, revised: int) -> tuple[Row, str]:
    """Find the row. Of several recipients of an entry one may be revised while another is not."""
    if not old.ids <= new.ids:
        raise NotInModelError(f"message ids are gone: {old} became {new}")
    if old.words not in new.words and not _over(old, new):
        raise NotInModelError(f"words with message ids are gone: {old} became {new}")
    if old._replace(words=new.words) == new and _KEPT_WORDS.get(new.state) in {0, revised}:
        return Row(old.state, new.state, 0, _KEPT_WORDS[new.state]), "TELL"
    for revision in sorted({0, revised}, reverse=True):
        calls = new.calls - old.calls
        # Who writes anew what the ledger forgot knows of one call or of several.
        row = Row(old.state, new.state, min(calls, 1), revision)
        names = table().get(row)
        if names:
            return row, _best(names, gained=bool(new.ids - old.ids))
    raise NotInModelError(f"{old} became {new}, the revision changed by {revised}")


def _over(old: Seen, new: Seen) -> bool:
    """Tell whether words have had their time: there is an id of its own, or an operator insists."""
    return new.state == "ACCEPTED" or (old.state, new.state) == ("UNCERTAIN", "AGAIN")


def _best(names: tuple[str, ...], *, gained: bool) -> str:
    """Tell apart what has the same row: a reply brings ids, what is accepted without one had them before."""
    return min(names, key=lambda name: (name == "RECORD") is not gained)


def _keeps_identity(before: Entry | None, after: Entry) -> None:
    if before is None:
        return
    if before.fingerprint != after.fingerprint and not before.awaits_job:
        raise NotInModelError("the entry is another job's now")
    if before.replays != after.replays[: len(before.replays)]:
        raise NotInModelError("a replay was forgotten")
    if before.cancelled is not None and before.cancelled != after.cancelled:
        raise NotInModelError("a cancellation was taken back")


def _pairs(before: Entry | None, after: Entry) -> Iterator[tuple[Seen, Seen]]:
    old, new = _views(before), _views(after)
    everybody = old.keys() | new.keys()
    for name in everybody - {_NOBODY} if len(everybody) > 1 else everybody:
        yield _view(old, name), _view(new, name)


def _view(views: dict[str, Seen], name: str) -> Seen:
    if name not in views and _NOBODY not in views:
        raise NotInModelError("an entry's recipients changed")
    return views.get(name) or views[_NOBODY]


def _views(entry: Entry | None) -> dict[str, Seen]:
    """See the entry from each recipient; what names nobody looks alike to all."""
    if entry is None:
        return {_NOBODY: _ABSENT}
    if entry.plan is None:
        return {_NOBODY: Seen("OPENED")}
    if isinstance(entry.plan, Split):
        return dict(_of_split(entry.plan))
    return dict(_of_part(entry.plan))


def _of_split(split: Split) -> Iterator[tuple[str, Seen]]:
    for part in split.parts:
        yield from ((one.recipient, Seen("UNSENT")) for one in part.settled)
        yield from ((name, Seen("PLANNED")) for call in part.calls for name in call.recipients)


def _of_part(part: Part) -> Iterator[tuple[str, Seen]]:
    yield from ((one.recipient, Seen("UNSENT")) for one in part.settled)
    for call in part.calls:
        yield from _of_call(call)


def _of_call(call: Call) -> Iterator[tuple[str, Seen]]:
    if call.state is CallState.DONE:
        yield from ((one.recipient, Seen(*_end(call, one))) for one in call.settled)
        return
    waits = "AGAIN" if call.attempts else "READY"
    state = "CALLING" if call.state is CallState.CALLING else waits
    for name in call.recipients:
        late = call.late_words.get(name)
        yield name, Seen(state, call.attempts, frozenset(call.late_ids.get(name, ())), _words(late))


def _end(call: Call, one: Settled) -> tuple[str, int, frozenset[str], str]:
    ids = frozenset(filter(None, (one.message_id, *one.earlier_ids)))
    return _ENDS.get(one.outcome, "UNSENT"), call.attempts, ids, _words(one)


def _words(one: Settled | None) -> str:
    if one is None or not one.tells_ids or one.outcome is not Outcome.UNCERTAIN:
        return ""
    return one.detail or ""
