"""Steps that a cancellation must not cut in two."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

LAST_STEP = 2.0  # seconds that a cancellation waits for a step under way


async def ended(task: "asyncio.Task[Any]", within: float) -> bool:
    """Wait for *task*, whoever cancels the wait meanwhile; tell whether it ended *within* so many seconds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within
    while not task.done() and (left := until - loop.time()) > 0:
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task}, timeout=left)
    return task.done()


async def finished(step: Coroutine[Any, Any, T]) -> T:
    """Return what *step* does; a cancellation takes effect when it has ended, or after `LAST_STEP`."""
    task = asyncio.create_task(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not await ended(task, LAST_STEP):
            task.cancel()
        raise


async def completed(step: Coroutine[Any, Any, T], *, hurry: bool) -> T:
    """Return what *step* does, in spite of a cancellation, which leaves it `LAST_STEP`; so does *hurry*.

    Raises:
        asyncio.CancelledError: that was not enough.
    """
    task = asyncio.create_task(step)
    if not hurry:
        with suppress(asyncio.CancelledError):
            return await asyncio.shield(task)
    if not await ended(task, LAST_STEP):
        task.cancel()
        raise asyncio.CancelledError
    return task.result()
