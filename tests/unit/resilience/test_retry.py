"""Retries within the process."""

import asyncio
from random import Random

import pytest

from tests.support.fakes import FakeClock, settled
from worker.domain.errors import (
    AccountError,
    AccountTrouble,
    HeldTooLongError,
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


def away(*, on_trial: bool = False, retry_after: float | None = None) -> TransientError:
    """A gateway that cannot be reached."""
    error = TransientError("gateway_unreachable", "refused", retry_after=retry_after)
    error.on_trial = on_trial
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

    async def test_trials_and_account_errors_do_not_count(self) -> None:
        """However many."""
        account = AccountError("credits_exhausted", "x", trouble=AccountTrouble.CREDITS)
        clock = FakeClock()
        attempts = Attempts(*[away(on_trial=True)] * 9, *[account] * 9, away(), away())
        told: list[int] = []
        task = await ended(clock, retrying(clock, on_retry=lambda: told.append(1)), attempts)
        assert "done" == task.result()
        assert 21 == attempts.made
        assert 20 == len(told)

    async def test_an_outage_is_not_waited_out_for_ever(self) -> None:
        """A delivery may not be held so long that the broker takes it back."""
        clock = FakeClock()
        task = await ended(clock, retrying(clock), Attempts(*[away(on_trial=True)] * 10_000))
        assert isinstance(task.exception(), HeldTooLongError)
        assert 600 <= clock.elapsed() - 1000 < 610

    async def test_a_wait_that_was_asked_for_is_obeyed(self) -> None:
        """Up to five minutes."""
        clock = FakeClock()
        await ended(clock, retrying(clock), Attempts(away(retry_after=42.0), away(retry_after=4000.0)))
        assert [42.0, 300.0] == clock.slept

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
