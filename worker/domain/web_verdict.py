"""What a reply of the Web API means for its job, and for the gateway's standing. Pure."""

from dataclasses import dataclass, field
from http import HTTPStatus

from pydantic import JsonValue

from schemas import FailureCode
from worker.domain.api_entry import ApiEnd, EndStatus
from worker.domain.errors import OutcomeUncertainError, PermanentError, TransientError, WorkerError

# RFC 6585, 4; RFC 9110, 15.6.4: the request was not worked on.
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class WebReply:
    """A reply, read to its end; its repr shows nothing of it.

    Attributes:
        value: JSON or a string, credentials hidden, at most 64 KB.
        truncated: whether that is the beginning of a longer one.
        words: what it says, for the job's own result: one line, credentials hidden.
        outline: the same without a word of it, for logs and dead letters.
        retry_after: seconds that the other side asks for, if it does.
    """

    status: int
    value: JsonValue = field(repr=False)
    truncated: bool
    words: str = field(repr=False)
    outline: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Either of the two may be missing, not both.

    Attributes:
        end: of the job; None where a GET is tried again.
        error: what the call ended with, for whoever watches over the Web API; None: it was served.
    """

    end: ApiEnd | None
    error: WorkerError | None = None


def judged(reply: WebReply, *, repeatable: bool) -> Verdict:
    """Say what *reply* means.

    Args:
        reply: to the call.
        repeatable: whether it was a GET.
    """
    status = reply.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Verdict(ApiEnd("done", status, reply.value, reply.truncated))
    error = _error(reply)
    if repeatable and not isinstance(error, PermanentError):
        return Verdict(None, error)
    outcome: EndStatus = "uncertain" if isinstance(error, OutcomeUncertainError) else "failed"
    return Verdict(ApiEnd(outcome, status, code=error.code, detail=error.detail), error)


def lost(error: OutcomeUncertainError, *, repeatable: bool) -> Verdict:
    """Say what a lost reply means."""
    if repeatable:
        return Verdict(None, error)
    return Verdict(ApiEnd("uncertain", code=error.code, detail=error.detail), error)


def after_last_round(error: WorkerError) -> ApiEnd:
    """Give a job up whose retries are used up: nothing was done, or nothing but asking."""
    words = f"given up after many attempts; the last one: {error.detail}"
    return ApiEnd("failed", code=FailureCode.RETRIES_EXHAUSTED.value, detail=words)


def _error(reply: WebReply) -> WorkerError:
    error: WorkerError
    if reply.status in _BUSY:
        code = FailureCode.GATEWAY_BUSY.value
        error = TransientError(code, reply.words, retry_after=reply.retry_after)
    elif HTTPStatus.MULTIPLE_CHOICES <= reply.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        error = PermanentError(FailureCode.REJECTED_BY_GATEWAY.value, reply.words)
    else:
        error = OutcomeUncertainError(FailureCode.GATEWAY_ERROR.value, reply.words)
    error.for_log = reply.outline
    return error
