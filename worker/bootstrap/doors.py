"""The door to the gateway, with what opens and closes it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from worker.metrics import Metrics
from worker.ports import Clock, Command
from worker.probes import Probes
from worker.resilience.call_limit import CallLimit
from worker.resilience.call_slots import CallSlots
from worker.resilience.circuit_breaker import BreakerPolicy, CircuitBreaker, CircuitState
from worker.resilience.gate import Gate
from worker.resilience.pause import Pause
from worker.resilience.rate_limiter import RateLimiter
from worker.settings import Settings

log = structlog.get_logger(__name__)

_LEDGER_PROBE = 2.0  # seconds; a store that is back is noticed soon, and the question is cheap


@dataclass(frozen=True, slots=True)
class Doors:
    """Builds the gate to the gateway."""

    settings: Settings
    probes: Probes
    metrics: Metrics
    clock: Clock
    limiter: RateLimiter

    def gate(self) -> Gate:
        """Return the one door that every call passes."""
        gateway = self.settings.gateway
        limit = CallLimit(gateway.min_calls, gateway.max_calls, self.clock)
        slots = CallSlots(gateway.max_calls, gateway.urgent_calls, limit)
        self.metrics.calls_in_flight_from(lambda: slots.in_use)
        self.metrics.calls_limit_from(lambda: slots.limit)
        falls = gateway.min_calls < gateway.max_calls
        self.metrics.calls_limit_falls_to(gateway.min_calls if falls else 0)

        async def answers() -> bool:
            return await self.probes.gateway_answers(gate.account_failed)

        gate = Gate(
            breakers={command: self._breaker(command, answers) for command in Command},
            account=Pause(
                self.probes.account_works, self.clock, on_change=self._noted("credentials", "credits")
            ),
            ledger=Pause(
                self.probes.ledger_works, self.clock, interval=_LEDGER_PROBE, on_change=self._noted("ledger")
            ),
            slots=slots,
            limiter=self.limiter,
            hold_limit=self.settings.retry.hold_limit,
        )
        return gate

    def _breaker(self, command: Command, answers: Callable[[], Awaitable[bool]]) -> CircuitBreaker:
        def changed(state: CircuitState) -> None:
            log.warning("circuit.changed", command=command.value, state=state.value)
            self.metrics.breaker_changed(command.value, is_open=state is CircuitState.OPEN)

        policy = BreakerPolicy(self.settings.retry.breaker_failures, self.settings.retry.breaker_cooldown)
        # The account command is the question itself.
        probe = None if command is Command.ACCOUNT else answers
        return CircuitBreaker(policy, self.clock, probe=probe, on_change=changed)

    def _noted(self, *causes: str) -> Callable[[str | None], None]:
        """Show in log and metrics which of *causes* stops the intake."""

        def changed(cause: str | None) -> None:
            if cause:
                log.error("intake.paused", cause=cause)
            else:
                log.info("intake.resumed", after=" or ".join(causes))
            for known in causes:
                self.metrics.intake_paused(known, paused=known == cause)

        return changed
