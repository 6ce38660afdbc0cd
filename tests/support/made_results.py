"""Results made from what they hold, by the models: what the worker writes is held against them."""

from collections.abc import Iterable
from typing import Any

from schemas import (
    DeliveryResult,
    Failure,
    FailureCode,
    MessageStatus,
    Outcome,
    RecipientResult,
    SendResult,
)
from schemas.outcomes import count_outcomes, delivery_status, part_status


def accepted(recipient: str, message_id: str) -> RecipientResult:
    """A recipient for whom the gateway gave an id."""
    return RecipientResult(recipient=recipient, outcome=Outcome.ACCEPTED, message_id=message_id)


def dnd(recipient: str) -> RecipientResult:
    """A recipient on the DND list."""
    return RecipientResult(recipient=recipient, outcome=Outcome.DND)


def because(recipient: str, outcome: Outcome, code: FailureCode | str, detail: str) -> RecipientResult:
    """A recipient with any outcome that carries an error."""
    error = Failure(code=str(code), detail=detail)
    return RecipientResult(recipient=recipient, outcome=outcome, error=error)


def send_result(job_id: str, recipients: Iterable[RecipientResult], **fields: Any) -> SendResult:  # noqa: ANN401 - validated
    """A part with its status and counts drawn from *recipients*; *fields* are the rest of the model's."""
    held = tuple(recipients)
    outcomes = [recipient.outcome for recipient in held]
    fields = {"part": 1, "parts": 1, **fields}
    status, counts = part_status(outcomes), count_outcomes(outcomes)
    return SendResult(job_id=job_id, status=status, recipients=held, counts=counts, **fields)


def delivery_result(job_id: str, messages: Iterable[MessageStatus], **fields: Any) -> DeliveryResult:  # noqa: ANN401 - validated
    """A part with its status drawn from *messages*; *fields* are the rest of the model's."""
    held = tuple(messages)
    status = delivery_status((one.found, [to.status for to in one.recipients]) for one in held)
    fields = {"part": 1, "parts": 1, **fields}
    return DeliveryResult(job_id=job_id, status=status, messages=held, **fields)
