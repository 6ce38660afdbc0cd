"""Replies as bytes, in the forms that the gateway's page shows or leaves open."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from worker.simulator.numbers import ends_in, spell
from worker.simulator.options import ReplyForm, SimulatorOptions
from worker.simulator.sends import Send
from worker.simulator.wire import Reply

_INDIA = ZoneInfo("Asia/Kolkata")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NARROW_SPACE = "\u202f"
_BARE = frozenset({ReplyForm.BARE, ReplyForm.BARE_LISTS, ReplyForm.BARE_JOINED})
_JOINED = frozenset({ReplyForm.JOINED, ReplyForm.BARE_JOINED})
_SINGLE = frozenset({ReplyForm.MAP, ReplyForm.BARE})

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def text(line: str, options: SimulatorOptions) -> Reply:
    """Return *line* as the body."""
    return Reply(line.encode(), options.text_content_type)


def json_reply(value: object, options: SimulatorOptions) -> Reply:
    """Return *value* as JSON, other alphabets not escaped."""
    return Reply(_encode(value).encode("utf-8", "replace"), options.json_content_type)


def sent(send: Send, options: SimulatorOptions) -> Reply:
    """Return the reply to a sendSMS call, in the form of the options."""
    if options.reply_form is ReplyForm.TEXT:
        return text(f"Success Your MessageId is {send.ids[0]}", options)
    named = [
        (message_id, spell(number, options.spelling))
        for message_id, number in zip(send.ids, send.to, strict=True)
        if not ends_in(number, options.missing_endings)
    ]
    ids = _shape(named, options.reply_form)
    return json_reply(ids if options.reply_form in _BARE else {"message_id": ids}, options)


def balance(remaining: int, options: SimulatorOptions) -> Reply:
    """Return the reply to an account call."""
    if options.account_form == "json":
        return json_reply({"Remaining_Credits": remaining}, options)
    return text(f"Remaining_Credits: {remaining}", options)


def report(send: Send, statuses: Mapping[str, str], options: SimulatorOptions) -> dict[str, object]:
    """Return the details of one message id, as ``message_status`` has them."""
    return {
        "phoneNumberWithRespectiveStatus": statuses,
        "message": send.delivered_text,
        "sender_Id": send.sender,
        "user_Id": options.username,
        "sending_Date": java_date(send.at, narrow_space=options.narrow_space),
    }


def java_date(at: float, *, narrow_space: bool) -> str:
    """Return ``Mar 12, 2013 8:13:39 PM``, Indian time, in English whatever the locale."""
    local = datetime.fromtimestamp(at, _INDIA)
    hour = local.hour % 12 or 12
    half = "AM" if local.hour < 12 else "PM"  # noqa: PLR2004 - noon
    space = _NARROW_SPACE if narrow_space else " "
    return f"{_MONTHS[local.month - 1]} {local.day}, {local.year} {hour}:{local:%M:%S}{space}{half}"


def _shape(named: list[tuple[str, str]], form: ReplyForm) -> Mapping[str, Any]:
    if form in _SINGLE:
        return dict(named)
    by_id: dict[str, list[str]] = {}
    for message_id, number in named:
        by_id.setdefault(message_id, []).append(number)
    if form in _JOINED:
        return {message_id: ",".join(numbers) for message_id, numbers in by_id.items()}
    return by_id
