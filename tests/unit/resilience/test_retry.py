"""Retries within the process."""

import asyncio
from random import Random

import pytest

from tests.support.fakes import FakeClock, settled
from worker.domain.errors import (
    AccountError,
    AccountTrouble,
    GatewayAwayError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.resilience.keyed_lock import KeyedLock
from worker.resilience.retry import RetryAttempts


class Attempts:
    """Ends as scripted, then well."""

    def __init__(self, *errors: WorkerError) -> None:
        self.errors = list(errors)
        self.made = 0

    async def __call__(self) -> str:
        """Make one."""
        self.made += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def away(*, counts: bool = True, retry_after: float | None = None) -> TransientError:
    """A gateway that cannot be reached."""
    error = TransientError("gateway_unreachable", "refused", retry_after=retry_after)
    error.counts = counts
    return error


def retrying(clock: FakeClock, **options: object) -> RetryAttempts:
    """Three attempts."""
    return RetryAttempts(3, clock, Random(7), **options)  # type: ignore[arg-type] # noqa: S311 - jitter


async def ended(clock: FakeClock, retry: RetryAttempts, attempts: Attempts) -> "asyncio.Task[str]":
    """The retries, when they are over."""
    task = asyncio.ensure_future(retry(attempts))
    await clock.run(task)
    return task


class TestRetries:
    """What is repeated, and how often."""

    async def test_a_lambdas_coroutine_is_awaited(self) -> None:
        """The handlers hand over lambdas."""
        attempts = Attempts()
        assert "done" == await retrying(FakeClock())(lambda: attempts())  # noqa: PLW0108 - this is the test
        assert 1 == attempts.made

    async def test_the_last_error_is_raised_as_it_is(self) -> None:
        """After three attempts."""
        clock, attempts = FakeClock(), Attempts(away(), away(), last := away(), away())
        task = await ended(clock, retrying(clock), attempts)
        assert last is task.exception()
        assert 3 == attempts.made

    async def test_refusals_are_not_repeated(self) -> None:
        """The same request would be refused again."""
        clock, attempts = FakeClock(), Attempts(PermanentError("text_refused", "x"))
        task = await ended(clock, retrying(clock), attempts)
        assert isinstance(task.exception(), PermanentError)

    async def test_a_refusal_of_this_one_alone_is_not_repeated(self) -> None:
        """Another attempt would be refused again; what stops everybody is another matter."""
        own = AccountError("credits_exhausted", "x", trouble=AccountTrouble.CREDITS)
        clock, attempts = FakeClock(), Attempts(own)
        task = await ended(clock, retrying(clock), attempts)
        assert own is task.exception()
        assert 1 == attempts.made

    async def test_what_is_nobodys_own_does_not_count_and_does_not_wait(self) -> None:
        """The next attempt learns at the door how things are."""
        account = AccountError("credits_exhausted", "x", trouble=AccountTrouble.CREDITS)
        account.counts = False
        clock = FakeClock()
        attempts = Attempts(*[away(counts=False)] * 9, *[account] * 9, away(), away())
        told: list[int] = []
        task = await ended(clock, retrying(clock, on_retry=lambda: told.append(1)), attempts)
        assert "done" == task.result()
        assert 21 == attempts.made
        assert 20 == len(told)
        assert [0.0] * 18 == clock.slept[:18]

    async def test_the_door_says_that_the_gateway_is_away(self) -> None:
        """And the job goes back."""
        clock = FakeClock()
        attempts = Attempts(away(), GatewayAwayError("gateway_away", "x"))
        task = await ended(clock, retrying(clock), attempts)
        assert isinstance(task.exception(), GatewayAwayError)

    async def test_a_wait_that_was_asked_for_is_obeyed(self) -> None:
        """Up to half a minute; a longer one ends the round, for the job must not be held for so long."""
        clock = FakeClock()
        attempts = Attempts(away(retry_after=29.0), far := away(retry_after=31.0))
        task = await ended(clock, retrying(clock), attempts)
        assert [29.0] == clock.slept
        assert far is task.exception()

    async def test_fewer_attempts_will_do(self) -> None:
        """Where the caller says so."""
        clock, attempts = FakeClock(), Attempts(*[away()] * 5)
        task = asyncio.ensure_future(retrying(clock)(attempts, limit=2))
        await clock.run(task)
        assert isinstance(task.exception(), TransientError)
        assert 2 == attempts.made

    async def test_other_waits_grow_and_are_bounded(self) -> None:
        """With full jitter."""
        clock = FakeClock()
        retry = RetryAttempts(12, clock, Random(7))  # noqa: S311 - jitter
        await ended(clock, retry, Attempts(*[OutcomeUncertainError("reply_lost", "x")] * 11))
        assert all(slept <= min(0.4 * 2**number, 5.0) for number, slept in enumerate(clock.slept))
        assert max(clock.slept) > 1.0


class TestKeyedLock:
    """One at a time for each key."""

    async def test_the_same_key_waits_another_does_not(self) -> None:
        """In the order of their coming."""
        locks, order = KeyedLock(), list[str]()
        go = asyncio.Event()

        async def hold(key: str, name: str) -> None:
            async with locks.holding(key):
                order.append(name)
                await go.wait()

        tasks = [asyncio.ensure_future(hold(*each)) for each in (("a", "1"), ("a", "2"), ("b", "3"))]
        await settled()
        assert ["1", "3"] == order
        go.set()
        await asyncio.gather(*tasks)
        assert ["1", "3", "2"] == order

    async def test_nothing_is_left_behind(self) -> None:
        """After errors and cancelled waits too."""
        locks = KeyedLock()

        async def fail() -> None:
            async with locks.holding("a"):
                await asyncio.sleep(0)
                raise RuntimeError

        first, second = asyncio.ensure_future(fail()), asyncio.ensure_future(fail())
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait({first, second})
        with pytest.raises(RuntimeError):
            first.result()
        assert {} == locks._lines
