"""What a look says of tracked messages: which have their end, and in what words. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas import FINAL_STATUSES, DeliveryStatus, FailureCode, writing
from worker.domain.errors import PermanentError, WorkerError
from worker.domain.limits import MOST_PER_PART
from worker.domain.plan import batches
from worker.domain.tracking import Result, Tracked
from worker.handlers.publication import message_of
from worker.ports import MessageReport, RecipientStatus

Answers = Mapping[str, MessageReport | WorkerError]
"""By id; one that is missing is not known to the gateway."""

_WITHOUT_ANSWER = 2  # limits; nothing is followed for ever, not even what the gateway never answers for


class Ending(NamedTuple):
    """The end of one message.

    Attributes:
        row: as the result has it.
        statuses: of its recipients, for metrics.
        age: seconds since it was accepted.
    """

    message: Tracked
    row: writing.Row
    statuses: tuple[str, ...]
    age: float


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides on messages.

    Attributes:
        limit: seconds from acceptance; then one that is not final has its end as well.
    """

    limit: float

    def endings(self, messages: Iterable[Tracked], answers: Answers, now: float) -> list[Ending]:
        """Return the end of each of *messages* that has one by *now*, seconds since the epoch."""
        ended = (self._ending(one, answers.get(one.message_id), now - one.accepted) for one in messages)
        return [one for one in ended if one is not None]

    def left(self, messages: Sequence[Tracked], now: float) -> float:
        """Return the seconds until the first of *messages* has reached the limit."""
        return min((one.accepted for one in messages), default=now) + self.limit - now

    def _ending(
        self, message: Tracked, answer: MessageReport | WorkerError | None, age: float
    ) -> Ending | None:
        report = answer if isinstance(answer, MessageReport) else None
        said = _about(message, report)
        final = [one for one in said if one.status in FINAL_STATUSES]
        over = [one for one in said if one.status not in FINAL_STATUSES]
        if over and age < self.limit * (_WITHOUT_ANSWER if is_no_answer(answer) else 1):
            return None
        statuses = (*(one.status for one in final), *([DeliveryStatus.UNKNOWN.value] * len(over)))
        return Ending(message, _row(message, report, final, over), statuses, age)


def is_no_answer(answer: MessageReport | WorkerError | None) -> bool:
    """Tell whether another look may well bring one; a refusal of the id is an answer."""
    return isinstance(answer, WorkerError) and not isinstance(answer, PermanentError)


def _about(message: Tracked, report: MessageReport | None) -> tuple[RecipientStatus, ...]:
    """What the report says of the message's own recipients, each of whom has a status.

    The id may be that of a whole call, and so of other jobs' recipients as well. Where numbers come back in a
    spelling that nobody knows, as many as were sent to stand for all of them.
    """
    found = report.recipients if report else ()
    own = {one.recipient: one for one in found if one.recipient in message.recipients}
    if not own and len(found) == len(message.recipients):
        return found
    return tuple(
        own.get(name) or RecipientStatus(name, DeliveryStatus.PENDING, "") for name in message.recipients
    )


def _row(
    message: Tracked,
    report: MessageReport | None,
    final: Sequence[RecipientStatus],
    over: Sequence[RecipientStatus],
) -> writing.Row:
    rows: list[writing.Row] = [
        {"recipient": one.recipient, "status": one.status, "raw_status": one.raw_status} for one in final
    ]
    error = {"code": FailureCode.TRACKING_ENDED.value, "detail": "no final status within WORKER_TRACK_LIMIT"}
    rows += [
        {
            "recipient": one.recipient,
            "status": DeliveryStatus.UNKNOWN.value,
            "raw_status": one.raw_status,
            "error": error,
        }
        for one in over
    ]
    return {**message_of(message.message_id, report), "recipients": rows}


def results_of(
    endings: Sequence[Ending], numbers: Iterable[int], head: writing.Row, metadata: Mapping[str, object]
) -> list[Result]:
    """Write the results that tell of *endings*, at most 100 in each.

    Args:
        endings: of a look.
        numbers: the ``track`` of each result.
        head: ``job_id``.
        metadata: the job's.
    """
    return [
        Result(number, writing.tracked_result({**head, "track": number}, rows, metadata).decode())
        for number, rows in zip(numbers, batches((one.row for one in endings), MOST_PER_PART), strict=False)
    ]
