"""The number of calls in flight follows the gateway."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import FakeClock, settled
from worker.resilience.call_limit import CallLimit
from worker.resilience.call_slots import CallSlots

Latency = Callable[[int], float]


@dataclass
class Gateway:
    """Serves so many calls at once and turns the rest away; how long it takes depends on how many there are.

    Attributes:
        most: calls at once that are ever served.
        refused: how often it turned one away.
        busiest: the most calls at once.
    """

    clock: FakeClock
    limit: CallLimit
    latency: Latency
    most: int = 100_000
    refused: int = 0
    busiest: int = 0
    served: int = 0

    def rounds(self, count: int) -> None:
        """Let a worker that always has jobs make *count* rounds of calls."""
        for _ in range(count):
            self.one_round()

    def one_round(self) -> None:
        """As many calls at once as the limit allows."""
        at_once = self.limit.value
        self.busiest = max(self.busiest, at_once)
        for _ in range(max(at_once - self.most, 0)):
            self.refused += 1
            self.limit.refused("sendSMS")
        taken = min(at_once, self.most)
        seconds = self.latency(taken)
        self.clock.leap(seconds)
        self.served += taken
        for _ in range(taken):
            self.limit.served("sendSMS", seconds, full=True)


def gateway(latency: Latency, *, lowest: int = 1, highest: int = 500, most: int = 100_000) -> Gateway:
    """A gateway and the controller of a worker in front of it."""
    clock = FakeClock()
    return Gateway(clock, CallLimit(lowest, highest, clock), latency, most)


class TestGrowth:
    """A gateway that takes anything."""

    @pytest.mark.parametrize("seconds", [0.02, 0.1, 0.5])
    def test_it_reaches_the_upper_bound_soon(self, seconds: float) -> None:
        """Within some rounds, whatever a round takes."""
        one = gateway(lambda _: seconds)
        one.rounds(9)
        assert 500 == one.limit.value

    def test_what_is_not_used_does_not_grow(self) -> None:
        """A quiet worker proves nothing about a busy one."""
        clock = FakeClock()
        limit = CallLimit(1, 500, clock)
        for _ in range(500):
            limit.served("sendSMS", 0.1, full=False)
        assert 8 == limit.value


class TestRefusals:
    """A gateway that allows ten connections."""

    def test_ten_are_found(self) -> None:
        """In a few rounds, with a handful of refusals."""
        one = gateway(lambda _: 0.1, most=10)
        one.rounds(5)
        assert (10, 16) == (one.limit.value, one.busiest)
        assert one.refused <= 6

    def test_it_is_not_hammered(self) -> None:
        """In ten minutes of full work it turns away less than one call in a thousand."""
        one = gateway(lambda _: 0.1, most=10)
        one.rounds(6_000)
        assert one.refused < one.served / 1_000
        assert one.served > 6_000 * 9.5

    def test_room_that_is_new_is_found(self) -> None:
        """Within a minute."""
        one = gateway(lambda _: 0.1, most=10)
        one.rounds(10)
        one.most = 40
        one.rounds(600)
        assert one.limit.value >= 38

    def test_with_nobody_served_it_is_an_outage(self) -> None:
        """Not a question of how many."""
        one = gateway(lambda _: 0.1)
        assert not one.limit.refused("sendSMS")
        one.rounds(1)
        one.clock.leap(5)
        before = one.limit.value
        assert not one.limit.refused("sendSMS")
        assert before == one.limit.value

    def test_at_the_lower_bound_a_refusal_counts_against_its_job(self) -> None:
        """There is nothing left to give way with."""
        one = gateway(lambda _: 0.1, lowest=8)
        one.limit.served("sendSMS", 0.1, full=False)
        assert not one.limit.refused("sendSMS")


class TestLatency:
    """A gateway that takes everything and serves it one after the other."""

    def test_a_line_at_the_gateway_is_kept_short(self) -> None:
        """It serves ten at once: more than a few times that many never wait there for long."""
        one = gateway(lambda calls: 0.1 * max(1.0, calls / 10))
        one.rounds(300)
        assert 10 <= one.limit.value <= 60

    def test_a_gateway_that_becomes_slow_is_kept_busy(self) -> None:
        """From 20 to 500 ms, not by our doing: the calls in flight come back."""
        speed = [0.02]
        one = gateway(lambda _: speed[0])
        one.rounds(10)
        speed[0] = 0.5
        one.rounds(40)
        assert one.limit.value >= 400

    def test_one_that_becomes_fast_again_too(self) -> None:
        """Its usual time is the shorter one from then on."""
        speed = [0.5]
        one = gateway(lambda _: speed[0])
        one.rounds(10)
        speed[0] = 0.02
        one.rounds(10)
        assert 500 == one.limit.value


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
                limit.served("sendSMS", seconds, full=number % 2 == 0)
            elif what == "refused":
                limit.refused("sendSMS")
            else:
                limit.restart()
            assert min(lowest, highest) <= limit.value <= highest

    def test_equal_bounds_fix_it(self) -> None:
        """As before there was a controller."""
        one = gateway(lambda calls: calls / 10, lowest=30, highest=30, most=10)
        one.rounds(50)
        assert (30, 30) == (one.limit.value, one.busiest)


class TestSlots:
    """Who gets in when there are few."""

    async def test_fewer_are_let_in_when_there_are_fewer(self) -> None:
        """Those under way finish, and the next one waits for its turn."""
        clock = FakeClock()
        slots = CallSlots(100, 0, CallLimit(1, 100, clock))
        for _ in range(8):
            await slots.take(urgent=False)
        slots.served("sendSMS", 0.1)
        assert slots.refused("sendSMS")
        slots.give_back(urgent=False)
        waiting = asyncio.ensure_future(slots.take(urgent=False))
        await settled()
        assert not waiting.done()
        slots.give_back(urgent=False)
        await waiting
        assert (7, 7) == (slots.limit, slots.in_use)

    async def test_bulk_work_alone_makes_the_limit_grow(self) -> None:
        """It never reaches the limit, for some slots are kept for urgent calls: that jobs wait is enough."""
        clock = FakeClock()
        slots = CallSlots(500, 20, CallLimit(1, 500, clock))
        waiting = [asyncio.ensure_future(slots.take(urgent=False)) for _ in range(2000)]
        for _ in range(1000):
            await settled()
            clock.leap(0.001)
            slots.served("sendSMS", 0.02)
            slots.give_back(urgent=False)
        assert slots.limit > 100
        for task in waiting:
            task.cancel()

    async def test_urgent_calls_come_first(self) -> None:
        """Also where bulk has waited for longer."""
        slots = CallSlots(1, 0)
        await slots.take(urgent=False)
        bulk = asyncio.ensure_future(slots.take(urgent=False))
        await settled()
        urgent = asyncio.ensure_future(slots.take(urgent=True))
        await settled()
        slots.give_back(urgent=False)
        await settled()
        assert (True, False) == (urgent.done(), bulk.done())
        slots.give_back(urgent=True)
        await bulk

    async def test_some_of_few_are_kept_for_urgent_ones(self) -> None:
        """A fifth at least, as far as so many are reserved."""
        slots = CallSlots(500, 20, CallLimit(1, 500, FakeClock(), first=10))
        bulk = [asyncio.ensure_future(slots.take(urgent=False)) for _ in range(20)]
        await settled()
        assert 8 == slots.in_use
        await slots.take(urgent=True)
        await slots.take(urgent=True)
        assert 10 == slots.in_use
        for task in bulk:
            task.cancel()

    async def test_a_turn_that_nobody_takes_goes_on(self) -> None:
        """A job that was cancelled just as it came in takes no slot with it."""
        slots = CallSlots(1, 0)
        await slots.take(urgent=False)
        gone = asyncio.ensure_future(slots.take(urgent=False))
        await settled()
        slots.give_back(urgent=False)
        gone.cancel()
        await settled()
        assert 0 == slots.in_use
