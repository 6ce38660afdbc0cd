"""Api jobs: accept, find or open the entry, claim, call once, record, publish."""

from dataclasses import dataclass

from schemas import (
    AnyResult,
    ApiFailed,
    ApiJob,
    ApiResult,
    ApiUncertain,
    Failure,
    FailureCode,
    ReadJob,
    ResultKind,
    result_message_id,
)
from worker.domain.api_entry import ApiEntry, api_key, given_up, reopened
from worker.domain.entry import CallState
from worker.domain.errors import (
    BrokerUnavailableError,
    DeliveryLostError,
    OutcomeUncertainError,
    TransientError,
    UnavailableError,
    WorkerError,
)
from worker.domain.messages import DeadLetter, Delay, Delivery, Done, JobSummary, ResultMessage
from worker.domain.web_verdict import after_last_round
from worker.handlers.api.acceptance import ApiAcceptance, conflict
from worker.handlers.api.ports import ApiPorts
from worker.handlers.api.work import ApiWork
from worker.handlers.entries import LostRaceError, Version
from worker.handlers.handled import Handled, forgotten
from worker.handlers.publication import result_message
from worker.ports import Locks

_PAUSE = 5.0  # seconds between attempts to publish what nobody else will
_MOST_RACES = 20  # in a row for one job's entry: the store forgets what it is given, or gives it away


@dataclass(frozen=True, slots=True)
class ApiHandler:
    """Carries out api jobs."""

    acceptance: ApiAcceptance
    ports: ApiPorts
    locks: Locks

    async def handle(self, delivery: Delivery) -> Handled:
        """Carry the job out, and return what to do with the delivery.

        Raises:
            JobRejectedError: the job is invalid or not allowed, or its id belongs to another.
            UnavailableError: the ledger, the broker or the Web API is away.
        """
        read = self.acceptance.api_job(delivery)
        async with self.locks.holding(api_key(read.job_id)):
            if delivery.is_lost():
                raise DeliveryLostError
            version = await self._opened(read, delivery)
            if version is None:
                return forgotten(read.job_id, "api")
            work = ApiWork(self.ports, read.job, version, delivery.progress)
            try:
                await work.complete()
            except (TransientError, OutcomeUncertainError) as error:
                return await self._round_over(error, work, read, delivery)
            return await self._published(work, read, delivery)

    async def _opened(self, read: ReadJob[ApiJob], delivery: Delivery) -> Version[ApiEntry] | None:
        """Find or make the job's entry; None where there is none and none may be made."""
        key, replay, entries = api_key(read.job_id), delivery.replay, self.ports.entries
        for _ in range(_MOST_RACES):
            found = await entries.load(key)
            if found is None:
                if replay and replay.needs_entry(self.ports.clock.now()):
                    return None
                found, entry = Version(key, None, ApiEntry("")), ApiEntry(read.fingerprint)
            else:
                entry = found.entry
            if entry.fingerprint != read.fingerprint:
                raise conflict(read)
            entry = reopened(entry, replay) if replay else entry
            if entry == found.entry:
                return found
            try:
                return await entries.write(found, entry)
            except LostRaceError:
                continue
        raise UnavailableError("entry_contended", "the job's entry changes all the time")

    async def _round_over(
        self, error: WorkerError, work: ApiWork, read: ReadJob[ApiJob], delivery: Delivery
    ) -> Handled:
        """Give the job another round, or give it up."""
        asked = error.retry_after if isinstance(error, TransientError) else None
        now = self.ports.clock.now()
        again = self.ports.policy.next_round(delivery, error.code, now=now, at_least=asked or 0.0)
        if isinstance(again, Delay):
            return Handled(again, JobSummary("api", "delayed", read.job_id))
        await work.give_up(after_last_round(error))
        return await self._published(work, read, delivery, error.for_log)

    async def _published(
        self, work: ApiWork, read: ReadJob[ApiJob], delivery: Delivery, why: str = ""
    ) -> Handled:
        """Publish what became of the job; *why*: it is given up now, without a word of a reply."""
        entry = work.version.entry
        result = _result(entry, read)
        message_id = result_message_id(read.job_id, 1)
        message = result_message(ResultKind.API, result, message_id, delivery)
        if work.late:
            await self._publish_alone(message)
        else:
            await self.ports.publisher.publish_result(message)
        summary = JobSummary("api", str(result.status), read.job_id)
        # Its worker may have died before the dead letter was there; a job that is merely published once more
        # has its rounds ahead of it.
        last = given_up(entry) and not self.ports.policy.next_round(delivery, "", now=self.ports.clock.now())
        if not last:
            return Handled(Done(), summary)
        words = why or "given up after many attempts"
        return Handled(DeadLetter(FailureCode.RETRIES_EXHAUSTED, words), summary)

    async def _publish_alone(self, message: ResultMessage) -> None:
        """Publish, until it works: no delivery is left that would bring another worker to do it."""
        while True:
            try:
                return await self.ports.publisher.publish_result(message)
            except BrokerUnavailableError:
                await self.ports.clock.sleep(_PAUSE)


def _result(entry: ApiEntry, read: ReadJob[ApiJob]) -> AnyResult:
    """Say what became of a job whose entry is done."""
    if entry.state is not CallState.DONE:
        raise TypeError("a job whose call is not over has no result")
    end = entry.known_end
    revision = entry.revision if entry.revision > 1 else None
    if end.status == "done":
        return ApiResult(
            job_id=read.job_id,
            revision=revision,
            http_status=end.http_status or 0,
            reply=end.reply,
            truncated=True if end.truncated else None,
            metadata=read.job.metadata,
        )
    form = ApiFailed if end.status == "failed" else ApiUncertain
    return form(
        job_id=read.job_id,
        revision=revision,
        http_status=end.http_status,
        error=Failure(code=end.code or "", detail=end.detail or ""),
        metadata=read.job.metadata,
    )
