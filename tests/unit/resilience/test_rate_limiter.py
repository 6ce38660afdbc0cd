"""Calls a second."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fakes import FakeClock, settled
from worker.resilience.rate_limiter import RateLimiter


async def taken_at(
    limiter: RateLimiter, clock: FakeClock, log: list[tuple[float, bool]], *, urgent: bool
) -> None:
    """Note when leave was given."""
    await limiter.take(urgent=urgent)
    log.append((clock.elapsed(), urgent))


class TestRateLimiter:
    """A token bucket with an urgent line."""

    @settings(max_examples=40, deadline=None)
    @given(
        st.sampled_from([0.5, 1.0, 3.0, 10.0]),
        st.lists(st.tuples(st.floats(0, 2), st.booleans()), min_size=1, max_size=25),
    )
    def test_no_stretch_of_time_sees_more_than_rate_and_burst(
        self, rate: float, arrivals: list[tuple[float, bool]]
    ) -> None:
        """Between any two leaves; and all are given in the end."""

        async def scene() -> list[tuple[float, bool]]:
            clock = FakeClock()
            limiter = RateLimiter(rate, clock)
            log: list[tuple[float, bool]] = []
            tasks = []
            for wait, urgent in arrivals:
                await clock.advance(wait)
                tasks.append(asyncio.ensure_future(taken_at(limiter, clock, log, urgent=urgent)))
            await clock.run(asyncio.gather(*tasks))
            return log

        times = [at for at, _ in asyncio.run(scene())]
        assert len(arrivals) == len(times)
        for first, at in enumerate(times):
            for last in range(first, len(times)):
                assert last - first + 1 <= rate * (times[last] - at) + max(rate, 1.0) + 1e-3

    async def test_urgent_ones_go_first(self) -> None:
        """In their own order."""
        clock = FakeClock()
        limiter = RateLimiter(1.0, clock)
        await limiter.take(urgent=False)
        log: list[tuple[float, bool]] = []
        tasks = [
            asyncio.ensure_future(taken_at(limiter, clock, log, urgent=urgent))
            for urgent in (False, True, False)
        ]
        await clock.run(asyncio.gather(*tasks))
        assert [True, False, False] == [urgent for _, urgent in log]

    async def test_a_waiter_that_left_loses_no_token(self) -> None:
        """Neither one that waits nor one that was just given leave."""
        clock = FakeClock()
        limiter = RateLimiter(1.0, clock)
        await limiter.take(urgent=False)
        log: list[tuple[float, bool]] = []
        first, second = (asyncio.ensure_future(taken_at(limiter, clock, log, urgent=False)) for _ in range(2))
        await settled()
        first.cancel()
        await clock.run(second)
        assert [1001.0] == [round(at, 3) for at, _ in log]

    async def test_leave_that_came_too_late_goes_back(self) -> None:
        """The bucket is as full as before."""
        clock = FakeClock()
        limiter = RateLimiter(1.0, clock)
        await limiter.take(urgent=False)
        waiter = asyncio.ensure_future(limiter.take(urgent=False))
        await settled()
        limiter._line[0][-1].set_result(None)
        limiter._tokens = 0.0
        waiter.cancel()
        await asyncio.wait({waiter})
        assert waiter.cancelled()
        assert 1.0 == limiter._tokens
        limiter.close()

    async def test_a_share_is_slower(self) -> None:
        """Two workers, half the rate each, and no burst for the one that joins."""
        clock = FakeClock()
        limiter = RateLimiter(10.0, clock)
        limiter.share_with(2)
        start = clock.elapsed()
        await clock.run(asyncio.gather(*(limiter.take(urgent=False) for _ in range(15))))
        assert 3.0 == round(clock.elapsed() - start, 2)

    async def test_a_share_has_a_burst_of_its_own_once_it_was_saved(self) -> None:
        """Among others for a second, a worker has a second's worth of its share, and no more."""
        clock = FakeClock()
        limiter = RateLimiter(10.0, clock)
        limiter.share_with(2)
        await clock.advance(5)
        limiter.share_with(3)
        limiter.share_with(2)
        start = clock.elapsed()
        await clock.run(asyncio.gather(*(limiter.take(urgent=False) for _ in range(3))))
        assert 0.0 == clock.elapsed() - start

    def test_whether_there_are_shares(self) -> None:
        """Not without a limit."""
        clock = FakeClock()
        limited = [RateLimiter(rate, clock).shares for rate in (0, 10.0)]
        assert [False, True] == limited

    async def test_no_limit(self) -> None:
        """Zero is none."""
        limiter = RateLimiter(0, FakeClock())
        for _ in range(1000):
            await limiter.take(urgent=False)
