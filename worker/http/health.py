"""The health server. It knows nothing of the worker: it asks the functions that it is given."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from aiohttp import web

from worker.domain.errors import WorkerError

_TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
_BACKLOG = 128


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


class _Request(web.BaseRequest):
    """A request whose reply does not name the software; also where the library answers by itself."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        response.headers.popall("Server", None)


class HealthServer:
    """Serves the three endpoints, without an access log.

    Args:
        port: 0 takes any free one; ``port`` tells which, once started.
        readiness: asked for every ``/readyz``; must not block. 200 when ready, else 503.
        liveness: the same for ``/livez``; not ready means: replace this process.
        metrics_text: the body of ``/metrics``.
        host: the address to listen on; None: all of them, IPv4 and, where the system has it, IPv6.
    """

    def __init__(
        self,
        port: int,
        *,
        readiness: Callable[[], Readiness],
        metrics_text: Callable[[], bytes],
        liveness: Callable[[], Readiness] = _well,
        host: str | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._pages: Mapping[str, Callable[[], web.Response]] = {
            "/livez": lambda: _answer(liveness(), "alive"),
            "/readyz": lambda: _answer(readiness(), "ready"),
            "/metrics": lambda: web.Response(body=metrics_text(), headers={"Content-Type": _TEXT_FORMAT}),
        }
        self._runner: web.ServerRunner | None = None

    @property
    def port(self) -> int:
        """The port that is served; before the start the one that was asked for."""
        return self._port

    async def start(self) -> None:
        """Listen.

        Raises:
            PortUnavailableError: the port is taken or not allowed, or the address is none of this machine.
        """
        try:
            listening = _listen(self._host, self._port)
        except OSError as error:
            raise self._unavailable(error) from None
        self._port = int(listening.getsockname()[1])
        request = partial(_Request, loop=asyncio.get_running_loop())
        server = web.Server(self._page, request_factory=request, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=1)
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()

    async def stop(self) -> None:
        """Stop listening; harmless when not started or stopped already."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def _unavailable(self, error: OSError) -> PortUnavailableError:
        number = error.errno or 0
        why = os.strerror(number).lower() if number > 0 else "it cannot be looked up"
        # Numbers below 0 are those of looking an address up: one of an interface that is not there, say.
        if number < 0 or number in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
            line = (
                f"HEALTH_HOST: {self._host} cannot be listened on ({why}); "
                "set it to an address of this machine, or to none for all of them"
            )
        else:
            line = (
                f"HEALTH_PORT: port {self._port} cannot be opened ({why}); "
                "set it to a free port, or to 0 for any free one"
            )
        return PortUnavailableError("health_port_unavailable", line)

    async def _page(self, request: web.BaseRequest) -> web.Response:
        page = self._pages.get(request.path)
        if page is None:
            return web.Response(status=404, text="404: Not Found")
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, text="405: Method Not Allowed", headers={"Allow": "GET,HEAD"})
        return page()


def _listen(host: str | None, port: int) -> socket.socket:
    """Open one socket: where *host* is None, for both families, as far as the system has them."""
    if host is not None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(
                ("", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
            )
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
    return socket.create_server(("", port), backlog=_BACKLOG)


def _answer(readiness: Readiness, word: str) -> web.Response:
    """Say in JSON what is the matter; 503 unless all is well."""
    body = {word: readiness.ready, "reasons": dict(readiness.reasons)}
    return web.json_response(
        body, status=200 if readiness.ready else 503, headers={"Cache-Control": "no-store"}
    )
