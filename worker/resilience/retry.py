"""Retries within the process: seconds, with jitter. What lasts longer goes through the broker."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from worker.domain.errors import (
    AccountError,
    HeldTooLongError,
    OutcomeUncertainError,
    TransientError,
    WorkerError,
)
from worker.ports import Clock

T = TypeVar("T")

_REPEATED = (TransientError, OutcomeUncertainError, AccountError)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full-jitter exponential backoff, in seconds.

    Attributes:
        first: upper bound of the first wait; doubled for each further one.
        longest: no wait of ours is longer; one that the other side asks for may be.
        longest_asked: a ``Retry-After`` is obeyed up to this.
    """

    first: float = 0.4
    longest: float = 5.0
    longest_asked: float = 300.0


class _CountedAttempts(stop_base):
    """Stops after a number of failures that tell something about the request.

    A failure on trial says that the outage is not over, one of the account that no request works.
    """

    def __init__(self, limit: int) -> None:
        self._left = limit

    def __call__(self, retry_state: RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if _counts(error):
            self._left -= 1
        return self._left <= 0


def _counts(error: BaseException | None) -> bool:
    return not isinstance(error, AccountError) and not getattr(error, "on_trial", False)


class _Wait(wait_base):
    """Obeys ``Retry-After``; else full jitter. An account error needs none: the pause is the wait."""

    def __init__(self, backoff: Backoff, random: Random) -> None:
        self._backoff = backoff
        self._random = random

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, AccountError):
            return 0.0
        if isinstance(error, TransientError) and error.retry_after is not None:
            return min(error.retry_after, self._backoff.longest_asked)
        bound = self._backoff.first * 2 ** min(retry_state.attempt_number - 1, 16)
        return self._random.uniform(0, min(bound, self._backoff.longest))


@dataclass(frozen=True, slots=True)
class RetryAttempts:
    """The `Retry` port on tenacity.

    Attributes:
        limit: attempts that count.
        longest_hold: seconds; failures that do not count are not repeated beyond them.
        on_retry: told before each repetition.
    """

    limit: int
    clock: Clock
    random: Random
    backoff: Backoff = Backoff()
    on_retry: Callable[[], None] = lambda: None
    longest_hold: float = 600.0

    async def __call__(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return the first success, else raise the last error.

        Repeated are the errors after which nothing was sent, and `OutcomeUncertainError`: whoever may not
        repeat on that must not let it out of *attempt*.

        Raises:
            HeldTooLongError: the outage lasts longer than a job may be held.
        """
        until = self.clock.elapsed() + self.longest_hold
        try:
            return await attempt()
        except _REPEATED as error:
            failed: WorkerError | None = error

        async def call() -> T:
            # tenacity awaits coroutine functions only, not what a lambda returns.
            nonlocal failed
            if failed is not None:
                first, failed = failed, None
                raise first
            try:
                return await attempt()
            except WorkerError as error:
                if _counts(error) or self.clock.elapsed() < until:
                    raise
                raise HeldTooLongError(error.code, "the job waited for the gateway and goes back") from None

        # Nearly every attempt succeeds: tenacity's bookkeeping begins with the first that does not.
        return await self._retrying()(call)

    def _retrying(self) -> AsyncRetrying:
        return AsyncRetrying(
            sleep=self.clock.sleep,
            stop=_CountedAttempts(self.limit),
            wait=_Wait(self.backoff, self.random),
            retry=retry_if_exception_type(_REPEATED),
            before_sleep=lambda _: self.on_retry(),
            reraise=True,
        )
