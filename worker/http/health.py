"""The health server. It knows nothing of the worker: it asks the functions that it is given."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from worker.domain.errors import WorkerError

_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"


class PortUnavailableError(WorkerError):
    """The health port cannot be opened."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the worker is what it should be, and if not, why.

    Attributes:
        reasons: a code and a sentence each; of what is wrong, or worth knowing though it is ready.
    """

    ready: bool
    reasons: Mapping[str, str] = field(default_factory=dict)


def _well() -> Readiness:
    return Readiness(ready=True)


class HealthServer:
    """Serves the three endpoints on all interfaces, without an access log.

    Args:
        port: 0 takes any free one; ``port`` tells which, once started.
        readiness: asked for every ``/readyz``; must not block. 200 when ready, else 503.
        liveness: the same for ``/livez``; not ready means: replace this process.
        metrics_text: the body of ``/metrics``.
        host: to listen on.
    """

    def __init__(
        self,
        port: int,
        *,
        readiness: Callable[[], Readiness],
        metrics_text: Callable[[], bytes],
        liveness: Callable[[], Readiness] = _well,
        host: str = "0.0.0.0",  # noqa: S104 - kubelet and scraper come from outside the pod
    ) -> None:
        self._host = host
        self._port = port
        self._readiness = readiness
        self._liveness = liveness
        self._metrics_text = metrics_text
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that is served; before the start the one that was asked for."""
        return self._port

    async def start(self) -> None:
        """Listen.

        Raises:
            PortUnavailableError: the port is taken or not allowed.
        """
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise self._unavailable(error) from None
        self._runner = runner
        self._port = int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening; harmless when not started or stopped already."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _unavailable(self, error: OSError) -> PortUnavailableError:
        why = os.strerror(error.errno).lower() if error.errno else "it cannot be opened"
        return PortUnavailableError(
            "health_port_unavailable",
            f"HEALTH_PORT: port {self._port} cannot be opened ({why}); "
            "set it to a free port, or to 0 for any free one",
        )

    async def _livez(self, _request: web.Request) -> web.Response:
        return _answer(self._liveness(), "alive")

    async def _readyz(self, _request: web.Request) -> web.Response:
        return _answer(self._readiness(), "ready")

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics_text(), headers={"Content-Type": _TEXT_FORMAT})


def _answer(readiness: Readiness, word: str) -> web.Response:
    """Say in JSON what is the matter; 503 unless all is well."""
    body = {word: readiness.ready, "reasons": dict(readiness.reasons)}
    return web.json_response(
        body, status=200 if readiness.ready else 503, headers={"Cache-Control": "no-store"}
    )
