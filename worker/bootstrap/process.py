"""A whole worker process."""

import asyncio
import gc
from collections.abc import Callable

from worker.bootstrap.assembly import Assembly
from worker.runtime import StopSignals, serve
from worker.settings import Settings

# As much as a thousand jobs in flight hold together: they come and go in waves, and any fewer bring a round
# with every wave, each over the objects of all jobs in flight.
_OBJECTS_A_ROUND = 50_000


def run_worker(settings: Settings) -> int:
    """Work until a signal; return the exit code."""
    _collect_less_often()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_run(settings))


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
