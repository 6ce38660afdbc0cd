"""A ledger entry as bytes: compact JSON, compressed where it is long.

The form is versioned, since workers of two releases share a ledger while a deployment rolls.
"""

import json
import zlib
from typing import Any

from pydantic_core import to_json

from schemas import Outcome
from worker.domain.entry import Call, CallState, Entry, Part, Settled, Split

# What an entry says of a cancellation is not for a release to overlook that cannot read it.
_PLAIN_FORM, _FORM = 1, 2
_LONG = 4096  # bytes; phone numbers compress to a third, and a plan of 100,000 of them is 3 MB
_COMPRESSED = b"z"


class UnreadableEntryError(ValueError):
    """The entry was written by a newer release, or is damaged.

    Attributes:
        is_newer: the former.
    """

    def __init__(self, words: str, *, is_newer: bool = False) -> None:
        super().__init__(words)
        self.is_newer = is_newer


def encode(entry: Entry) -> bytes:
    """Return the bytes that `decode` turns back into *entry*."""
    row: dict[str, Any] = {"v": _PLAIN_FORM, "f": entry.fingerprint}
    if entry.cancelled is not None:
        row |= {"v": _FORM, "c": entry.cancelled}
    if entry.revision != 1:
        row["r"] = entry.revision
    if entry.replays:
        row["y"] = entry.replays
    if entry.generation:
        row["g"] = entry.generation
    if isinstance(entry.plan, Part):
        row["p"] = part_to_row(entry.plan)
    elif entry.plan is not None:
        row["s"] = [part_to_row(part) for part in entry.plan.parts]
    plain = to_json(row)
    return plain if len(plain) < _LONG else _COMPRESSED + zlib.compress(plain, 1)


def decode(state: bytes) -> Entry:
    """Read what `encode` wrote.

    Raises:
        UnreadableEntryError: it is something else.
    """
    try:
        row = json.loads(zlib.decompress(state[1:]) if state.startswith(_COMPRESSED) else state)
        if row["v"] not in {_PLAIN_FORM, _FORM}:
            words = f"a ledger entry has form {row['v']}, this release reads up to {_FORM}"
            raise UnreadableEntryError(words, is_newer=isinstance(row["v"], int) and row["v"] > _FORM)
        replays, generation = tuple(row.get("y", ())), row.get("g", 0)
        return Entry(row["f"], _plan(row), row.get("r", 1), replays, generation, row.get("c"))
    except (KeyError, TypeError, IndexError, ValueError, zlib.error, RecursionError, AttributeError) as error:
        if isinstance(error, UnreadableEntryError):
            raise
        raise UnreadableEntryError(f"a ledger entry cannot be read ({type(error).__name__})") from None


def _plan(row: dict[str, Any]) -> Part | Split | None:
    if "p" in row:
        return part_from_row(row["p"])
    return Split(tuple(part_from_row(part) for part in row["s"])) if "s" in row else None


def part_to_row(part: Part) -> list[Any]:
    """Return *part* as a JSON value."""
    calls = [_call_row(call) for call in part.calls]
    alone = len(part.calls) == 1 and part.calls[0].recipients == part.order
    return [None if alone else part.order, [_settled_row(one) for one in part.settled], calls]


def part_from_row(row: list[Any]) -> Part:
    """Read what `part_to_row` returned.

    Raises:
        UnreadableEntryError: it is something else.
    """
    try:
        order, settled, calls = row
        read = tuple(_call(call) for call in calls)
        names = read[0].recipients if order is None else tuple(order)
        return Part(names, tuple(_settled(one) for one in settled), read)
    except (AttributeError, TypeError, IndexError, ValueError) as error:
        raise UnreadableEntryError(f"a part cannot be read ({type(error).__name__})") from None


def _call_row(call: Call) -> list[Any]:
    # Outcomes in their order; one that is plainly accepted is its message id, as it is in memory.
    outcomes = [one if isinstance(one, str) else _settled_row(one) for one in call.outcomes]
    row: list[Any] = [call.recipients, call.state.value, call.attempts, call.started, outcomes]
    if call.late_ids or call.late_words:
        row.append({name: list(ids) for name, ids in call.late_ids.items()})
    if call.late_words:
        row.append([_settled_row(one) for one in call.late_words.values()])
    return row


def _call(row: list[Any]) -> Call:
    recipients, state, attempts, started, outcomes, *late = row
    if any(isinstance(one, str) for one in outcomes[len(recipients) :]):
        raise UnreadableEntryError("a call has more outcomes than recipients")
    read = tuple([one if isinstance(one, str) else _settled(one) for one in outcomes])
    late_ids = {name: tuple(ids) for name, ids in late[0].items()} if late else {}
    words = [_settled(one) for one in late[1]] if len(late) > 1 else []
    late_words = {one.recipient: one for one in words}
    return Call(tuple(recipients), CallState(state), attempts, started, read, late_ids, late_words)


def _settled_row(one: Settled) -> list[Any]:
    row: list[Any] = [one.recipient, one.outcome.value, one.message_id, one.code, one.detail]
    # The last one is new: earlier releases pass over it.
    row += [list(one.earlier_ids), int(one.tells_ids)]
    while not row[-1]:
        row.pop()
    return row


def _settled(row: list[Any]) -> Settled:
    recipient, outcome, *rest = row
    message_id, code, detail, earlier, tells = (rest + [None] * 5)[:5]
    return Settled(recipient, Outcome(outcome), message_id, code, detail, tuple(earlier or ()), bool(tells))
