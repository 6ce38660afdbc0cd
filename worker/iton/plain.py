"""Replies in the very form of the document, everything named once: read at a glance.

Whatever differs in the slightest is None here, and is read with care (`worker.iton.readings`), which would
find the same in these. A key that repeats shows in the number of colons: there is one to each pair.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import tzinfo
from functools import lru_cache
from typing import Any

from pydantic_core import from_json

from worker.domain.recipients import NumberingPlan
from worker.iton.ids import LONGEST_ID, OBVIOUS
from worker.iton.readings import number_in_reply
from worker.iton.statuses import sending_date, status_of
from worker.ports import MessageReport, RecipientStatus

_FLAGS = {True: True, False: False, "true": True, "false": False}
_MAP = b'{"message_id"'
_SENTENCE = re.compile(rb"Success Your MessageId is ([0-9A-Za-z]{%d,%d})" % (OBVIOUS, LONGEST_ID))
_STATUSES, _TEXT, _SENDER, _DATE = "phoneNumberWithRespectiveStatus", "message", "sender_Id", "sending_Date"
_DETAILS = frozenset({_STATUSES, _TEXT, _SENDER, _DATE, "user_Id"})
_SPACED = re.compile(rb'"\s+:')
_LONGEST_DATE = 40


def plain_ids(content: bytes, recipients: Sequence[str]) -> dict[str, tuple[str, ...]] | None:
    """Return the ids of a sendSMS: an id to each recipient, or the sentence that names one for all.

    ``{"message_id": {ID: NUMBER, ...}}``; ``Success Your MessageId is ID``.
    """
    if sentence := _SENTENCE.fullmatch(content):
        name = sentence[1].decode("ascii")
        return None if name.isalpha() or not name.strip("0") else dict.fromkeys(recipients, (name,))
    if not content.startswith(_MAP) or content.count(b":") != len(recipients) + 1:
        return None
    try:
        ids: dict[str, str] = from_json(content)["message_id"]
        found: dict[str, tuple[str, ...]] = dict(zip(ids.values(), zip(ids), strict=True))
        if tuple(found) != tuple(recipients):
            found = {number: found[number] for number in recipients}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None
    return found if len(found) == len(recipients) == len(ids) and _are_ids(ids) else None


def plain_dnd(content: bytes, recipients: Sequence[str]) -> dict[str, bool] | None:
    """Return the answers of a check_DNDnumber: ``{NUMBER: true, ...}``, one about each recipient."""
    if not content.startswith(b'{"') or content.count(b":") != len(recipients):
        return None
    try:
        said: dict[str, bool] = from_json(content)
        if tuple(said) == tuple(recipients) and {bool}.issuperset(map(type, said.values())):
            return said
        found = {number: _FLAGS[said[number]] for number in recipients}
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None
    typed = {bool, str}.issuperset(map(type, said.values()))  # 1 equals true, and is none
    return found if typed and len(found) == len(recipients) == len(said) else None


def plain_status(
    content: bytes,
    message_ids: Sequence[str],
    zone: tzinfo,
    numbering: NumberingPlan,
    status: Callable[[str], str] = status_of,
) -> dict[str, MessageReport] | None:
    """Return the reports of a message_status: a map of nothing but messages that were asked about."""
    if not content.startswith(b'{"') or _SPACED.search(content):
        return None
    try:
        said = from_json(content)
        known = [name for name in message_ids if name in said]
        reports = {name: _report(said[name], zone, numbering, status) for name in known}
        pairs = len(said) + sum(len(details) + len(details[_STATUSES]) for details in said.values())
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None
    # A quote before a colon stands behind a key, or is an escaped one in a text, and then there are more.
    return reports if len(reports) == len(said) and content.count(b'":') == pairs else None


def _report(
    details: Mapping[str, Any], zone: tzinfo, numbering: NumberingPlan, status: Callable[[str], str]
) -> MessageReport:
    """Return the report on a message.

    Raises:
        ValueError: something about it is out of the ordinary.
    """
    date = details.get(_DATE, "")
    told = (details.get(_SENDER, ""), date, details.get(_TEXT, ""), *details[_STATUSES].values())
    if not (details.keys() <= _DETAILS and set(map(type, told)) == {str} and len(date) <= _LONGEST_DATE):
        raise ValueError
    words = {number_in_reply(phone, numbering): word for phone, word in details[_STATUSES].items()}
    if len(words) != len(details[_STATUSES]):
        raise ValueError
    return MessageReport(
        details.get(_SENDER),
        _sent_at(date, zone),
        details.get(_TEXT),
        tuple(RecipientStatus(number, status(word), word) for number, word in words.items()),
    )


_sent_at = lru_cache(maxsize=1024)(sending_date)


def _are_ids(ids: Collection[str]) -> bool:
    """Tell whether all are ids beyond doubt, as `message_id` has it."""
    joined = "".join(ids)
    if not joined.isascii():
        return False
    seen, lengths = joined.encode(), set(map(len, ids))
    plain = seen.isdigit() or (seen.isalnum() and not any(map(str.isalpha, ids)))
    return plain and min(lengths) >= OBVIOUS and max(lengths) <= LONGEST_ID
