"""The endpoints that an orchestrator and a metrics scraper ask: /livez, /readyz, /metrics."""

from worker.http.health import HealthServer, PortUnavailableError, Readiness

__all__ = ["HealthServer", "PortUnavailableError", "Readiness"]
