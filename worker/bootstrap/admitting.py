"""Admission to the gateway, with what opens and closes it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import structlog

from worker.admission.admission import Admission
from worker.admission.call_limit import CallLimit
from worker.admission.circuit import CircuitPolicy
from worker.admission.leave import Bounds
from worker.admission.pause import Pause
from worker.admission.rate_limiter import RateLimiter
from worker.admission.standing import Listeners
from worker.domain.errors import AccountTrouble
from worker.metrics import Metrics
from worker.ports import Clock, Command, ProbeAnswer, WebApi
from worker.probes import Probes
from worker.settings import Settings

log = structlog.get_logger(__name__)

WEB_API_CALLS = 20
"""Calls of the Web API in flight at the most: keys, certificates and pictures are few, and may be large."""

_LEDGER_PROBE = 2.0  # seconds; a store that is back is noticed soon, and the question is cheap


@dataclass(frozen=True)
class Admitting:
    """Builds what every call to the gateway passes, and every call of the Web API."""

    settings: Settings
    probes: Probes
    metrics: Metrics
    clock: Clock
    limiter: RateLimiter

    def admission(self) -> Admission:
        """Return what every call passes."""
        gateway, retry = self.settings.gateway, self.settings.retry
        limit = CallLimit(gateway.min_calls, gateway.max_calls, self.clock)
        admission = Admission(
            Bounds(limit, self.limiter, gateway.max_calls, gateway.urgent_calls),
            CircuitPolicy(retry.breaker_failures, retry.breaker_cooldown),
            self.clock,
            ask=self.probes.ask,
            ledger=self._ledger,
            listeners=Listeners(self._circuit, self._account),
        )
        self.metrics.calls.in_flight.set_function(lambda: admission.in_flight)
        self.metrics.calls.limit.set_function(lambda: admission.limit)
        falls = gateway.min_calls < gateway.max_calls
        self.metrics.calls.floor.set(gateway.min_calls if falls else 0)
        return admission

    def web_api(self, web_api: WebApi) -> Admission:
        """Return what every call of the Web API passes: its outages stop no SMS, nor the other way round.

        ITON_RATE_LIMIT is the SMS account's: it does not count here.
        """
        retry = self.settings.retry

        async def ask(_command: Command, _key: str | None) -> ProbeAnswer:
            return ProbeAnswer(answered=await web_api.is_there())

        return Admission(
            Bounds(
                CallLimit(WEB_API_CALLS, WEB_API_CALLS, self.clock),
                RateLimiter(0, self.clock),
                WEB_API_CALLS,
                0,
            ),
            CircuitPolicy(retry.breaker_failures, retry.breaker_cooldown),
            self.clock,
            ask=ask,
            ledger=self._ledger,
            listeners=Listeners(self._circuit),
        )

    @cached_property
    def _ledger(self) -> Pause:
        """The pause of both, while the ledger cannot be written."""
        return Pause(
            self.probes.ledger_works, self.clock, interval=_LEDGER_PROBE, on_change=self._noted("ledger")
        )

    def _circuit(self, command: Command, closed: bool) -> None:  # noqa: FBT001 - as the listener is declared
        log.warning("circuit.changed", command=command.value, state="closed" if closed else "open")
        self.metrics.standing.breaker_open[command].set(not closed)

    def _account(self, trouble: AccountTrouble | None) -> None:
        self._noted(*AccountTrouble)(trouble)

    def _noted(self, *causes: str) -> Callable[[str | None], None]:
        """Show in log and metrics which of *causes* stops the intake."""

        def changed(cause: str | None) -> None:
            if cause:
                log.error("intake.paused", cause=cause)
            else:
                log.info("intake.resumed", after=" or ".join(causes))
            for known in causes:
                self.metrics.standing.paused[known].set(known == cause)

        return changed
