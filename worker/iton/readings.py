"""Successful replies, each in every form that the document shows or leaves open (ITON API, Response)."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from typing import Any, Generic, TypeVar

from worker.domain.recipients import NumberingPlan, as_sent
from worker.iton.bodies import Body, member
from worker.iton.numbers import AskedNumbers, plain_digits
from worker.iton.statuses import sending_date, status_of
from worker.ports import MessageReport, RecipientStatus

T = TypeVar("T")

# "Success Your MessageId is 532073f7e4b05199d2c3d812". An id holds a digit: "is null" names none.
_SENT = re.compile(
    r"success\W*\s*(?:your\s+)?message[\s_-]*id\s*(?:is\b)?\s*[:=]?\s*"
    r"(?P<id>(?=[\w:.-]*[0-9])[0-9A-Za-z][0-9A-Za-z_:.-]{0,199}?)\.?",
    re.IGNORECASE | re.ASCII,
)
_LONGEST_ID = 200
_ID = re.compile(rf"(?=.*[0-9])[0-9A-Za-z][0-9A-Za-z_:.-]{{0,{_LONGEST_ID - 1}}}", re.ASCII)

_FLAGS = {"true": True, "false": False}

_CREDITS = re.compile(
    r"remaining[\s_-]*credits?\s*(?:is\b)?\s*[:=]?\s*(?P<amount>[-+]?[0-9][0-9.,]*)", re.IGNORECASE | re.ASCII
)
# 1,234,567.5 and 12,34,567.5 (Indian grouping).
_AMOUNT = re.compile(
    r"[-+]?(?:[0-9]{1,18}|[0-9]{1,3}(?:,[0-9]{2,3}){0,5},[0-9]{3})(?:\.[0-9]{1,9})?", re.ASCII
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
    """

    value: T
    unasked: int = 0


def read_send(body: Body, recipients: Sequence[str]) -> Reading[dict[str, tuple[str, ...]]] | None:
    """Return message ids by recipient; None when *body* is no such reply.

    One id for the whole call is the id of every recipient. A number may have several ids, in the order of
    the reply.
    """
    if body.json is None:
        match = _SENT.fullmatch(body.text)
        return Reading(dict.fromkeys(recipients, (match["id"],))) if match else None
    if not isinstance(body.json, dict):
        return None
    inner = member(body.json, "messageid")
    if isinstance(inner, str | int) and not isinstance(inner, bool):
        name = _id(inner)
        return Reading(dict.fromkeys(recipients, (name,))) if name else None
    if isinstance(inner, dict):
        return _matched_ids(inner, recipients)
    reading = _matched_ids(body.json, recipients)
    # An error object may quote a number; only a map of nothing but ids and numbers is one about others.
    return reading if reading.value or _is_bare_map(body.json) else None


def read_account(body: Body) -> Reading[Decimal] | None:
    """Return the remaining credits; None when *body* is no such reply."""
    if body.json is None:
        match = _CREDITS.fullmatch(body.text)
        amount = _amount(match["amount"]) if match else None
    else:
        amount = _amount(member(body.json, "remainingcredits")) if isinstance(body.json, dict) else None
    return None if amount is None else Reading(amount)


def read_dnd(body: Body, recipients: Sequence[str]) -> Reading[dict[str, bool]] | None:
    """Tell which recipients are listed; None when *body* is no such reply.

    A value that is neither true nor false says nothing. Of two answers about one number, *true* counts.
    """
    if not isinstance(body.json, dict):
        return None
    asked = AskedNumbers(recipients)
    listed: dict[str, bool] = {}
    unasked = 0
    for spelling, value in body.json.items():
        # As it was sent, as nearly always.
        number = spelling if spelling in asked else asked.find(spelling)
        flag = _FLAGS[value] if isinstance(value, str) and value in _FLAGS else _flag(value)
        unasked += number is None or number in listed
        if number is not None and flag is not None:
            listed[number] = listed.get(number, False) or flag
    if not listed and not all(plain_digits(key) for key in body.json):
        return None  # not about numbers
    return Reading(listed, unasked)


