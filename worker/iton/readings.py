"""Successful replies, each in every form that the document shows or leaves open (ITON API, Response)."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from typing import Any, Generic, TypeVar

from worker.domain.recipients import NumberingPlan, as_sent
from worker.iton.bodies import Body, members, pairs_of
from worker.iton.failing import says_it_failed
from worker.iton.ids import message_id, whole
from worker.iton.numbers import AskedNumbers, plain_digits
from worker.iton.statuses import agreed, sending_date, status_of
from worker.ports import MessageReport, RecipientStatus

T = TypeVar("T")

# "Success Your MessageId is 532073f7e4b05199d2c3d812".
_SENT = re.compile(
    r"success\W* ?(?:your )?message[ _-]*id ?(?:is\b)? ?[:=]? ?[\"']?(?P<id>[^\s,<>\"']+?)[\"']?\.?",
    re.IGNORECASE | re.ASCII,
)
_LONGEST_SENTENCE = 500
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
        doubtful: ids for all of a sendSMS whose reply says at the same time that it failed.
    """

    value: T
    unasked: int = 0
    doubtful: tuple[str, ...] = ()


def read_send(body: Body, recipients: Sequence[str]) -> Reading[dict[str, tuple[str, ...]]] | None:
    """Return message ids by recipient; None when *body* is no such reply.

    One id for the whole call is the id of every recipient. A number may have several ids, in the order of
    the reply. An id that a map gives to a number counts whatever else the reply says; one for the whole call
    does not count in a reply that says that the call failed.
    """
    if not isinstance(body.json, dict):
        sentence = " ".join(body.text[:_LONGEST_SENTENCE].split())
        match = _SENT.fullmatch(sentence) if body.json is None else None
        ids = _ids([match["id"]]) if match else ()
        return Reading(dict.fromkeys(recipients, ids)) if ids else None
    named = members(body.json, "messageid")
    if maps := [inner for inner in named if isinstance(inner, dict)]:
        return _matched_ids((pair for inner in maps for pair in pairs_of(inner)), recipients, keyed=True)
    if len(recipients) == 1:  # whose else would a list of ids be?
        named = [one for inner in named for one in (inner if isinstance(inner, list) else [inner])]
    if ids := _ids(named):
        failed = says_it_failed(body.json)
        return Reading({}, doubtful=ids) if failed else Reading(dict.fromkeys(recipients, ids))
    reading = _matched_ids(pairs_of(body.json), recipients, keyed=False)
    # An error object may quote a number; only a map of nothing but ids and numbers is one about others.
    return reading if reading.value or _is_bare_map(body.json) else None


def read_account(body: Body, _asked: Sequence[str] = ()) -> Reading[Decimal] | None:
    """Return the remaining credits; None when *body* is no such reply."""
    if body.json is None:
        match = _CREDITS.fullmatch(body.text)
        amounts = [_amount(match["amount"])] if match else []
    else:
        values = members(body.json, "remainingcredits") if isinstance(body.json, dict) else []
        amounts = [_amount(value) for value in values]
    known = [amount for amount in amounts if amount is not None]
    return Reading(min(known)) if known else None  # of several, nobody is promised more than there is


def read_dnd(body: Body, recipients: Sequence[str]) -> Reading[dict[str, bool]] | None:
    """Tell which recipients are listed; None when *body* is no such reply.

    A value that is neither true nor false says nothing. Where several answers are about one number, in
    whatever spelling, *true* counts, and *false* only if all of them say so.
    """
    if not isinstance(body.json, dict):
        return None
    asked = AskedNumbers(recipients)
    said: dict[str, bool | None] = {}
    unasked = 0
    for spelling, value in pairs_of(body.json):
        # As it was sent, as nearly always.
        number = spelling if spelling in asked else asked.find(spelling)
        unasked += number is None or number in said
        if number is not None:
            flag = _FLAGS[value] if isinstance(value, str) and value in _FLAGS else _flag(value)
            said[number] = _safer(said[number], flag) if number in said else flag
    listed = {number: flag for number, flag in said.items() if flag is not None}
    if not listed and not all(plain_digits(key) for key in body.json):
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
    if not isinstance(body.json, dict):
        return None
    asked = set(message_ids)
    found: dict[str, list[Mapping[str, Any]]] = {}
    unasked = 0
    about_ids = True
    for key, details in pairs_of(body.json):
        name = key if key in asked else message_id(key)
        unasked += name not in asked
        about_ids &= isinstance(details, dict) or name in asked
        if name is not None and name in asked and isinstance(details, dict):
            found.setdefault(name, []).append(details)
    reports = {name: _report(found[name], zone, numbering, status) for name in message_ids if name in found}
    return Reading(reports, unasked) if reports or about_ids else None


def _ids(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for value in values if (name := message_id(value))))


def _matched_ids(
    pairs: Iterable[tuple[str, Any]], recipients: Sequence[str], *, keyed: bool
) -> Reading[dict[str, tuple[str, ...]]]:
    asked = AskedNumbers(recipients)
    found: dict[str, tuple[str, ...]] = {}
    unasked = 0
    for key, phones in pairs:
        name = message_id(key, keyed=keyed)
        if name is None:
            continue
        if isinstance(phones, str) and phones in asked and phones not in found:
            found[phones] = (name,)  # one number an id, spelt as it was sent: as nearly always
            continue
        for phone in _phones(phones):
            number = asked.find(phone)
            unasked += number is None
            if number is not None and name not in found.get(number, ()):
                found[number] = (*found.get(number, ()), name)
    return Reading(found, unasked)


def _phones(value: object) -> Iterator[object]:
    """Yield the numbers of ``PHONE``, ``"PHONE,PHONE"`` and ``[PHONE, ...]``."""
    if isinstance(value, list):
        for item in value:
            yield from _SEPARATOR.split(item) if isinstance(item, str) else (item,)
    elif isinstance(value, str):
        yield from _SEPARATOR.split(value)
    elif whole(value) is not None:
        yield value


def _is_bare_map(mapping: Mapping[str, Any]) -> bool:
    return bool(mapping) and all(
        message_id(key) and all(plain_digits(phone) for phone in _phones(phones))
        for key, phones in pairs_of(mapping)
    )


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
        for phone, word in pairs_of(statuses) if isinstance(statuses, dict) else ():
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
