"""Retries within the process: seconds, with jitter. What lasts longer goes through the broker."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from worker.domain.errors import AccountError, OutcomeUncertainError, TransientError, WorkerError
from worker.ports import Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full-jitter exponential backoff, in seconds.

    Attributes:
        first: upper bound of the first wait; doubled for each further one.
        longest: no wait of ours is longer; one that the other side asks for may be.
        longest_asked: a ``Retry-After`` of up to this is sat out here; a longer one ends the round.
    """

    first: float = 0.4
    longest: float = 5.0
    longest_asked: float = 30.0


def repeats(error: BaseException) -> bool:
    """Tell whether another attempt has a chance: not of what the gateway refuses of this one alone."""
    if isinstance(error, AccountError):
        return not error.counts
    return isinstance(error, TransientError | OutcomeUncertainError)


class _CountedAttempts(stop_base):
    """Stops after a number of failures that are the request's own, or when the next would be far away."""

    def __init__(self, limit: int, longest_asked: float) -> None:
        self._left = limit
        self._longest_asked = longest_asked

    def __call__(self, retry_state: RetryCallState) -> bool:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if not isinstance(error, WorkerError) or not error.counts:
            return False
        self._left -= 1
        asked = error.retry_after if isinstance(error, TransientError) else None
        return self._left <= 0 or (asked or 0.0) > self._longest_asked


class _Wait(wait_base):
    """Obeys ``Retry-After``; else full jitter. Of an outage the next attempt learns at once."""

    def __init__(self, backoff: Backoff, random: Random) -> None:
        self._backoff = backoff
        self._random = random

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, WorkerError) and not error.counts:
            return 0.0
        if isinstance(error, TransientError) and error.retry_after is not None:
            return error.retry_after
        bound = self._backoff.first * 2 ** min(retry_state.attempt_number - 1, 16)
        return self._random.uniform(0, min(bound, self._backoff.longest))


@dataclass(frozen=True, slots=True)
class RetryAttempts:
    """The `Retry` port on tenacity.

    Attributes:
        limit: attempts that count.
        on_retry: told before each repetition.
    """

    limit: int
    clock: Clock
    random: Random
    backoff: Backoff = Backoff()
    on_retry: Callable[[], None] = lambda: None

    async def __call__(self, attempt: Callable[[], Awaitable[T]], *, limit: int | None = None) -> T:
        """Return the first success, else raise the last error.

        Repeated are the errors after which nothing was sent, and `OutcomeUncertainError`: whoever may not
        repeat on that must not let it out of *attempt*.

        Args:
            attempt: what is tried.
            limit: attempts that count, where fewer will do.
        """
        try:
            return await attempt()
        except WorkerError as error:
            if not repeats(error):
                raise
            failed: WorkerError | None = error

        async def call() -> T:
            # tenacity awaits coroutine functions only, not what a lambda returns.
            nonlocal failed
            if failed is not None:
                first, failed = failed, None
                raise first
            return await attempt()

        # Nearly every attempt succeeds: tenacity's bookkeeping begins with the first that does not.
        return await self._retrying(min(limit or self.limit, self.limit))(call)

    def _retrying(self, limit: int) -> AsyncRetrying:
        return AsyncRetrying(
            sleep=self.clock.sleep,
            stop=_CountedAttempts(limit, self.backoff.longest_asked),
            wait=_Wait(self.backoff, self.random),
            retry=retry_if_exception(repeats),
            before_sleep=lambda _: self.on_retry(),
            reraise=True,
        )
