"""A step that a cancellation must not cut in two."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

LAST_STEP = 2.0  # seconds that a cancellation waits for a step under way


async def finished(step: Coroutine[Any, Any, T]) -> T:
    """Return what *step* does; a cancellation takes effect when it has ended, or after `LAST_STEP`."""
    task = asyncio.create_task(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        done, _ = await asyncio.wait({task}, timeout=LAST_STEP)
        if not done:
            task.cancel()
        raise
