"""Taking one call of the Web API from its entry to its end: leave to call, claim, call, record."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from schemas import ApiJob
from worker.domain.api_entry import ApiEnd, ApiEntry, after_lease, begin, ended, joined, release
from worker.domain.entry import CallState
from worker.domain.errors import (
    LedgerUnavailableError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    UnavailableError,
    WorkerError,
)
from worker.domain.progress import Progress, Step
from worker.domain.web_body import body_of
from worker.domain.web_verdict import Verdict, judged, lost
from worker.handlers.api.ports import ApiPorts
from worker.handlers.entries import EntryUnreadableError, LostRaceError, Store, Version
from worker.handlers.finishing import completed, finished
from worker.ports import Command, Subject, WebCall

log = structlog.get_logger(__name__)

T = TypeVar("T")

_MOST_RACES = 20  # in a row; each was won by another worker, of which there are not so many at one job
_POLL = 0.5  # seconds; how often a worker looks whether another one's call has ended
# Seconds between two tries to reach a ledger that is away, growing.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 4.0


class ApiWork:
    """One worker's work on one api job; another may be at it at the same time.

    Args:
        ports: the collaborators.
        job: what is asked.
        version: its entry.
        progress: of the delivery that this is for.

    Attributes:
        version: the entry as last written or read.
        at: the step that it is in.
        late: a reply came after another worker had taken the call over, and reported a doubt. That worker may
            have acknowledged the job by now: nobody but this one is left to publish the reply.
    """

    def __init__(self, ports: ApiPorts, job: ApiJob, version: Version[ApiEntry], progress: Progress) -> None:
        self._ports = ports
        self._job = job
        self._progress = progress
        self._repeatable = job.method == "GET"
        self._last: ApiEnd | None = None
        self.version = version
        self.at = Step.WAITING
        self.late = False

    async def complete(self) -> None:
        """Return when the call has an end and the ledger knows it.

        Raises:
            TransientError, OutcomeUncertainError: the attempts of this round are used up.
            UnavailableError: the ledger or the Web API is away, or the worker stops; the job must wait.
        """
        self._progress.works.append(self)
        try:
            races = 0
            while (state := self.version.entry.state) is not CallState.DONE:
                try:
                    if state is CallState.CALLING:
                        await self._outlast()
                    elif self._last is not None:
                        known = ended(self.version.entry, self._last)
                        self.version = await self._ports.entries.write(self.version, known)
                    else:
                        await self._ports.retry(self._attempt)
                    races = 0
                except LostRaceError:
                    races += 1
                    if races > _MOST_RACES:
                        raise UnavailableError(
                            "entry_contended", "the job's entry changes all the time"
                        ) from None
                    self.version = await self._ports.entries.reload(self.version.key)
        finally:
            self._progress.works.remove(self)

    async def give_up(self, end: ApiEnd) -> None:
        """Record the end of a job whose rounds are used up; one that another worker has found stands."""
        self._last = end
        await self.complete()

    async def _attempt(self) -> None:
        """Make the call and record what is known of it. An error that leaves may be retried."""
        if self.version.entry.state is not CallState.READY:
            return
        if self._progress.stopped:
            raise UnavailableError("worker_stopping", "the worker stops and gives the job back")
        error: WorkerError | None = None
        try:
            about = Subject((("method", self._job.method), self._job.path.partition("?")[0]))
            async with self._ports.gate.admit(Command.API, urgent=False, about=about) as leave:
                if not await self._claimed():
                    leave.unused()
                    return
                error = await self._called()
                if error is not None:
                    raise error
        except (PermanentError, TransientError, OutcomeUncertainError) as raised:
            log.debug("call.refused", job=self.version.key, code=raised.code)
            if not self._is_done():
                raise
        finally:
            self.at = Step.WAITING

    def _is_done(self) -> bool:
        return self.version.entry.state is CallState.DONE

    async def _claimed(self) -> bool:
        """Claim, right before the call; tell whether the claim holds for as long as the call may take."""
        ports, ready = self._ports, self.version
        self.at = Step.WRITING
        claimed_at = ports.clock.elapsed()
        claim = Version(ready.key, ports.entries.draw_token(), begin(ready.entry, started=ports.store_time()))
        try:
            self.version = await ports.entries.write(ready, claim.entry, token=claim.token)
        except LedgerUnavailableError:
            # It may have been written: nobody must take its reply for lost.
            await finished(self._taken_back(claim))
            raise
        too_old = ports.clock.elapsed() - claimed_at > ports.margin
        if too_old or self._progress.stopped:
            # This process stood still on the way, or the ledger is too slow to call by.
            await finished(self._taken_back(claim))
            return False
        return True

    async def _called(self) -> WorkerError | None:
        """Call, and record what became of it."""
        self.at = Step.CALLING
        call = WebCall(self._job.method, self._job.path, *body_of(self._job))
        try:
            verdict = judged(await self._ports.web_api.call(call), repeatable=self._repeatable)
        except TransientError as error:
            await finished(self._taken_back(self.version))
            return error
        except OutcomeUncertainError as error:
            verdict = lost(error, repeatable=self._repeatable)
            log.warning("reply.lost", job=self.version.key, code=error.code, detail=error.for_log)
        # A stop has its time to record what is known.
        await completed(self._recorded(verdict), hurry=False)
        return verdict.error

    async def _recorded(self, verdict: Verdict) -> None:
        self.at = Step.WRITING
        if verdict.end is not None:
            await self._settled(verdict.end)
        else:
            await self._taken_back(self.version, went_out=True)

    async def _taken_back(self, claim: Version[ApiEntry], *, went_out: bool = False) -> None:
        """Make the call ready again, unless somebody else is at the entry by now."""
        entries = self._ports.entries
        ready, token = release(claim.entry, went_out=went_out), entries.draw_token()

        async def step() -> Version[ApiEntry]:
            found = await entries.reload(claim.key)
            return await entries.write(found, ready, token=token) if found.token == claim.token else found

        try:
            self.version = await self._patiently(step)
        except LostRaceError:
            self.version = await self._patiently(lambda: entries.reload(claim.key))

    async def _settled(self, end: ApiEnd) -> None:
        """Have the ledger hold *end*, joined to what others have written; from here on it is known."""
        entries, mine = self._ports.entries, self.version
        base, entry = mine, ended(mine.entry, end)
        while True:
            try:
                self.version = await self._patiently(_writing(entries, base, entry))
            except LostRaceError:
                try:
                    found = await self._patiently(lambda: entries.load(mine.key))
                except EntryUnreadableError as error:
                    log.error("reply.unrecorded", job=mine.key, reason=error.code)  # noqa: TRY400 - no values
                    # Nobody here can join to it what is known: that is published from memory.
                    self.version = Version(mine.key, mine.token, ended(mine.entry, end))
                    return
            else:
                self._tell(base, mine, entry)
                return
            base = found or Version(mine.key, None, ApiEntry(mine.entry.fingerprint))
            if base.entry.fingerprint != mine.entry.fingerprint:
                # The store has forgotten this job and given its id away: the result is published from memory.
                self.version = Version(mine.key, mine.token, ended(mine.entry, end))
                return
            entry = joined(base.entry, end)
            if entry == base.entry:
                self.version = base
                return

    def _tell(self, base: Version[ApiEntry], mine: Version[ApiEntry], entry: ApiEntry) -> None:
        if entry.revision > mine.entry.revision:
            self.late = True
            log.warning("reply.late", job=base.key)
            self._ports.observer.revised()

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        """Wait for a ledger that is away: what is known must not be lost with it."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await step()
            except LedgerUnavailableError:
                self._ports.gate.ledger_failed()
                await self._ports.clock.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _outlast(self) -> None:
        """Wait for the end of another worker's call; take it over when its time is up."""
        ports, seen = self._ports, self.version
        # By the store's clock, that started it, but never for longer than a whole lease by our own. A call
        # that is then repeated is given that in any case: where the clocks disagree, it may be under way.
        age = 0.0 if self._repeatable else ports.store_time() - seen.entry.started
        until = ports.clock.elapsed() + min(max(ports.lease - age, 0.0), ports.lease)
        while (left := until - ports.clock.elapsed()) > 0:
            await ports.clock.sleep(min(_POLL, left))
            self.version = await ports.entries.reload(seen.key)
            if self.version.token != seen.token:
                return
        log.warning("call.taken_over", job=seen.key, repeated=self._repeatable)
        taken = after_lease(seen.entry, repeatable=self._repeatable)
        self.version = await ports.entries.write(seen, taken)


def _writing(
    entries: Store[ApiEntry], base: Version[ApiEntry], entry: ApiEntry
) -> Callable[[], Awaitable[Version[ApiEntry]]]:
    """Return a step that may be taken again: both times it writes the same, under one token."""
    token = entries.draw_token()
    return lambda: entries.write(base, entry, token=token)
