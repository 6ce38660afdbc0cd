"""Successful replies, each in every form that the document shows or leaves open (ITON API, Response).

Those of a sendSMS are read in `worker.iton.sent`.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from typing import Any, Generic, TypeVar

from worker.domain.recipients import NumberingPlan, as_sent
from worker.iton.bodies import Body, members, objects_of, pairs_of
from worker.iton.failing import says_it_failed
from worker.iton.ids import message_id, whole
from worker.iton.numbers import AskedNumbers, plain_digits
from worker.iton.statuses import agreed, sending_date, status_of
from worker.ports import MessageReport, RecipientStatus

T = TypeVar("T")

_SEPARATOR = re.compile(r"[,;|]")
_FLAGS = {"true": True, "false": False}

_CREDITS = re.compile(
    r"remaining[\s_-]*credits?\s*(?:is\b)?\s*[:=]?\s*(?P<amount>[-+]?[0-9][0-9.,]*(?:e\+?[0-9]{1,2})?)",
    re.IGNORECASE | re.ASCII,
)
# 1,234,567.5 and 12,34,567.5 (Indian grouping); 1.0E7, as Java prints large ones.
_AMOUNT = re.compile(
    r"[-+]?(?:(?:[0-9]{1,18}|[0-9]{1,3}(?:,[0-9]{2,3}){0,5},[0-9]{3})(?:\.[0-9]{1,9})?"
    r"|[0-9]{1,18}(?:\.[0-9]{1,18})?[eE]\+?[0-9]{1,2})",
    re.ASCII,
)
_MOST_CREDITS = Decimal(10) ** 18
_FINEST = -9
_LONGEST_ODD_WORD = 100


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What a reply says.

    Attributes:
        value: of what was asked about.
        unasked: ids and numbers that nobody asked for, and second answers about the DND state of a number.
        doubtful: ids of a sendSMS that no recipient can be given: the reply says at the same time that it
            failed, or there are several and nobody can say whose each one is.
    """

    value: T
    unasked: int = 0
    doubtful: tuple[str, ...] = ()


def read_account(body: Body, _asked: Sequence[str] = ()) -> Reading[Decimal] | None:
    """Return the remaining credits; None when *body* is no such reply.

    A reply that says that the call failed names none: servers print ``0`` where they have nothing.
    """
    objects = objects_of(body.json)
    if any(map(says_it_failed, objects)):
        return None
    if body.json is None:
        match = _CREDITS.fullmatch(body.text)
        amounts = [_amount(match["amount"].rstrip("."))] if match else []
    else:
        amounts = [_amount(value) for one in objects for value in members(one, "remainingcredits")]
    known = [amount for amount in amounts if amount is not None]
    return Reading(min(known)) if known else None  # of several, nobody is promised more than there is


def read_dnd(body: Body, recipients: Sequence[str]) -> Reading[dict[str, bool]] | None:
    """Tell which recipients are listed; None when *body* is no such reply.

    A value that is neither true nor false says nothing. Where several answers are about one number, in
    whatever spelling, *true* counts, and *false* only if all of them say so, and the reply does not say that
    the call failed.
    """
    if not (objects := objects_of(body.json)):
        return None
    asked = AskedNumbers(recipients)
    said: dict[str, bool | None] = {}
    unasked = 0
    for spelling, value in (pair for one in objects for pair in pairs_of(one)):
        # As it was sent, as nearly always; or several in one, as they were sent.
        spellings = (spelling,) if spelling in asked else _SEPARATOR.split(spelling)
        for number in map(asked.find, spellings):
            unasked += number is None or number in said
            if number is not None:
                flag = _flag(value)
                said[number] = _safer(said[number], flag) if number in said else flag
    # What else a reply says stands beside its numbers.
    answers = {True} if unasked and any(map(says_it_failed, objects)) else {True, False}
    listed = {number: flag for number, flag in said.items() if flag in answers}
    if not listed and not all(plain_digits(key) for one in objects for key in one):
        return None  # not about numbers
    return Reading(listed, unasked)


