"""Calls a second."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fakes import FakeClock, settled
from worker.admission.rate_limiter import RateLimiter
from worker.domain.errors import LedgerUnavailableError


class Line:
    """Those who wait for a token, as admission has them."""

    def __init__(self, limiter: RateLimiter, clock: FakeClock) -> None:
        self.limiter = limiter
        self.clock = clock
        self.waiting = 0
        self.taken_at: list[float] = []

    def come(self, count: int = 1) -> None:
        """So many more."""
        self.waiting += count
        self.let_in()

    def let_in(self) -> None:
        """Give each a token, as long as there are any."""
        while self.waiting:
            if not self.limiter.take():
                self.limiter.when_there_is_one(self.let_in)
                return
            self.waiting -= 1
            self.taken_at.append(self.clock.elapsed())

    async def served(self) -> None:
        """Let time pass until nobody waits."""
        while self.waiting:
            await self.clock.advance(0.1)


class Bucket:
    """A bucket of the whole fleet."""

    def __init__(self, *waits: float | LedgerUnavailableError) -> None:
        self.waits = list(waits)

    async def take(self) -> float:
        """As scripted, then always a token."""
        answer = self.waits.pop(0) if self.waits else 0.0
        if isinstance(answer, LedgerUnavailableError):
            raise answer
        return answer


class TestRateLimiter:
    """A token bucket."""

    @settings(max_examples=40, deadline=None)
    @given(
        st.sampled_from([0.5, 1.0, 3.0, 10.0]),
        st.lists(st.floats(0, 2), min_size=1, max_size=25),
    )
    def test_no_stretch_of_time_sees_more_than_rate_and_burst(
        self, rate: float, arrivals: list[float]
    ) -> None:
        """Between any two tokens; and all are given in the end."""

        async def scene() -> list[float]:
            clock = FakeClock()
            line = Line(RateLimiter(rate, clock), clock)
            for wait in arrivals:
                await clock.advance(wait)
                line.come()
            await line.served()
            return line.taken_at

        times = asyncio.run(scene())
        assert len(arrivals) == len(times)
        for first in range(len(times)):
            for last in range(first, len(times)):
                assert last - first + 1 <= rate * (times[last] - times[first]) + max(rate, 1.0) + 1e-3

    async def test_a_token_that_was_given_back_is_there_for_the_next(self) -> None:
        """The bucket is as full as before."""
        limiter = RateLimiter(1.0, FakeClock())
        assert limiter.take()
        assert not limiter.take()
        limiter.give_back()
        assert limiter.take()

    async def test_a_share_is_slower(self) -> None:
        """Two workers, half the rate each, and no burst for the one that joins."""
        clock = FakeClock()
        line = Line(RateLimiter(10.0, clock), clock)
        line.limiter.share_with(2)
        start = clock.elapsed()
        line.come(15)
        await line.served()
        assert 3.0 == round(line.taken_at[-1] - start, 2)

    async def test_a_share_has_a_burst_of_its_own_once_it_was_saved(self) -> None:
        """Among others for a second, a worker has a second's worth of its share, and no more."""
        clock = FakeClock()
        line = Line(RateLimiter(10.0, clock), clock)
        line.limiter.share_with(2)
        await clock.advance(5)
        line.limiter.share_with(3)
        line.limiter.share_with(2)
        line.come(3)
        assert 0 == line.waiting

    def test_whether_there_are_shares(self) -> None:
        """Not without a limit."""
        clock = FakeClock()
        limited = [RateLimiter(rate, clock).shares for rate in (0, 10.0)]
        assert [False, True] == limited

    def test_no_limit(self) -> None:
        """Zero is none."""
        limiter = RateLimiter(0, FakeClock())
        assert all(limiter.take() for _ in range(1000))


class TestSharedBucket:
    """A bucket of the whole fleet."""

    async def test_a_store_that_is_away_is_asked_again(self) -> None:
        """A second later; and a wait that it names is waited."""
        clock = FakeClock()
        bucket = Bucket(LedgerUnavailableError("ledger_away", "x"), 0.5)
        line = Line(RateLimiter(10.0, clock, shared=bucket), clock)
        start = clock.elapsed()
        line.come(2)
        await line.served()
        assert [1.5, 1.5] == [round(at - start, 1) for at in line.taken_at]

    async def test_nobody_who_waits_asks_for_nothing(self) -> None:
        """Tokens are not taken for those who have gone."""
        clock = FakeClock()
        bucket = Bucket(0.5, 0.5, 0.5, 0.5)
        line = Line(RateLimiter(10.0, clock, shared=bucket), clock)
        line.come()
        await settled()
        line.waiting = 0
        await clock.advance(10)
        assert 1 >= len(line.taken_at)
        assert line.limiter.take()
        line.limiter.close()
