"""A whole worker process."""

import asyncio
import gc
import os
import threading
from collections.abc import Callable

from worker.bootstrap.assembly import Assembly
from worker.runtime import StopSignals, serve
from worker.settings import Settings

# As much as a thousand jobs in flight hold together: they come and go in waves, and any fewer bring a round
# with every wave, each over the objects of all jobs in flight.
_OBJECTS_A_ROUND = 50_000
_LAST_THREADS = 1.0  # seconds, after everything is closed


def run_worker(settings: Settings) -> int:
    """Work until a signal; return the exit code."""
    _collect_less_often()
    runner = asyncio.Runner(loop_factory=_loop_factory())
    try:
        code = runner.run(_run(settings))
    except BaseException:
        runner.close()
        raise
    _leave_soon(code)
    runner.close()
    return code


def _leave_soon(code: int) -> None:
    """End the process although a library's thread holds it: to look up a name may take half a minute."""
    timer = threading.Timer(_LAST_THREADS, os._exit, (code,))
    timer.daemon = True
    timer.start()


def _collect_less_often() -> None:
    """Leave the program's own objects out of the garbage collector's rounds, and make these rarer.

    A job makes hundreds of objects and next to no cycles; by default it costs a round.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_A_ROUND, 5, 5)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's where it is to be had."""
    try:
        import uvloop  # noqa: PLC0415 - absent on some platforms
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(settings: Settings) -> int:
    signals = StopSignals()
    signals.listen()
    return await serve(Assembly(settings).parts(), signals)
