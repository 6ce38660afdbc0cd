"""The one door to the gateway: every call of every job passes it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from worker.domain.errors import (
    AccountError,
    HeldTooLongError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.ports import Command
from worker.resilience.call_slots import CallSlots
from worker.resilience.circuit_breaker import CircuitBreaker
from worker.resilience.pause import Pause
from worker.resilience.rate_limiter import RateLimiter


@dataclass(slots=True)
class _Permit:
    """Leave to make one call."""

    on_trial: bool
    made: bool = field(default=True)

    def unused(self) -> None:
        """Say that no call was made."""
        self.made = False


class Gate:
    """Composes pauses, circuit breakers, the rate limit and the calls in flight; the `CallGate` port.

    Args:
        breakers: one for each command, so that one that fails does not stop the others.
        account: the pause while the gateway refuses the account or its credits are gone.
        ledger: the pause while the ledger cannot be written.
        slots: bound on calls in flight.
        limiter: bound on calls a second.
        hold_limit: seconds that a job may wait here.
    """

    def __init__(
        self,
        *,
        breakers: Mapping[Command, CircuitBreaker],
        account: Pause,
        ledger: Pause,
        slots: CallSlots,
        limiter: RateLimiter,
        hold_limit: float,
    ) -> None:
        self._breakers = breakers
        self._account = account
        self._ledger = ledger
        self._slots = slots
        self._limiter = limiter
        self._hold_limit = hold_limit
        self._stopped = False
        self._waiting: set[asyncio.Future[bool]] = set()

    @property
    def paused_for(self) -> tuple[str, ...]:
        """The causes for which intake stands still; empty while it does not."""
        return tuple(pause.cause for pause in (self._account, self._ledger) if pause.cause)

    @property
    def calls(self) -> int:
        """How many calls the gateway takes at once just now; under a rate limit that is not what matters."""
        return 0 if self._limiter.limits else self._slots.in_use

    async def clear(self) -> None:
        """Wait until neither the account nor the ledger stops sends."""
        if self.paused_for or self._stopped:
            await self._unless_stopped(self._held(self._no_pause))

    def passes(self, command: Command) -> bool:
        """Tell whether nothing but other calls stands in the way of a call."""
        return self._open(self._breakers[command]) and not self._stopped

    def has_room(self, *, urgent: bool) -> bool:
        """Tell whether one more call would start at once and keep no other from starting."""
        return self._slots.free(urgent=urgent) and not self._limiter.limits

    async def _no_pause(self) -> bool:
        await self._account.over()
        await self._ledger.over()
        return True

    def stop(self) -> None:
        """Let nobody in any more: who waits goes back, who is in finishes."""
        self._stopped = True
        for waiting in self._waiting:
            waiting.cancel()

    async def _unless_stopped(self, wait: Coroutine[None, None, bool]) -> bool:
        if self._stopped:
            wait.close()
            raise _stopping()
        waiting = asyncio.ensure_future(wait)
        self._waiting.add(waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._stopped and not (task and task.cancelling()):
                raise _stopping() from None
            raise
        finally:
            self._waiting.discard(waiting)

    def ledger_failed(self) -> None:
        """Pause sends until the ledger can be written."""
        self._ledger.begin("ledger")

    def account_failed(self, error: AccountError) -> None:
        """Pause every call until the account works."""
        self._account.begin(error.trouble.value)

    @asynccontextmanager
    async def admit(self, command: Command, *, urgent: bool) -> AsyncIterator[_Permit]:
        """Wait for leave, and learn from how the block ends."""
        breaker = self._breakers[command]
        permit = _Permit(await self._entered(breaker, urgent=urgent))
        try:
            yield permit
        except WorkerError as error:
            self._learn(command, error, on_trial=permit.on_trial)
            raise
        except BaseException:
            breaker.abandoned(on_trial=permit.on_trial)
            raise
        finally:
            self._slots.give_back(urgent=urgent)
        if permit.made:
            breaker.succeeded()
            if permit.on_trial:
                self._slots.restart()
        else:
            breaker.abandoned(on_trial=permit.on_trial)

    def answered(self, command: str, outcome: str, seconds: float) -> None:
        """Learn from each call how long the gateway took."""
        if outcome == "ok":
            self._slots.served(command, seconds)

    async def _entered(self, breaker: CircuitBreaker, *, urgent: bool) -> bool:
        """Take a slot; tell if the call is a trial."""
        at_once = self._open(breaker) and self._slots.free(urgent=urgent) and not self._limiter.limits
        if at_once and not self._stopped:
            await self._slots.take(urgent=urgent)
            return False
        return await self._unless_stopped(self._leave(breaker, urgent=urgent))

    async def _leave(self, breaker: CircuitBreaker, *, urgent: bool) -> bool:
        """Take a slot while nothing stands in the way; tell if the call is a trial."""
        while True:
            on_trial = not self._open(breaker) and await self._held(lambda: self._pass(breaker))
            try:
                await self._take_slot(urgent=urgent)
            except BaseException:
                breaker.abandoned(on_trial=on_trial)
                raise
            # The wait for a slot may have been long enough for the gateway to go away.
            if on_trial or self._open(breaker):
                return on_trial
            self._slots.give_back(urgent=urgent)

    def _open(self, breaker: CircuitBreaker) -> bool:
        """Tell whether a call may be made at once, as nearly always."""
        return breaker.passable and self._account.cause is None

    async def _take_slot(self, *, urgent: bool) -> None:
        await self._slots.take(urgent=urgent)
        try:
            await self._limiter.take(urgent=urgent)
        except BaseException:
            self._slots.give_back(urgent=urgent)
            raise

    async def _pass(self, breaker: CircuitBreaker) -> bool:
        """Wait until neither pause nor breaker stand in the way; tell if it is a trial."""
        while True:
            await self._account.over()
            on_trial = await breaker.admit()
            if self._account.cause is None:
                return on_trial
            breaker.abandoned(on_trial=on_trial)

    def _learn(self, command: Command, error: WorkerError, *, on_trial: bool) -> None:
        breaker = self._breakers[command]
        # A trial is made after the gateway answered the probe. A status lookup that it then fails to answer
        # is that job's own trouble and counts; a send or a DND lookup waits for as long as it takes.
        error.on_trial = on_trial and (isinstance(error, TransientError) or command is not Command.STATUS)
        if isinstance(error, AccountError):
            breaker.abandoned(on_trial=on_trial)
            self.account_failed(error)
        elif isinstance(error, TransientError) and not on_trial and self._slots.refused(command.value):
            # One call too many: it waits until there is room for it, which is not this job's fault.
            error.on_trial = True
            breaker.abandoned(on_trial=False)
        elif isinstance(error, TransientError | OutcomeUncertainError):
            retry_after = error.retry_after if isinstance(error, TransientError) else None
            breaker.failed(on_trial=on_trial, retry_after=retry_after)
        elif isinstance(error, PermanentError):
            breaker.succeeded()
        else:
            breaker.abandoned(on_trial=on_trial)

    async def _held(self, wait: Callable[[], Awaitable[bool | None]]) -> bool:
        try:
            async with asyncio.timeout(self._hold_limit):
                return bool(await wait())
        except TimeoutError:
            raise HeldTooLongError("gateway_away", "the job waited for the gateway and goes back") from None

    def close(self) -> None:
        """Stop the probes."""
        self._account.close()
        self._ledger.close()
        self._limiter.close()


def _stopping() -> HeldTooLongError:
    return HeldTooLongError("worker_stopping", "the worker stops and gives the job back")
