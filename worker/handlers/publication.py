"""Results as messages."""

from hashlib import sha256

from schemas import (
    AccountRejected,
    AnyResult,
    DeliveryRejected,
    Failure,
    JobKind,
    JobRejectedError,
    Outcome,
    RecipientResult,
    ResultKind,
    SendRejected,
    SendResult,
    rejection_message_id,
    result_key,
    result_message_id,
)
from worker.domain.entry import Entry, Settled
from worker.domain.messages import Delivery, ResultMessage
from worker.handlers.brief import Brief

_REJECTED = {
    JobKind.SEND: (ResultKind.SEND, SendRejected),
    JobKind.STATUS: (ResultKind.DELIVERY, DeliveryRejected),
    JobKind.ACCOUNT: (ResultKind.ACCOUNT, AccountRejected),
}


def result_message(kind: ResultKind, result: AnyResult, message_id: str, delivery: Delivery) -> ResultMessage:
    """Address *result* to whoever asked by *delivery*."""
    return ResultMessage(
        exchange=kind.value,
        routing_key=result_key(kind, str(result.status)),
        body=result.to_json(),
        message_id=message_id,
        correlation_id=delivery.correlation_id or result.job_id,
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
    brief: Brief, entry: Entry, number: int, parts: int, delivery: Delivery
) -> tuple[SendResult, ResultMessage]:
    """The result of part *number*, which is complete; the same for every repetition of its job."""
    result = SendResult.of(
        brief.job_id,
        (_recipient(one) for one in entry.part.outcomes()),
        part=number,
        parts=parts,
        revision=entry.revision if entry.revision > 1 else None,
        encoding=brief.encoding,
        segments=brief.segments,
        metadata=brief.metadata,
    )
    message_id = result_message_id(brief.job_id, number)
    return result, result_message(ResultKind.SEND, result, message_id, delivery)


def _recipient(one: Settled) -> RecipientResult:
    if one.outcome is Outcome.ACCEPTED:
        return RecipientResult(
            recipient=one.recipient,
            outcome=one.outcome,
            message_id=one.message_id,
            earlier_message_ids=one.earlier_ids or None,
        )
    error = Failure(code=one.code, detail=one.detail or "") if one.code else None
    return RecipientResult(recipient=one.recipient, outcome=one.outcome, error=error)
