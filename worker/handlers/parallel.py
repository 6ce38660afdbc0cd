"""Many small calls at once, a bounded number of them in flight."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
S = TypeVar("S")


async def each(work: Callable[[T], Awaitable[S]], items: Iterable[T], *, limit: int) -> list[S]:
    """Return the result of *work* for each of *items*, in order, with at most *limit* under way.

    The first error cancels the rest and is raised as it is.
    """
    given = list(items)
    if len(given) == 1:
        return [await work(given[0])]
    results: dict[int, S] = {}
    todo = enumerate(given)

    async def take() -> None:
        for number, item in todo:
            results[number] = await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(limit, len(given))):
                group.create_task(take())
    except BaseExceptionGroup as errors:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
    return [results[number] for number in sorted(results)]


async def each_to_its_end(work: Callable[[T], Awaitable[S]], items: Iterable[T], *, limit: int) -> list[S]:
    """The same, but an error cuts none short that is under way; only the rest is not begun any more.

    The first error is raised when all have ended. A cancellation, too, waits for the end of each: what must
    not be cut in two is finished.
    """
    given = list(items)
    results: dict[int, S] = {}
    errors: list[Exception] = []
    todo = enumerate(given)

    async def take() -> None:
        for number, item in todo:
            try:
                results[number] = await work(item)
            except Exception as error:  # noqa: BLE001 - raised below
                errors.append(error)
            if errors or _cancelled():
                return

    # A cancelled `gather` is over with the first of its tasks, and leaves the others behind.
    async with asyncio.TaskGroup() as group:
        for _ in range(min(limit, len(given))):
            group.create_task(take())
    if errors:
        raise errors[0]
    return [results[number] for number in sorted(results)]


def _cancelled() -> bool:
    """Tell whether this task was cancelled, though its work went on to its end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
