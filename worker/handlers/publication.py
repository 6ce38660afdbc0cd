"""Results as messages."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from schemas import (
    AccountRejected,
    AnyResult,
    ApiRejected,
    CancelRejected,
    DeliveryRejected,
    DeliveryResultStatus,
    JobKind,
    JobRejectedError,
    Outcome,
    ResultKind,
    SendRejected,
    rejection_message_id,
    result_key,
    result_message_id,
    tracking_message_id,
    writing,
)
from worker.domain.entry import Entry, Settled
from worker.domain.messages import Delivery, ResultMessage
from worker.domain.tracking import Result
from worker.handlers.send.head import JobHead
from worker.ports import MessageReport

_REJECTED = {
    JobKind.SEND: (ResultKind.SEND, SendRejected),
    JobKind.STATUS: (ResultKind.DELIVERY, DeliveryRejected),
    JobKind.ACCOUNT: (ResultKind.ACCOUNT, AccountRejected),
    JobKind.API: (ResultKind.API, ApiRejected),
    JobKind.CANCEL: (ResultKind.CANCEL, CancelRejected),
}


def result_message(kind: ResultKind, result: AnyResult, message_id: str, delivery: Delivery) -> ResultMessage:
    """Address *result* to whoever asked by *delivery*."""
    written = (str(result.status), result.to_json())
    return _addressed(kind, written, message_id, result.job_id, delivery)


def _addressed(
    kind: ResultKind, written: tuple[str, bytes], message_id: str, job_id: str | None, delivery: Delivery
) -> ResultMessage:
    status, body = written
    return ResultMessage(
        exchange=kind.value,
        routing_key=result_key(kind, status),
        body=body,
        message_id=message_id,
        correlation_id=delivery.correlation_id or job_id,
        reply_to=delivery.reply_to,
        traceparent=delivery.traceparent,
    )


def rejected_message(kind: JobKind, error: JobRejectedError, delivery: Delivery) -> ResultMessage:
    """Say why the job of *delivery* was not carried out; the same body gets the same message id."""
    exchange, form = _REJECTED[kind]
    result = form(job_id=error.job_id, errors=error.errors, metadata=error.metadata)
    body_hash = sha256(delivery.body).hexdigest()[:16]
    return result_message(exchange, result, rejection_message_id(error.job_id, body_hash), delivery)


def send_message(
    head: JobHead, entry: Entry, number: int, parts: int, delivery: Delivery
) -> tuple[writing.WrittenSend, ResultMessage]:
    """The result of part *number*, which is complete; the same for every repetition of its job."""
    first: writing.Row = {"job_id": head.job_id, "part": number, "parts": parts}
    if entry.revision > 1:
        first["revision"] = entry.revision
    tail = {"encoding": head.encoding, "segments": head.segments, "metadata": head.metadata}
    part = entry.part
    ids = part.message_ids
    if ids is None:
        result = writing.send_result(first, _rows(part.outcomes()), tail)
    else:
        result = writing.accepted_result(first, part.order, ids, tail)
    written, message_id = (result.status.value, result.body), result_message_id(head.job_id, number)
    return result, _addressed(ResultKind.SEND, written, message_id, head.job_id, delivery)


def delivery_message(
    job_id: str,
    numbered: tuple[int, int],
    rows: Sequence[writing.Row],
    metadata: Mapping[str, object],
    delivery: Delivery,
) -> tuple[str, ResultMessage]:
    """The result of a part of a status job, and its status.

    Args:
        job_id: of the job.
        numbered: which part it is, from 1, and of how many.
        rows: a message each.
        metadata: the job's.
        delivery: that asked.
    """
    number, parts = numbered
    result = writing.delivery_result({"job_id": job_id, "part": number, "parts": parts}, rows, metadata)
    written, message_id = (result.status.value, result.body), result_message_id(job_id, number)
    return result.status.value, _addressed(ResultKind.DELIVERY, written, message_id, job_id, delivery)


def tracked_message(job_id: str, result: Result, delivery: Delivery) -> ResultMessage:
    """A recorded result of tracked messages; *delivery* is the look's, with the job's own properties."""
    written = (DeliveryResultStatus.FINAL.value, result.body.encode())
    message_id = tracking_message_id(job_id, result.number)
    return _addressed(ResultKind.DELIVERY, written, message_id, job_id, delivery)


def message_of(message_id: str, report: MessageReport | None) -> writing.Row:
    """What a delivery result says of a message."""
    if report is None:
        return writing.unknown_message_row(message_id)
    recipients = [(one.recipient, one.status, one.raw_status) for one in report.recipients]
    return writing.message_row(
        message_id, recipients, sender=report.sender, sent_at=report.sent_at, text=report.text
    )


def _rows(outcomes: Iterable[Settled]) -> list[writing.Row]:
    return [
        # Accepted, with one id: nearly every one.
        writing.accepted_row(one.recipient, one.message_id)
        if one.outcome is Outcome.ACCEPTED and one.message_id and not one.earlier_ids
        else _row(one)
        for one in outcomes
    ]


def _row(one: Settled) -> writing.Row:
    if one.outcome is Outcome.ACCEPTED:
        return writing.recipient_row(
            one.recipient, one.outcome, message_id=one.message_id, earlier_message_ids=one.earlier_ids
        )
    return writing.recipient_row(one.recipient, one.outcome, code=one.code, detail=one.detail or "")
