"""What is remembered of the messages of a tracked part, and which step may follow.

A part of a send job with ``track`` is a unit: its accepted messages are looked at together. The unit's entry
in the ledger names the look that is due, and by its nonce the one message of the broker that brings it. That
message is published, and confirmed, *before* the entry names it, and acknowledged after the entry went on:

    look 1 due ── asked ── finals recorded ── published ── next message out ── look 2 due ── acknowledged

So an entry always has a message on its way, whoever is killed where; and a message that it does not name, for
a look that is past, is of no use any more and may be dropped.
"""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from pydantic_core import to_json

from schemas import Outcome
from worker.domain.entry import Part, ids_of
from worker.domain.entry_codec import UnreadableEntryError

_FORM = 1
_LONG = 2048  # bytes; ids compress to a half, results with their texts to a tenth
_COMPRESSED = b"z"
_NAMESPACE = "track//"  # neither the key of a job nor that of a part has two slashes in a row


class Tracked(NamedTuple):
    """An accepted message whose end is not known.

    Attributes:
        recipients: digits with country code; those of the part that ITON gave this id.
        accepted: whole seconds since the epoch.
    """

    message_id: str
    recipients: tuple[str, ...]
    accepted: int


class Result(NamedTuple):
    """A tracked result, recorded and perhaps not published.

    Attributes:
        number: its ``track``.
        body: as it is published, each time the same.
    """

    number: int
    body: str


@dataclass(frozen=True, slots=True)
class Unit:
    """The tracked messages of a part.

    Attributes:
        look: which one is due, from 1.
        nonce: of the message that brings it; empty while there is none, since nothing is open.
        step: looks with an answer so far, since messages were last added; it decides on the delay.
        results: how many there were.
        open: messages without an end.
        ended: ids of those that have one.
        unpublished: results of the look that is due; then it was made, and nobody asks again.
    """

    look: int = 1
    nonce: str = ""
    step: int = 0
    results: int = 0
    open: tuple[Tracked, ...] = ()
    ended: tuple[str, ...] = ()
    unpublished: tuple[Result, ...] = ()

    def with_more(self, messages: Iterable[Tracked]) -> "Unit":
        """Add those that it does not know; their looks begin anew."""
        known = {one.message_id for one in self.open}.union(self.ended)
        more = tuple(one for one in messages if one.message_id not in known)
        return replace(self, open=(*self.open, *more), step=0) if more else self

    def recorded(self, ended: Iterable[str], results: Iterable[Result]) -> "Unit":
        """End the messages with these ids, of which *results* tell."""
        over, told = tuple(ended), tuple(results)
        left = tuple(one for one in self.open if one.message_id not in set(over))
        return replace(
            self,
            open=left,
            ended=(*self.ended, *over),
            results=self.results + len(told),
            unpublished=told,
        )

    def at(self, look: int, nonce: str, *, step: int) -> "Unit":
        """Go on to *look*, which the message with *nonce* brings. The results of the one before are out."""
        return replace(self, look=look, nonce=nonce, step=step, unpublished=())


def delay_of(delays: tuple[int, ...], step: int, left: float) -> int:
    """Return the seconds until the next look.

    Args:
        delays: one a step; the last one repeats.
        step: looks that were answered before.
        left: seconds until the first of the messages has been tracked for as long as that may take; the look
            after that comes soon.
    """
    regular = delays[min(step, len(delays) - 1)]
    soon = [delay for delay in delays if 0 < left <= delay < regular]
    return min(soon, default=regular)


def accepted_messages(part: Part, *, now: float) -> tuple[Tracked, ...]:
    """Name the messages of a complete part: each id, those it was given for, and when (else *now*)."""
    found: dict[str, tuple[list[str], float]] = {}
    for call in part.calls:
        for one in call.settled:
            if one.outcome is Outcome.ACCEPTED:
                for message_id in ids_of(one):
                    recipients, _ = found.setdefault(message_id, ([], call.started or now))
                    recipients.append(one.recipient)
    return tuple(Tracked(name, tuple(to), int(began)) for name, (to, began) in found.items())


def tracking_key(job_id: str, part: int, fingerprint: str) -> str:
    """Name a unit's entry in the ledger: of this content, since an id may come to stand for another."""
    return f"{_NAMESPACE}{job_id}/{part}/{fingerprint[:16]}"


def is_tracking_key(key: str) -> bool:
    """Tell whether an entry of the ledger is a unit's."""
    return key.startswith(_NAMESPACE)


def track_number(part: int, parts: int, nth: int) -> int:
    """Number the *nth* result (from 1) of a part: no two of a job's have the same, whoever makes them."""
    return part + parts * (nth - 1)


def encode_unit(unit: Unit) -> bytes:
    """Return the bytes that `decode_unit` turns back into *unit*."""
    row = {
        "v": _FORM,
        "l": unit.look,
        "n": unit.nonce,
        "s": unit.step,
        "k": unit.results,
        "o": messages_row(unit.open),
        "d": unit.ended,
        "p": unit.unpublished,
    }
    plain = to_json({name: value for name, value in row.items() if value})
    return plain if len(plain) < _LONG else _COMPRESSED + zlib.compress(plain, 1)


def decode_unit(state: bytes) -> Unit:
    """Read what `encode_unit` wrote.

    Raises:
        UnreadableEntryError: it is something else.
    """
    try:
        row = json.loads(zlib.decompress(state[1:]) if state.startswith(_COMPRESSED) else state)
        if (form := row["v"]) != _FORM:
            words = f"a tracking entry has form {form}, this release reads {_FORM}"
            raise UnreadableEntryError(words, is_newer=isinstance(form, int) and form > _FORM)
        return Unit(
            look=row["l"],
            nonce=row.get("n", ""),
            step=row.get("s", 0),
            results=row.get("k", 0),
            open=messages_from(row.get("o", ())),
            ended=tuple(row.get("d", ())),
            unpublished=tuple(Result(number, body) for number, body in row.get("p", ())),
        )
    except (KeyError, TypeError, IndexError, ValueError, zlib.error, RecursionError, AttributeError) as error:
        if isinstance(error, UnreadableEntryError):
            raise
        raise UnreadableEntryError(f"a tracking entry cannot be read ({type(error).__name__})") from None


def messages_row(messages: Iterable[Tracked]) -> list[Any]:
    """Return *messages* as JSON: those of one time together, one recipient without a list around it."""
    by_time: dict[int, list[Any]] = {}
    for name, to, accepted in messages:
        by_time.setdefault(accepted, []).append([name, to[0] if len(to) == 1 else list(to)])
    return [[accepted, some] for accepted, some in by_time.items()]


def messages_from(rows: Iterable[Any]) -> tuple[Tracked, ...]:
    """Read what `messages_row` returned.

    Raises:
        ValueError, TypeError: it is something else.
    """
    return tuple(
        Tracked(name, (to,) if isinstance(to, str) else tuple(to), int(accepted))
        for accepted, some in rows
        for name, to in some
    )
