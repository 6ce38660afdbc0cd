"""The code held to the model: each change of an entry of tracked messages is made of rows of units.pml."""

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from proof.spin import MODEL
from proof.transitions import NotInModelError
from worker.domain.entry_codec import UnreadableEntryError
from worker.domain.tracking import Unit, decode_unit

_ROW = re.compile(r"^ +unit_row\((\w+), +(\w+), +(\w+), +(\d), +(\d), (\d)\)", re.MULTILINE)
_SAME = "SAME"


class Row(NamedTuple):
    """What a write does to one message: as units.pml has it."""

    before: str
    after: str
    look: bool
    untold_before: bool
    untold_after: bool


@cache
def table() -> dict[Row, str]:
    """The rows of the model and the names of what they are."""
    rows = _ROW.findall((MODEL / "units.pml").read_text())
    return {
        Row(before, after, look == "1", old == "1", new == "1"): name
        for name, before, after, look, old, new in rows
    }


def check_unit(before: Unit | None, after: Unit) -> str:
    """Name the change from *before* (None: there was no entry) to *after*.

    Raises:
        NotInModelError: the model does not know it.
    """
    _keeps_count(before, after)
    old = before or Unit(look=0)
    look = before is not None and after.look > before.look
    names = set()
    for was, now in set(_changes(old, after)):
        row = Row(was, now, look, bool(old.unpublished), bool(after.unpublished))
        if row not in table():
            raise NotInModelError(f"messages of a unit: {row}")
        names.add(table()[row])
    if len(names) != 1:
        raise NotInModelError(f"a change of a unit is of one kind, not {sorted(names)}")
    return names.pop()


def check_unit_states(before: bytes | None, after: bytes) -> str:
    """The same of units as they are stored. What a test has damaged on purpose counts as no entry.

    Raises:
        NotInModelError: as `check_unit`.
    """
    old = None
    with suppress(UnreadableEntryError):
        old = decode_unit(before) if before is not None else None
    return check_unit(old, decode_unit(after))


def _changes(old: Unit, new: Unit) -> Iterator[tuple[str, str]]:
    before, after = _views(old), _views(new)
    for message in before.keys() | after.keys():
        was, now = before.get(message, "ABSENT"), after.get(message, "ABSENT")
        yield (_SAME, _SAME) if was == now else (was, now)


def _views(unit: Unit) -> dict[str, str]:
    states = dict.fromkeys(unit.ended, "ENDED") | {one.message_id: "OPEN" for one in unit.open}
    if len(states) != len(unit.open) + len(unit.ended):
        raise NotInModelError("a message is open and ended, or twice in a unit")
    return states


def _keeps_count(before: Unit | None, after: Unit) -> None:
    """What the model has as numbers: looks, results, and the message that brings the next look."""
    old = before or Unit(look=0)
    if after.look < old.look or after.results < old.results:
        raise NotInModelError("the looks or the results of a unit go back")
    recorded = bool(after.unpublished) and not old.unpublished
    if before is not None and (after.results > old.results) is not recorded:
        raise NotInModelError("results of a unit are counted when they are recorded")
    if not after.unpublished and bool(after.nonce) is not bool(after.open):
        raise NotInModelError("a message brings the next look exactly where something is open")
