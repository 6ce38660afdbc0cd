"""The circuit breaker, step by step and as a machine."""

import asyncio
import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.fakes import FakeClock, settled
from worker.resilience.circuit_breaker import BreakerPolicy, CircuitBreaker, CircuitState

POLICY = BreakerPolicy(failures=3, cooldown=5.0, longest_hold=60.0)


def opened(clock: FakeClock, **options: object) -> CircuitBreaker:
    """A breaker after three failures in a row."""
    breaker = CircuitBreaker(POLICY, clock, **options)  # type: ignore[arg-type] # as given
    for _ in range(3):
        breaker.failed(on_trial=False)
    return breaker


class TestCircuitBreaker:
    """Opens, holds, tries, closes."""

    async def test_it_opens_after_failures_in_a_row(self) -> None:
        """A success in between starts the count anew."""
        breaker = CircuitBreaker(POLICY, FakeClock())
        for _ in range(2):
            breaker.failed(on_trial=False)
        breaker.succeeded()
        for _ in range(2):
            breaker.failed(on_trial=False)
        assert breaker.passable
        breaker.failed(on_trial=False)
        assert CircuitState.OPEN is breaker.state

    async def test_waiters_go_on_in_order_after_a_trial(self) -> None:
        """The first is the trial; the others pass when it has succeeded."""
        clock = FakeClock()
        breaker = opened(clock)
        order: list[tuple[int, bool]] = []

        async def caller(number: int) -> None:
            on_trial = await breaker.admit()
            order.append((number, on_trial))
            await clock.sleep(1)
            breaker.succeeded()

        start = clock.elapsed()
        tasks = [asyncio.ensure_future(caller(number)) for number in range(4)]
        await clock.advance(5.5)
        assert [(0, True)] == order
        await clock.run(asyncio.gather(*tasks))
        assert [(0, True), (1, False), (2, False), (3, False)] == order
        assert clock.elapsed() - start < 9

    async def test_a_trial_that_fails_keeps_it_open(self) -> None:
        """For another cooldown."""
        clock = FakeClock()
        breaker = opened(clock)
        await clock.run(first := asyncio.ensure_future(breaker.admit()))
        assert first.result()
        breaker.failed(on_trial=True)
        at = clock.elapsed()
        await clock.run(breaker.admit())
        assert 5.0 == round(clock.elapsed() - at, 3)

    async def test_an_abandoned_trial_does_not_block(self) -> None:
        """The next in line tries."""
        clock = FakeClock()
        breaker = opened(clock)
        await clock.run(breaker.admit())
        second = asyncio.ensure_future(breaker.admit())
        await settled()
        assert not second.done()
        breaker.abandoned(on_trial=True)
        await settled()
        assert second.result()

    async def test_a_waiter_that_left_does_not_block(self) -> None:
        """Whether it slept or waited for a trial."""
        clock = FakeClock()
        breaker = opened(clock)
        first, second = (asyncio.ensure_future(breaker.admit()) for _ in range(2))
        await settled()
        first.cancel()
        await clock.run(second)
        assert second.result()

    async def test_a_wait_that_was_asked_for_is_obeyed(self) -> None:
        """By everybody, up to a limit, although the circuit is closed."""
        clock = FakeClock()
        breaker = CircuitBreaker(POLICY, clock)
        for asked, obeyed in ((7.0, 7.0), (4000.0, 60.0)):
            breaker.failed(on_trial=False, retry_after=asked)
            at = clock.elapsed()
            await clock.run(breaker.admit())
            assert obeyed == round(clock.elapsed() - at, 3)
            breaker.succeeded()

    async def test_the_probe_spares_the_trial(self) -> None:
        """A call is risked only when the probe was answered."""
        clock = FakeClock()
        answers = [False, False, True]
        changes: list[CircuitState] = []

        async def probe() -> bool:
            return answers.pop(0)

        breaker = opened(clock, probe=probe, on_change=changes.append)
        at = clock.elapsed()
        await clock.run(breaker.admit())
        assert 15.0 == round(clock.elapsed() - at, 3)
        breaker.succeeded()
        assert [CircuitState.OPEN, CircuitState.CLOSED] == changes


class BreakerMachine(RuleBasedStateMachine):
    """Callers come, succeed, fail, give up and leave, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._clock = FakeClock()
        self._in_a_row = 0
        self._trials = 0
        self._breaker = CircuitBreaker(POLICY, self._clock, on_change=self._changed)
        self._waiting: list[asyncio.Task[bool]] = []
        self._inside: list[bool] = []

    def _changed(self, state: CircuitState) -> None:
        # A trial of an earlier outage is a call like any other.
        if state is CircuitState.OPEN:
            self._inside = [False for _ in self._inside]

    async def _settle(self) -> None:
        await settled()
        done = [task for task in self._waiting if task.done()]
        self._waiting = [task for task in self._waiting if not task.done()]
        self._inside += [task.result() for task in done if not task.cancelled()]

    @rule()
    def come(self) -> None:
        """A caller asks."""

        async def ask() -> None:
            self._waiting.append(asyncio.ensure_future(self._breaker.admit()))
            await self._settle()

        self._runner.run(ask())

    @rule(seconds=st.sampled_from([0.1, 4.9, 5.1, 61.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""

        async def passes() -> None:
            await self._clock.advance(seconds)
            await self._settle()

        self._runner.run(passes())

    @precondition(lambda self: self._waiting)
    @rule(which=st.integers(0, 9))
    def leave(self, which: int) -> None:
        """A caller does not want to wait any more."""

        async def left() -> None:
            self._waiting[which % len(self._waiting)].cancel()
            await self._settle()

        self._runner.run(left())

    @precondition(lambda self: self._inside)
    @rule(which=st.integers(0, 9), end=st.sampled_from(["ok", "failed", "later", "abandoned"]))
    def end(self, which: int, end: str) -> None:
        """A call ends."""

        async def ends() -> None:
            on_trial = self._inside.pop(which % len(self._inside))
            was = self._breaker.state
            if end == "ok":
                self._breaker.succeeded()
                self._in_a_row = 0
                self._inside = [False for _ in self._inside]
                assert CircuitState.CLOSED is self._breaker.state
            elif end == "abandoned":
                self._breaker.abandoned(on_trial=on_trial)
                assert was is self._breaker.state
            else:
                self._in_a_row += 1
                self._breaker.failed(on_trial=on_trial, retry_after=30.0 if end == "later" else None)
                expected = on_trial or was is CircuitState.OPEN or self._in_a_row >= POLICY.failures
                assert expected is (self._breaker.state is CircuitState.OPEN)
            await self._settle()

        self._runner.run(ends())

    @invariant()
    def at_most_one_trial(self) -> None:
        """While the circuit is open."""
        assert sum(self._inside) <= 1

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        """Who waits, waits for time or for the trial."""
        if self._waiting and not any(self._inside):
            assert self._breaker._not_before > self._clock.elapsed()

    def teardown(self) -> None:
        """Leave no task."""

        async def gone() -> None:
            for task in self._waiting:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*self._waiting, return_exceptions=True)

        self._runner.run(gone())
        self._runner.close()


class TestAsAMachine:
    """Hypothesis looks for an order that breaks it."""

    def test_no_order_of_events_breaks_it(self) -> None:
        """Never two trials, never a wait without an end."""
        run_state_machine_as_test(
            BreakerMachine, settings=settings(max_examples=40, stateful_step_count=30, deadline=None)
        )
