"""A circuit breaker that lets callers wait: an outage holds the work instead of failing it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from worker.ports import Clock


class CircuitState(StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When the circuit opens, and how long it stays so.

    Attributes:
        failures: in a row that open it.
        cooldown: seconds until the next test.
        longest_hold: seconds that a wait asked for by the other side (``Retry-After``) is obeyed at the most.
    """

    failures: int = 5
    cooldown: float = 5.0
    longest_hold: float = 300.0


class CircuitBreaker:
    """Opens after failures in a row, closes when a single trial succeeds.

    While it is open, `admit` waits. The first in line sits out the cooldown, asks *probe* whether a trial is
    worth a real call, and makes the trial; the others wait behind it, so that they go on in order.

    Args:
        policy: thresholds.
        clock: time.
        probe: a harmless question to the other side; False keeps the circuit open. None tries at once.
        on_change: told of every change of state.
    """

    def __init__(
        self,
        policy: BreakerPolicy,
        clock: Clock,
        *,
        probe: Callable[[], Awaitable[bool]] | None = None,
        on_change: Callable[[CircuitState], None] = lambda _: None,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._probe = probe
        self._on_change = on_change
        self._failures = 0
        self._not_before = 0.0
        self._turn = asyncio.Lock()
        self._trial: asyncio.Event | None = None
        self.state = CircuitState.CLOSED

    @property
    def passable(self) -> bool:
        """Whether a call may be made right now without being a trial."""
        return self.state is CircuitState.CLOSED and self._clock.elapsed() >= self._not_before

    async def admit(self) -> bool:
        """Wait until a call may be made; True when it is the trial.

        Exactly one of `succeeded`, `failed` and `abandoned` must follow.
        """
        if self.passable:
            return False
        async with self._turn:
            while not await self._may_pass():
                pass
            return self.state is CircuitState.OPEN

    async def _may_pass(self) -> bool:
        """Wait for the next thing to happen; True when the caller may go."""
        if self._trial is not None:
            await self._trial.wait()
            return False
        if (wait := self._not_before - self._clock.elapsed()) > 0:
            await self._clock.sleep(wait)
            return False
        if self.state is CircuitState.CLOSED:
            return True
        if self._probe is not None and not await self._probe():
            self._open()
            return False
        self._trial = asyncio.Event()
        return True

    def succeeded(self) -> None:
        """The other side answered: the circuit closes."""
        self._failures = 0
        self._end_trial()
        self._become(CircuitState.CLOSED)

    def failed(self, *, on_trial: bool, retry_after: float | None = None) -> None:
        """The other side did not serve the call."""
        self._failures += 1
        if on_trial or self._failures >= self._policy.failures:
            self._open()
        if retry_after is not None:
            asked = self._clock.elapsed() + min(retry_after, self._policy.longest_hold)
            self._not_before = max(self._not_before, asked)
        if on_trial:
            self._end_trial()

    def abandoned(self, *, on_trial: bool) -> None:
        """No call was made, or nobody knows how it ended: the next in line tries."""
        if on_trial:
            self._end_trial()

    def _open(self) -> None:
        self._not_before = max(self._not_before, self._clock.elapsed() + self._policy.cooldown)
        self._become(CircuitState.OPEN)

    def _end_trial(self) -> None:
        if self._trial is not None:
            self._trial.set()
            self._trial = None

    def _become(self, state: CircuitState) -> None:
        if state is not self.state:
            self.state = state
            self._on_change(state)