def read_status(
    body: Body,
    message_ids: Sequence[str],
    zone: tzinfo,
    numbering: NumberingPlan,
    status: Callable[[str], str] = status_of,
) -> Reading[dict[str, MessageReport]] | None:
    """Return reports by message id; None when *body* is no such reply.

    Args:
        body: the reply.
        message_ids: those asked about; one without details in the reply is missing from the reports.
        zone: of the times in the reply.
        numbering: whose numbers those without country code are.
        status: what a word means.
    """
    if not (objects := objects_of(body.json)):
        return None
    asked = set(message_ids)
    found: dict[str, list[Mapping[str, Any]]] = {}
    unasked = 0
    about_ids = True
    for key, details in (pair for one in objects for pair in pairs_of(one)):
        name = key if key in asked else message_id(key)
        unasked += name not in asked
        about_ids &= isinstance(details, dict) or name in asked
        if name is not None and name in asked and (every := objects_of(details)):
            found.setdefault(name, []).extend(every)
    reports = {name: _report(found[name], zone, numbering, status) for name in message_ids if name in found}
    return Reading(reports, unasked) if reports or about_ids else None


def _safer(one: bool | None, other: bool | None) -> bool | None:  # noqa: FBT001 - answers of the gateway
    """Of two answers about one number, the one that keeps it from being sent to."""
    if one or other:
        return True
    return None if one is None or other is None else False


def _flag(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return _FLAGS.get(value.strip().lower()) if isinstance(value, str) else None


def _amount(value: object) -> Decimal | None:
    if isinstance(value, str) and _AMOUNT.fullmatch(value.strip()):
        value = Decimal(value.strip().replace(",", ""))
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if not -_MOST_CREDITS < value < _MOST_CREDITS:
        return None
    exact = Decimal(value)
    exact = Decimal(value)
    if (number := whole(exact)) is not None:
        return Decimal(number)  # 1.0E7 and 417.0 are whole numbers
    # 1e-999999999 is JSON as well; nobody counts such credits.
    return exact if isinstance(exponent := exact.as_tuple().exponent, int) and exponent >= _FINEST else None


def _report(
    every: Sequence[Mapping[str, Any]],
    zone: tzinfo,
    numbering: NumberingPlan,
    status: Callable[[str], str],
) -> MessageReport:
    """Read the details of one message, which nearly always stand in the reply once."""

    def values(name: str) -> list[Any]:
        return [value for details in every for value in members(details, name)]

    dates = (sending_date(date, zone) for date in values("sendingdate") if isinstance(date, str))
    return MessageReport(
        sender=_text(values("senderid")),
        sent_at=next(filter(None, dates), None),
        text=_text(values("message")),
        recipients=_recipients(values("phonenumberwithrespectivestatus"), numbering, status),
    )


def _recipients(
    maps: Iterable[object], numbering: NumberingPlan, status: Callable[[str], str]
) -> tuple[RecipientStatus, ...]:
    words: dict[str, dict[str, str]] = {}
    for statuses in maps:
        for phone, word in (pair for one in objects_of(statuses) for pair in pairs_of(one)):
            raw = word if isinstance(word, str) else _as_written(word)
            words.setdefault(number_in_reply(phone, numbering), {})[raw] = status(raw)
    return tuple(
        RecipientStatus(name, agreed(said.values()), " / ".join(said)) for name, said in words.items()
    )


def number_in_reply(phone: str, numbering: NumberingPlan) -> str:
    """Return *phone* as the results of a send have it; as it is spelt where that is no number."""
    digits = phone if phone.isascii() and phone.isdigit() else plain_digits(phone)
    if digits is None:
        return phone
    return digits if phone.lstrip().startswith("+") else as_sent(digits, numbering)


def _as_written(word: object) -> str:
    """Return what stands in the reply where a word should: ``null``, a number."""
    try:
        written = str(word) if isinstance(word, Decimal) else json.dumps(word, default=str)
    except RecursionError:
        return "..."  # lists in lists, without end
    return written[:_LONGEST_ODD_WORD]


def _text(values: Iterable[object]) -> str | None:
    return next((value for value in values if isinstance(value, str)), None)
