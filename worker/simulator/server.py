"""The stand-in as a server: inside a test, or as a process of its own."""

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web

from worker.simulator.control import Control
from worker.simulator.control_routes import PREFIX, ControlRoutes
from worker.simulator.options import SimulatorOptions
from worker.simulator.service import CallService
from worker.simulator.web_service import WEB_API_PATH, WebService

API_PATH = "/ItonSMSAPI/smsService/api/"
_MAX_BODY = 2 << 20  # what Java servers accept of a form unless told otherwise
_MAX_LINE = 1 << 20  # far over the limit that calls meet, so that it is ours to answer 414
_SHUTDOWN_TIMEOUT = 1.0  # seconds for replies under way
_GARBAGE_THRESHOLD = 50_000  # the log holds many small objects and no cycles: looking for those costs calls

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunningSimulator:
    """A stand-in that listens.

    Attributes:
        root: ``http://HOST:PORT``.
        control: its switches, for the same process.
    """

    root: str
    control: Control

    @property
    def url(self) -> str:
        """What the worker calls ``ITON_BASE_URL``."""
        return self.root + API_PATH

    @property
    def web_api_url(self) -> str:
        """What the worker calls ``ITON_WEB_API_URL``."""
        return self.root + WEB_API_PATH

    @property
    def control_url(self) -> str:
        """The control endpoint, without a slash at its end."""
        return self.root + PREFIX


def make_app(control: Control) -> web.Application:
    """Return the application: the control endpoint, the Web API, and the gateway at every other path."""
    app = web.Application(client_max_size=_MAX_BODY)
    ControlRoutes(control).add_to(app)
    app.router.add_route("*", WEB_API_PATH + "{path:.*}", WebService(control).serve)
    app.router.add_route("*", "/{path:.*}", CallService(control).serve)
    return app


@asynccontextmanager
async def running_simulator(
    options: SimulatorOptions | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    now: Callable[[], float] = time.time,
) -> AsyncIterator[RunningSimulator]:
    """Listen while the block runs; port 0 takes a free one. *now* gives seconds since the epoch.

    Raises:
        OSError: if the address cannot be had.
    """
    control = Control(options or SimulatorOptions(), now)
    # No access log: it would show passwords.
    runner = web.AppRunner(
        make_app(control), access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT, max_line_size=_MAX_LINE
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield RunningSimulator(f"http://{_shown(host)}:{runner.addresses[0][1]}", control)
    finally:
        control.clear_faults()
        await runner.cleanup()


def serve(options: SimulatorOptions, *, host: str = "127.0.0.1", port: int = 8090) -> None:
    """Run until SIGTERM or SIGINT. The first log line says that this sends no SMS.

    Raises:
        OSError: if the address cannot be had.
    """
    gc.set_threshold(_GARBAGE_THRESHOLD, 20, 100)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(options, host, port))


async def _serve(options: SimulatorOptions, host: str, port: int) -> None:
    stopped = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stopped.set)
    async with running_simulator(options, host=host, port=port) as simulator:
        log.warning(
            "simulator.started",
            note="a stand-in for ITON: no SMS is sent",
            url=simulator.url,
            web_api=simulator.web_api_url,
            control=simulator.control_url + "/state",
        )
        await stopped.wait()
        state = simulator.control.state()
    log.info("simulator.stopped", calls=state["calls"], messages=state["sent"]["messages"])


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not to be had on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
