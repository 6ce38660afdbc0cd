"""The end of work that will not end by itself in time."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from worker.domain.progress import Progress, Step

_SAME_TURN = 0.1  # seconds that a call under way has left: what has arrived is read


async def stop(works: "Mapping[asyncio.Task[Any], Progress]", within: float) -> None:
    """Cancel *works*, each when that cuts off no more than it must; return when they have ended.

    What only waits is cancelled at once. Of a call under way what has arrived is read; what is being written
    has half of the time to be finished.

    Args:
        works: how far each has got.
        within: seconds for all of it; whatever has not ended by then is left to itself, cancelled.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + within
    for progress in works.values():
        progress.stopped = True
    _cancel(task for task, progress in works.items() if progress.at is Step.WAITING)
    await _ended(works, min(_SAME_TURN, within / 4))
    _cancel(task for task, progress in works.items() if progress.at is not Step.WRITING)
    await _ended([task for task in works if not task.cancelling()], until - within / 2 - loop.time())
    _cancel(works)
    await _ended(works, until - loop.time())


def _cancel(tasks: "Iterable[asyncio.Task[Any]]") -> None:
    for task in tasks:
        if not task.cancelling():
            task.cancel()


async def _ended(tasks: "Iterable[asyncio.Task[Any]]", within: float) -> None:
    if (left := {task for task in tasks if not task.done()}) and within > 0:
        await asyncio.wait(left, timeout=within)
