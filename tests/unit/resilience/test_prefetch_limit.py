"""How many jobs are in hand: two seconds' work, whatever the gateway is like."""

from dataclasses import dataclass
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fakes import FakeClock
from worker.resilience.prefetch_limit import PrefetchLimit

EVERY = 0.25
LIMITED = 100  # jobs a second; below it is a rate limit, under which there never is room


@dataclass
class Gateway:
    """One that takes *seconds* for each call, *calls* at a time, and no more than *rate* jobs a second.

    A job makes two calls, one after the other.
    """

    seconds: float = 0.02
    calls: int = 780
    rate: float = 1_000

    def jobs_done(self, held: int) -> float:
        """Jobs a second with so many in hand."""
        return min(held / (2 * self.seconds), self.calls / self.seconds, self.rate)

    def calls_made(self, held: int) -> int:
        """Calls under way with so many in hand."""
        return min(self.calls, held, ceil(self.jobs_done(held) * self.seconds * 2))


class Worker:
    """One with jobs enough in its queue."""

    def __init__(
        self, gateway: Gateway, *, length: int = 300, lowest: int = 20, highest: int = 2_000
    ) -> None:
        self.clock = FakeClock()
        self.limit = PrefetchLimit(lowest, highest, self.clock)
        self.gateway = gateway
        self.length = length
        self.changes = 0
        self._done = 0.0

    async def work(self, seconds: float) -> int:
        """Go on for *seconds*; return the limit."""
        for _ in range(round(seconds / EVERY)):
            self.clock.leap(EVERY)  # nobody sleeps on it
            held, gateway = self.limit.value, self.gateway
            self._done += gateway.jobs_done(held) * EVERY
            calls = gateway.calls_made(held)
            room = calls < gateway.calls and gateway.rate >= LIMITED
            told = {"length": held * self.length, "calls": calls}
            wanted = self.limit.look(held, int(self._done), has_room=room, **told)
            if wanted != held:
                self.limit.follow(wanted)
                self.changes += 1
        return self.limit.value


class TestPrefetchLimit:
    """``PrefetchLimit``."""

    @pytest.mark.parametrize("seconds", [0.02, 0.1, 0.5, 3.0])
    async def test_slow_and_fast_gateways_are_kept_busy(self, seconds: float) -> None:
        """As many as a thousand jobs a second need, or as may be in a call; within seconds."""
        held = await Worker(Gateway(seconds)).work(15 + 5 * seconds)
        assert held >= min(1_000 * 2 * seconds, 780)

    @pytest.mark.parametrize("seconds", [0.02, 0.5, 3.0, 15.0])
    @pytest.mark.parametrize("calls", [10, 780])
    async def test_it_comes_to_rest(self, seconds: float, calls: int) -> None:
        """A change is a new consumer: there are few."""
        worker = Worker(Gateway(seconds, calls))
        await worker.work(600)
        changes = worker.changes
        await worker.work(3_000)
        assert (changes, worker.changes) == (min(changes, 8), changes)

    @pytest.mark.parametrize("rate", [0.4, 1.0, 5.0, 11.0, 25.0])
    async def test_what_takes_long_is_left_to_others(self, rate: float) -> None:
        """Of a rate limit, two seconds' work or four, and not minutes of it; soon and in few steps."""
        worker = Worker(Gateway(rate=rate))
        worker.limit.value = 2_000
        assert max(20, rate * 2) <= await worker.work(10) <= max(20, rate * 4)
        assert worker.changes <= 2

    async def test_few_connections_are_few_jobs(self) -> None:
        """Ten calls of ten seconds at a time: two jobs for each."""
        assert await Worker(Gateway(10.0, calls=10)).work(60) == 20

    async def test_a_gateway_that_changes_is_followed(self) -> None:
        """The limit is found anew, in both directions."""
        worker = Worker(Gateway(rate=5.0))
        assert await worker.work(10) == 20
        worker.gateway = Gateway(0.5)
        assert await worker.work(10) >= 1_000
        worker.gateway = Gateway(rate=20.0)
        assert await worker.work(60) == 40

    async def test_an_outage_says_nothing(self) -> None:
        """Nothing is done, and nothing changes, however long, and whatever room there is."""
        worker = Worker(Gateway(0.1))
        before = await worker.work(5)
        worker.gateway = Gateway(1e9)
        assert before == await worker.work(300)

    async def test_long_jobs_are_few(self) -> None:
        """Of those for 100,000 recipients less than a hundred megabytes, however fast they are split."""
        worker = Worker(Gateway(rate=40), length=1_600_000, lowest=50)
        assert 20 <= await worker.work(30) <= 42
        worker = Worker(Gateway(), length=1_600_000, lowest=50)
        worker.limit.value = 2_000
        assert await worker.work(EVERY) <= 42
        await worker.work(600)
        assert worker.changes <= 3
        worker.length = 300
        assert await worker.work(5) >= 50

    async def test_with_room_left_nothing_changes(self) -> None:
        """It is not the limit that keeps the worker from having more."""
        clock = FakeClock()
        limit = PrefetchLimit(20, 2_000, clock)
        for number in range(100):
            clock.leap(EVERY)
            assert 50 == limit.look(held=30, done=number * 100, length=60_000, calls=10, has_room=True)

    @pytest.mark.parametrize(("lowest", "highest"), [(50, 50), (500, 50), (1, 1)])
    async def test_bounds_that_meet_fix_it(self, lowest: int, highest: int) -> None:
        """The upper one wins."""
        for gateway in (Gateway(), Gateway(rate=0.3), Gateway(5.0)):
            worker = Worker(gateway, lowest=lowest, highest=highest)
            assert (worker.limit.value, await worker.work(20)) == (highest, highest)

    @settings(max_examples=50, deadline=None)
    @given(
        st.integers(1, 300),
        st.integers(1, 3_000),
        st.integers(0, 8_000_000),
        st.lists(
            st.tuples(st.floats(0, 5), st.integers(0, 4_000), st.integers(0, 900), st.booleans()), max_size=40
        ),
    )
    async def test_it_stays_within_its_bounds(
        self, lowest: int, highest: int, length: int, looks: list[tuple[float, int, int, bool]]
    ) -> None:
        """Whatever it is told."""
        limit, done = PrefetchLimit(lowest, highest, clock := FakeClock()), 0
        for seconds, held, more, room in looks:
            clock.leap(seconds)
            done += more
            value = limit.look(held, done, length=held * length, calls=held, has_room=room)
            if value != limit.value:
                limit.follow(value)
            least = min(lowest, highest, 67_108_864 // max(length, 1) * 3 // 4)
            assert max(least, 1) <= value <= highest
