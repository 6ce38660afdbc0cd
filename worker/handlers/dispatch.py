"""Every delivery's way through its handler: one job, one canonical line, one disposition."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from schemas import FailureCode, JobKind, JobRejectedError
from worker.domain.errors import GatewayAwayError, LedgerUnavailableError, UnavailableError, WaitsError
from worker.domain.messages import (
    UNFINISHED,
    DeadLetter,
    Delay,
    Delivery,
    Disposition,
    Done,
    Hold,
    JobSummary,
    Lane,
    Requeue,
    Schedule,
)
from worker.domain.trace import TRACEPARENT
from worker.domain.waiting import WaitingRoom
from worker.handlers.handled import Handled
from worker.handlers.publication import rejected_message
from worker.handlers.send.renewal import Renewal
from worker.ports import CallGate, Clock, Observer, Publisher

log = structlog.get_logger(__name__)

_CALLED_ONCE = frozenset({JobKind.SEND, JobKind.API})  # the ledger must know them for as long as they wait
_NOTHING_NEW = frozenset({"pending", "dropped"})
_RESULTS: Mapping[type[Disposition], str] = {
    Schedule: "scheduled",
    Hold: "held",
    Delay: "delayed",
    Requeue: "returned",
}


class Handler(Protocol):
    """Carries out the jobs of one lane."""

    async def handle(self, delivery: Delivery) -> Handled:
        """Publish the job's results and return what to do with the delivery."""
        ...


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Takes a delivery to its handler and its outcome to log and metrics.

    Attributes:
        waiting: where jobs wait that may not be sent yet.
        aside: seconds for which a job makes way that waits for a lookup alone; 0: it goes back to its queue.
    """

    handlers: Mapping[Lane, Handler]
    publisher: Publisher
    gate: CallGate
    observer: Observer
    clock: Clock
    renewal: Renewal
    waiting: WaitingRoom
    aside: int = 0

    async def __call__(self, delivery: Delivery) -> Disposition:
        """Return what to do with *delivery*; its results are published by then.

        To be awaited in a task of the delivery's own, whose lines name the delivery's trace from here on.
        """
        if delivery.traceparent is not None:
            TRACEPARENT.set(delivery.traceparent)
        self.observer.job_taken(delivery)
        started = self.clock.elapsed()
        kind = delivery.lane.kind
        try:
            handled = await self.handlers[delivery.lane].handle(delivery)
        except JobRejectedError as error:
            handled = await self._rejected(kind, error, delivery)
        except WaitsError as error:
            handled = self._waiting(kind, error, delivery)
        except UnavailableError as error:
            handled = self._returned(kind, error)
        if isinstance(handled.disposition, UNFINISHED) and kind in _CALLED_ONCE:
            await self.renewal(delivery)
        seconds = self.clock.elapsed() - started
        self.observer.job_ended(delivery, handled.summary, seconds=seconds)
        _tell(handled, seconds)
        return handled.disposition

    async def _rejected(self, kind: JobKind, error: JobRejectedError, delivery: Delivery) -> Handled:
        try:
            await self.publisher.publish_result(rejected_message(kind, error, delivery))
        except UnavailableError as unconfirmed:
            return self._returned(kind, unconfirmed)
        code = error.errors[0].type if error.errors else FailureCode.INVALID_JOB.value
        return Handled(DeadLetter(code, error.detail), JobSummary(kind.value, "rejected", error.job_id))

    def _waiting(self, kind: JobKind, error: WaitsError, delivery: Delivery) -> Handled:
        place = self.waiting.place(error, delivery.lane, self.clock.now())
        return Handled(place, JobSummary(kind.value, _RESULTS[type(place)], error.job_id))

    def _returned(self, kind: JobKind, error: UnavailableError) -> Handled:
        if isinstance(error, LedgerUnavailableError):
            self.gate.ledger_failed()
        if isinstance(error, GatewayAwayError):
            return self._aside(kind, error)
        return _back(kind, error)

    def _aside(self, kind: JobKind, error: GatewayAwayError) -> Handled:
        """Give a job back; one that only lacks a lookup makes way for those behind it that need none."""
        if not (error.lookups_alone and self.aside):
            return _back(kind, error)
        log.debug("job.returned", kind=kind.value, reason=error.code, detail=error.detail)
        delay = Delay(self.aside, error.code, counts=False)
        return Handled(delay, JobSummary(kind.value, "delayed"))


def _back(kind: JobKind, error: UnavailableError) -> Handled:
    log.debug("job.returned", kind=kind.value, reason=error.code, detail=error.detail)
    return Handled(Requeue(error.code), JobSummary(kind.value, "returned"))


def _tell(handled: Handled, seconds: float) -> None:
    """Write the one line of a job; *reason* is there where it does not end here, or ends badly."""
    summary, disposition = handled.summary, handled.disposition
    if isinstance(disposition, UNFINISHED) and disposition.reason == "gateway_away":
        return  # in an outage it comes and goes, and that it does is said at debug
    if isinstance(disposition, Requeue) and disposition.reason == FailureCode.OUTSIDE_HOURS:
        log.debug("job.returned", kind=summary.kind, reason=disposition.reason)
        return  # a look into a held queue found it
    reason = {} if isinstance(disposition, Done) else {"reason": disposition.reason}
    if summary.kind == "track" and summary.result in _NOTHING_NEW:
        # They come by the thousand.
        log.debug("look.completed", result=summary.result, job_id=summary.job_id, **summary.counts)
        return
    log.info(
        "job.completed",
        kind=summary.kind,
        result=summary.result,
        job_id=summary.job_id,
        duration=round(seconds, 4),
        **reason,
        **summary.counts,
    )
