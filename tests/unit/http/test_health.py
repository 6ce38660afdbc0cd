"""The health endpoints, over a real socket."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from worker.http import HealthServer, PortUnavailableError, Readiness


class Worker:
    """What a health server asks; a test sets the answers."""

    def __init__(self) -> None:
        self.readiness = Readiness(ready=True)
        self.liveness = Readiness(ready=True)


@pytest.fixture
def worker() -> Worker:
    """A worker that is well."""
    return Worker()


@pytest.fixture
async def server(worker: Worker) -> AsyncIterator[HealthServer]:
    """A server on a free port of this machine."""
    server = HealthServer(
        0,
        readiness=lambda: worker.readiness,
        liveness=lambda: worker.liveness,
        metrics_text=lambda: b"iton_worker_up 1\n",
        host="127.0.0.1",
    )
    await server.start()
    yield server
    await server.stop()


async def _get(server: HealthServer, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{server.port}{path}") as response,
    ):
        return response.status, await response.text()


class TestHealthServer:
    """What an orchestrator sees."""

    async def test_a_ready_worker_answers_200(self, server: HealthServer) -> None:
        """All is well: 200 on both endpoints."""
        assert (await _get(server, "/readyz")) == (200, '{"ready": true, "reasons": {}}')
        assert (await _get(server, "/livez")) == (200, '{"alive": true, "reasons": {}}')

    async def test_a_worker_that_is_not_ready_says_why(self, server: HealthServer, worker: Worker) -> None:
        """503 with the reason in JSON."""
        worker.readiness = Readiness(ready=False, reasons={"broker": "no consumers"})
        assert (await _get(server, "/readyz")) == (
            503,
            '{"ready": false, "reasons": {"broker": "no consumers"}}',
        )
        assert (await _get(server, "/livez"))[0] == 200

    async def test_a_dead_worker_answers_503(self, server: HealthServer, worker: Worker) -> None:
        """Liveness is asked of its own function."""
        worker.liveness = Readiness(ready=False, reasons={"loop": "stuck"})
        assert (await _get(server, "/livez"))[0] == 503

    async def test_metrics_are_passed_on(self, server: HealthServer) -> None:
        """The text is served as it is given."""
        assert (await _get(server, "/metrics")) == (200, "iton_worker_up 1\n")

    async def test_a_taken_port_is_a_clear_error(self, server: HealthServer) -> None:
        """The error names the variable, the port and the remedy."""
        second = HealthServer(
            server.port, readiness=lambda: Readiness(ready=True), metrics_text=bytes, host="127.0.0.1"
        )
        with pytest.raises(PortUnavailableError, match=rf"HEALTH_PORT: port {server.port} .*free port"):
            await second.start()

    async def test_stopping_twice_is_harmless(self, server: HealthServer) -> None:
        """A stopped server refuses connections and may be stopped again."""
        await server.stop()
        await server.stop()
        with pytest.raises(aiohttp.ClientConnectorError):
            await _get(server, "/livez")
