"""The number of calls in flight follows the gateway."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import FakeClock
from worker.admission.call_limit import CallLimit

KIND = "sendSMS"
Latency = Callable[[Random], float]


@dataclass
class Gateway:
    """A gateway, and a worker before it that always has jobs.

    Attributes:
        latency: seconds that a call takes once it is served.
        servers: calls that are served at once, the others wait there; 0: all are.
        most: calls that may be there at once; the others are turned away.
    """

    limit: CallLimit
    clock: FakeClock
    latency: Latency
    servers: int = 0
    most: int = 1_000_000
    random: Random = field(default_factory=lambda: Random(11))  # noqa: S311 - a scene, not a secret
    refused: int = 0
    served: int = 0
    busiest: int = 0
    _under_way: list[tuple[float, float]] = field(default_factory=list)
    _free_at: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self._free_at = [0.0] * self.servers

    def run(self, seconds: float) -> float:
        """Let time pass; return how many calls were served a second."""
        began, served, until = self.clock.elapsed(), self.served, self.clock.elapsed() + seconds
        while self.clock.elapsed() < until:
            self._fill()
            done, started = heapq.heappop(self._under_way)
            self.clock.leap(max(done - self.clock.elapsed(), 0.0))
            self.served += 1
            self.limit.served(KIND, done - started, full=True)
        return (self.served - served) / (self.clock.elapsed() - began)

    def _fill(self) -> None:
        now = self.clock.elapsed()
        while len(self._under_way) < self.limit.value:
            if len(self._under_way) >= self.most:
                self.refused += 1
                assert self.limit.serves(KIND) or not self.served
                if not self.limit.refused():
                    return
                continue
            done = max(self._free_at[0] if self.servers else now, now) + self.latency(self.random)
            if self.servers:
                heapq.heapreplace(self._free_at, done)
            heapq.heappush(self._under_way, (done, now))
        self.busiest = max(self.busiest, len(self._under_way))


def gateway(
    latency: Latency, *, lowest: int = 1, highest: int = 400, servers: int = 0, most: int = 1_000_000
) -> Gateway:
    """A gateway and the controller of a worker in front of it."""
    clock = FakeClock()
    return Gateway(CallLimit(lowest, highest, clock), clock, latency, servers, most)


def constant(seconds: float) -> Latency:
    """Each call takes as long."""
    return lambda _: seconds


SKEWED: dict[str, Latency] = {
    "uniform, 50 to 450 ms": lambda random: random.uniform(0.05, 0.45),
    "lognormal, median 150 ms": lambda random: 0.15 * random.lognormvariate(0, 0.5),
    "lognormal, wide": lambda random: 0.1 * random.lognormvariate(0, 1),
    "120 ms, one in twenty 2 s": lambda random: 2.0 if random.random() < 0.05 else 0.12,
    "half 50 ms, half 1 s": lambda random: 1.0 if random.random() < 0.5 else 0.05,
    "exponential": lambda random: random.expovariate(4),
}


class TestGrowth:
    """A gateway that takes anything."""

    @pytest.mark.parametrize("seconds", [0.02, 0.1, 0.5])
    def test_it_reaches_the_upper_bound_soon(self, seconds: float) -> None:
        """Within some rounds, whatever a round takes."""
        one = gateway(constant(seconds))
        one.run(18 * seconds)
        assert 400 == one.limit.value

    @pytest.mark.parametrize("latency", SKEWED.values(), ids=SKEWED)
    @pytest.mark.no_cover  # a thousand rounds of what other tests cover
    def test_a_gateway_whose_answering_time_varies_is_kept_busy(self, latency: Latency) -> None:
        """For a spread is no queue: it serves nine tenths of what it could."""
        one = gateway(latency)
        one.run(15)
        mean = sum(latency(one.random) for _ in range(20_000)) / 20_000
        assert one.run(60) > 0.9 * 400 / mean

    @pytest.mark.parametrize("latency", SKEWED.values(), ids=SKEWED)
    @pytest.mark.no_cover  # a thousand rounds of what other tests cover
    def test_nothing_refused_never_less_than_a_useful_floor(self, latency: Latency) -> None:
        """From the moment on that it was reached."""
        one = gateway(latency)
        one.run(5)
        for _ in range(120):
            one.run(0.5)
            assert one.limit.value >= 16

    def test_what_is_not_used_does_not_grow(self) -> None:
        """A quiet worker proves nothing about a busy one."""
        limit = CallLimit(1, 500, FakeClock())
        for _ in range(500):
            limit.served(KIND, 0.1, full=False)
        assert 8 == limit.value

    def test_commands_of_different_speed_are_not_compared(self) -> None:
        """A quick lookup is no measure for a slow send."""
        limit = CallLimit(1, 500, FakeClock())
        for _ in range(3_000):
            limit.served("check_DNDnumber", 0.02, full=True)
            limit.served(KIND, 0.9, full=True)
        assert 500 == limit.value


class TestRefusals:
    """A gateway that allows ten connections, and says so."""

    def test_ten_are_found(self) -> None:
        """In a few rounds, with a handful of refusals."""
        one = gateway(constant(0.1), most=10)
        one.run(1)
        assert 10 == one.limit.value
        assert one.refused <= 10

    @pytest.mark.parametrize("latency", [constant(0.1), *SKEWED.values()], ids=["constant", *SKEWED])
    @pytest.mark.no_cover  # a thousand rounds of what other tests cover
    def test_it_is_not_hammered(self, latency: Latency) -> None:
        """In ten minutes of full work it turns away less than one call in a hundred."""
        one = gateway(latency, most=10)
        one.run(600)
        assert one.refused < one.served / 100
        assert one.limit.value >= 9

    def test_room_that_is_new_is_found(self) -> None:
        """Within a minute."""
        one = gateway(constant(0.1), most=10)
        one.run(1)
        one.most = 40
        one.run(60)
        assert one.limit.value >= 38

    def test_with_nobody_served_it_is_an_outage(self) -> None:
        """Not a question of how many."""
        one = gateway(constant(0.1))
        assert not one.limit.serves(KIND)
        one.run(1)
        assert one.limit.serves(KIND)
        one.clock.leap(5)
        assert not one.limit.serves(KIND)

    def test_at_the_lower_bound_a_refusal_counts_against_its_job(self) -> None:
        """There is nothing left to give way with."""
        assert not CallLimit(8, 400, FakeClock()).refused()


class TestQueue:
    """A gateway that takes everything and serves ten at once."""

    @pytest.mark.parametrize("latency", [constant(0.1), *SKEWED.values()], ids=["constant", *SKEWED])
    @pytest.mark.no_cover  # a thousand rounds of what other tests cover
    def test_a_line_at_the_gateway_is_kept_short(self, latency: Latency) -> None:
        """The servers are busy, and who waits there does so for a quarter of a call's time limit at most."""
        one = gateway(latency, servers=10)
        one.run(60)
        mean = sum(latency(one.random) for _ in range(20_000)) / 20_000
        rate = one.run(300)
        assert rate > 0.9 * 10 / mean
        seen = []
        for _ in range(300):
            one.run(1)
            seen.append(one.limit.value)
        assert sum(seen) / len(seen) * mean / one.servers <= 5

    @pytest.mark.parametrize("name", ["uniform, 50 to 450 ms", "lognormal, median 150 ms"])
    def test_no_more_than_a_few_times_as_many_as_are_served_wait_there(self, name: str) -> None:
        """Six times at the most, on the average, where the spread is usual."""
        one = gateway(SKEWED[name], servers=10)
        one.run(60)
        seen = []
        for _ in range(300):
            one.run(1)
            seen.append(one.limit.value)
        assert sum(seen) / len(seen) <= 60

    def test_a_gateway_that_becomes_slow_is_kept_busy(self) -> None:
        """From 20 to 500 ms, not by our doing: the calls in flight come back."""
        one = gateway(constant(0.02))
        one.run(1)
        one.latency = constant(0.5)
        one.run(40)
        assert one.limit.value >= 320

    def test_one_that_becomes_fast_again_too(self) -> None:
        """Its usual time is the shorter one from then on."""
        one = gateway(constant(0.5))
        one.run(10)
        one.latency = constant(0.02)
        one.run(1)
        assert 400 == one.limit.value


EVENTS = st.lists(
    st.tuples(st.sampled_from(["served", "refused", "restart"]), st.floats(0, 30), st.integers(1, 600)),
    max_size=300,
)


class TestBounds:
    """The settings hold."""

    @given(EVENTS, st.integers(1, 50), st.integers(1, 600))
    def test_whatever_happens(self, events: list[tuple[str, float, int]], lowest: int, highest: int) -> None:
        """Never above the upper bound, never below the lower one."""
        clock = FakeClock()
        limit = CallLimit(lowest, highest, clock)
        for what, seconds, number in events:
            clock.leap(seconds)
            if what == "served":
                limit.served(KIND, seconds, full=number % 2 == 0)
            elif what == "refused":
                limit.refused()
            else:
                limit.restart()
            assert min(lowest, highest) <= limit.value <= highest

    def test_equal_bounds_fix_it(self) -> None:
        """As before there was a controller."""
        one = gateway(constant(0.1), lowest=30, highest=30, servers=10)
        one.run(50)
        assert (30, 30) == (one.limit.value, one.busiest)
