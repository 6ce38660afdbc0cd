"""Results as bytes at once, without a model for each recipient, and the ids that they are published under.

They are most of what a busy worker writes. The models of `schemas.results` say what a result looks like; the
tests hold every byte against them.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from pydantic_core import PydanticSerializationError, to_json

from schemas.outcomes import (
    DeliveryResultStatus,
    DeliveryStatus,
    Outcome,
    SendStatus,
    count_outcomes,
    delivery_status,
    part_status,
)

Row = dict[str, Any]

_ACCEPTED: Final = Outcome.ACCEPTED.value
_ALL_ACCEPTED: Final = SendStatus.ACCEPTED.value
_ENCODE: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode


class WrittenSend(NamedTuple):
    """A send result, and what the worker itself needs of it."""

    status: SendStatus
    counts: dict[Outcome, int]
    body: bytes


class WrittenDelivery(NamedTuple):
    """A delivery result, and its status."""

    status: DeliveryResultStatus
    body: bytes


def recipient_row(
    recipient: str,
    outcome: Outcome,
    *,
    message_id: str | None = None,
    earlier_message_ids: Sequence[str] = (),
    code: str | None = None,
    detail: str = "",
) -> Row:
    """A recipient of a send result, as `RecipientResult`; a *code* makes its error."""
    row: Row = {"recipient": recipient, "outcome": outcome.value}
    if message_id is not None:
        row["message_id"] = message_id
    if earlier_message_ids:
        row["earlier_message_ids"] = earlier_message_ids
    if code is not None:
        row["error"] = {"code": code, "detail": detail}
    return row


def accepted_row(recipient: str, message_id: str) -> Row:
    """The same of a recipient that was accepted with one id, as nearly all are."""
    return {"recipient": recipient, "outcome": _ACCEPTED, "message_id": message_id}


def send_result(head: Row, recipients: Sequence[Row], tail: Row) -> WrittenSend:
    """Write a `SendResult`.

    Args:
        head: ``job_id``, ``part``, ``parts``, and ``revision`` where it has one.
        recipients: 1 to 100, as `recipient_row` makes them.
        tail: ``encoding``, ``segments``, ``metadata``.
    """
    outcomes = [row["outcome"] for row in recipients]
    counts = count_outcomes(outcomes)
    status = part_status(counts)
    said = {outcome.value: count for outcome, count in counts.items()}
    body = _written({**head, "status": status.value, "recipients": recipients, "counts": said, **tail})
    return WrittenSend(status, counts, body)


def accepted_result(
    head: Row, recipients: Sequence[str], message_ids: Sequence[str], tail: Row
) -> WrittenSend:
    """Write a `SendResult` of 1 to 100 *recipients* that were all accepted, each with one id.

    Args:
        head: as of `send_result`, and so is *tail*.
        recipients: each once.
        message_ids: beside them.
        tail: see *head*.
    """
    rows = [
        {"recipient": recipient, "outcome": _ACCEPTED, "message_id": message_id}
        for recipient, message_id in zip(recipients, message_ids, strict=True)
    ]
    count = len(rows)
    # A key that is a plain string is written three times as fast as one of an enumeration.
    counts = {_ACCEPTED: count}
    body = _written({**head, "status": _ALL_ACCEPTED, "recipients": rows, "counts": counts, **tail})
    return WrittenSend(SendStatus.ACCEPTED, {Outcome.ACCEPTED: count}, body)


def delivery_result(head: Row, messages: Sequence[Row], metadata: Mapping[str, Any]) -> WrittenDelivery:
    """Write a `DeliveryResult`.

    Args:
        head: ``job_id``, ``part``, ``parts``.
        messages: 1 to 100, as `message_row` makes them.
        metadata: the job's.
    """
    status = delivery_status(
        (row["found"], [DeliveryStatus(to["status"]) for to in row["recipients"]]) for row in messages
    )
    body = _written({**head, "status": status.value, "messages": messages, "metadata": metadata})
    return WrittenDelivery(status, body)


def tracked_result(head: Row, messages: Sequence[Row], metadata: Mapping[str, Any]) -> bytes:
    """Write a `TrackedResult`.

    Args:
        head: ``job_id`` and ``track``.
        messages: 1 to 100, as `message_row` makes them; a recipient may have an ``error``.
        metadata: the job's.
    """
    status = DeliveryResultStatus.FINAL.value
    return _written({**head, "status": status, "messages": messages, "metadata": metadata})


def message_row(
    message_id: str,
    recipients: Sequence[tuple[str, str, str]],
    *,
    sender: str | None = None,
    sent_at: datetime | None = None,
    text: str | None = None,
) -> Row:
    """A message that the gateway knows, as `MessageStatus`.

    Args:
        message_id: ITON's.
        recipients: each the number, its status, and ITON's own word for it.
        sender: None leaves it out, as the next two.
        sent_at: with offset.
        text: as it was sent.
    """
    row: Row = {"message_id": message_id, "found": True}
    if sender is not None:
        row["sender"] = sender
    if sent_at is not None:
        row["sent_at"] = sent_at.isoformat().replace("+00:00", "Z")
    if text is not None:
        row["text"] = text
    row["recipients"] = [
        {"recipient": number, "status": str(status), "raw_status": raw} for number, status, raw in recipients
    ]
    return row


def unknown_message_row(message_id: str) -> Row:
    """A message that the gateway does not know."""
    return {"message_id": message_id, "found": False, "recipients": []}


def result_message_id(job_id: str, part: int) -> str:
    """The ``message_id`` of a part of a result: the same on every re-publication."""
    return f"{job_id}/{part}"


def rejection_message_id(job_id: str | None, body_hash: str) -> str:
    """The ``message_id`` of a rejection; *body_hash* tells bodies under one job id apart."""
    return f"rejected/{body_hash}" if job_id is None else f"{job_id}/rejected/{body_hash}"


def tracking_message_id(job_id: str, number: int) -> str:
    """The ``message_id`` of the follow-up *number* (1-based) of a tracked job."""
    return f"{job_id}/track/{number}"


def _written(row: Row) -> bytes:
    try:
        return to_json(row)  # two to three times as fast as the standard library
    except PydanticSerializationError:
        # The gateway's words may hold half of a surrogate pair, which no UTF-8 can say.
        return _ENCODE(row).encode(errors="replace")
