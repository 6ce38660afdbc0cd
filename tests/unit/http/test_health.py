"""The health endpoints, over a real socket."""

import asyncio
import errno
import socket
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

    @pytest.mark.parametrize(
        ("request_line", "status"),
        [
            ("GET /livez HTTP/1.1", 200),
            ("HEAD /readyz HTTP/1.1", 200),
            ("GET /metrics HTTP/1.1", 200),
            ("GET / HTTP/1.1", 404),
            ("GET /livez/ HTTP/1.1", 404),
            ("POST /livez HTTP/1.1", 405),
            ("NONSENSE", 400),
            ("GET /livez HTTP/1.1\r\nTransfer-Encoding: nonsense", 400),
            ("GET /broken HTTP/1.1", 500),
        ],
    )
    async def test_no_reply_names_the_software(
        self, server: HealthServer, request_line: str, status: int
    ) -> None:
        """Whoever answers: our page, our refusal, or the library."""

        def broken() -> aiohttp.web.Response:
            raise ValueError

        server._pages = {**server._pages, "/broken": broken}
        head = await _head(server, request_line)
        assert str(status) == head.split(" ")[1]
        assert "\r\nserver:" not in head
        assert "python" not in head
        assert "aiohttp" not in head


async def _head(server: HealthServer, request_line: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"{request_line}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    reply = await reader.read()
    writer.close()
    return reply.decode().lower().partition("\r\n\r\n")[0]


def _server(port: int = 0, host: str | None = None) -> HealthServer:
    return HealthServer(port, host=host, readiness=lambda: Readiness(ready=True), metrics_text=bytes)


async def _answers(port: int, *hosts: str) -> list[str]:
    """Return the *hosts* at which somebody answers."""
    found = []
    for host in hosts:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            continue
        writer.close()
        found.append(host)
    return found


class TestAddresses:
    """Where it listens."""

    @pytest.mark.parametrize(
        ("host", "hosts"), [(None, ["127.0.0.1", "::1"]), ("127.0.0.1", ["127.0.0.1"]), ("::1", ["::1"])]
    )
    async def test_both_families_unless_an_address_is_named(self, host: str | None, hosts: list[str]) -> None:
        """On one port, a free one as well."""
        server = _server(host=host)
        await server.start()
        try:
            assert await _answers(server.port, "127.0.0.1", "::1") == hosts
        finally:
            await server.stop()

    @pytest.mark.parametrize("lacking", ["family", "address"])
    async def test_without_ipv6_it_listens_on_ipv4(
        self, lacking: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A kernel without it, or one that was told not to use it."""
        create = socket.create_server

        def without(*args: object, family: int = socket.AF_INET, **options: object) -> socket.socket:
            if family == socket.AF_INET6:
                raise OSError(errno.EADDRNOTAVAIL, "")
            return create(*args, family=family, **options)  # type: ignore[arg-type] # as given

        monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: lacking == "address")
        monkeypatch.setattr(socket, "create_server", without)
        server = _server()
        await server.start()
        try:
            assert await _answers(server.port, "127.0.0.1", "::1") == ["127.0.0.1"]
        finally:
            await server.stop()

    @pytest.mark.parametrize("taken", ["127.0.0.1", "0.0.0.0", "::1", "::"])  # noqa: S104 - somebody else's
    async def test_a_port_that_is_taken_in_one_family_is_taken(self, taken: str) -> None:
        """Half of the probes would reach somebody else."""
        family = socket.AF_INET6 if ":" in taken else socket.AF_INET
        with socket.create_server((taken, 0), family=family) as somebody:
            port = somebody.getsockname()[1]
            with pytest.raises(PortUnavailableError, match=f"HEALTH_PORT: port {port} cannot be opened"):
                await _server(port).start()

    async def test_an_address_of_another_machine_names_its_variable(self) -> None:
        """The port is not to blame."""
        with pytest.raises(PortUnavailableError, match=r"HEALTH_HOST: 192\.0\.2\.1 cannot be listened on"):
            await _server(host="192.0.2.1").start()

    async def test_an_interface_that_is_not_there_names_its_variable(self) -> None:
        """Looking it up fails with a number that is none of the system's."""
        with pytest.raises(PortUnavailableError, match=r"HEALTH_HOST: fe80::1%nope cannot be listened on"):
            await _server(host="fe80::1%nope").start()