def read_status(
    body: Body, message_ids: Sequence[str], zone: tzinfo, numbering: NumberingPlan
) -> Reading[dict[str, MessageReport]] | None:
    """Return reports by message id; None when *body* is no such reply.

    Args:
        body: the reply.
        message_ids: those asked about; one without details in the reply is missing from the reports.
        zone: of the times in the reply.
        numbering: whose numbers those without country code are.
    """
    if not isinstance(body.json, dict):
        return None
    reports = {
        name: _report(body.json[name], zone, numbering)
        for name in message_ids
        if isinstance(body.json.get(name), dict)
    }
    unasked = len(body.json.keys() - set(message_ids))
    about_ids = all(isinstance(details, dict) or key in message_ids for key, details in body.json.items())
    return Reading(reports, unasked) if reports or about_ids else None


def _matched_ids(ids: Mapping[str, Any], recipients: Sequence[str]) -> Reading[dict[str, tuple[str, ...]]]:
    asked = AskedNumbers(recipients)
    found: dict[str, tuple[str, ...]] = {}
    unasked = 0
    for key, phones in ids.items():
        name = _id(key)
        if name and isinstance(phones, str) and phones in asked and phones not in found:
            found[phones] = (name,)  # one number an id, spelt as it was sent: as nearly always
            continue
        for phone in _phones(phones) if name else ():
            number = asked.find(phone)
            unasked += number is None
            if number is not None and name and name not in found.get(number, ()):
                found[number] = (*found.get(number, ()), name)
    return Reading(found, unasked)


def _phones(value: object) -> Iterator[object]:
    """Yield the numbers of ``PHONE``, ``"PHONE,PHONE"`` and ``[PHONE, ...]``."""
    if isinstance(value, str):
        yield from value.split(",")
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, int):
        yield value


def _is_bare_map(mapping: Mapping[str, Any]) -> bool:
    return bool(mapping) and all(
        _id(key) and all(plain_digits(str(phone)) for phone in _phones(phones))
        for key, phones in mapping.items()
    )


def _id(value: str | int) -> str | None:
    text = str(value).strip()
    if text.isascii() and text.isalnum() and not text.isalpha() and len(text) <= _LONGEST_ID:
        return text  # letters and a digit: nearly every id; the pattern takes three times as long
    return text if _ID.fullmatch(text) else None


def _flag(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return _FLAGS.get(value.strip().lower()) if isinstance(value, str) else None


def _amount(value: object) -> Decimal | None:
    if isinstance(value, str) and _AMOUNT.fullmatch(value.strip()):
        return Decimal(value.strip().replace(",", ""))
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if not -_MOST_CREDITS < value < _MOST_CREDITS:
        return None
    exact = Decimal(value)
    # 1e-999999999 is JSON as well; nobody counts such credits.
    return exact if isinstance(exponent := exact.as_tuple().exponent, int) and exponent >= _FINEST else None


def _report(details: Mapping[str, Any], zone: tzinfo, numbering: NumberingPlan) -> MessageReport:
    date = member(details, "sendingdate")
    return MessageReport(
        sender=_text(member(details, "senderid")),
        sent_at=sending_date(date, zone) if isinstance(date, str) else None,
        text=_text(member(details, "message")),
        recipients=tuple(_recipients(member(details, "phonenumberwithrespectivestatus"), numbering)),
    )


def _recipients(statuses: object, numbering: NumberingPlan) -> Iterator[RecipientStatus]:
    if not isinstance(statuses, dict):
        return
    for phone, word in statuses.items():
        raw = word if isinstance(word, str) else _as_written(word)
        yield RecipientStatus(_number(phone, numbering), status_of(raw), raw)


def _number(phone: str, numbering: NumberingPlan) -> str:
    digits = plain_digits(phone)
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


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
