"""Work that several want at the same time."""

import asyncio

import pytest

from tests.support.deadline import DEADLINE
from worker.resilience.single_flight import SingleFlight


class Work:
    """Is under way until told to end.

    Attributes:
        begun: how often.
        error: that it ends with.
    """

    def __init__(self) -> None:
        self.begun = 0
        self.error: Exception | None = None
        self.began, self.end = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> None:
        """Do it."""
        self.begun += 1
        self.began.set()
        await self.end.wait()
        await asyncio.sleep(0)  # as every question takes its time
        if error := self.error:
            self.error = None
            raise error


async def several(flight: SingleFlight, work: Work, many: int = 3) -> list[asyncio.Task[None]]:
    """Have *many* want it done; the first is at it, the others wait."""
    tasks = [asyncio.create_task(flight.do(work)) for _ in range(many)]
    async with asyncio.timeout(DEADLINE):
        await work.began.wait()
    return tasks


async def test_it_is_done_once_for_all_who_came_meanwhile() -> None:
    """By the first of them."""
    flight, work = SingleFlight(), Work()
    tasks = await several(flight, work)
    work.end.set()
    await asyncio.gather(*tasks)
    assert 1 == work.begun


async def test_who_comes_later_has_it_done_again() -> None:
    """What was true then need not be true now."""
    flight, work = SingleFlight(), Work()
    work.end.set()
    await flight.do(work)
    await flight.do(work)
    assert 2 == work.begun


async def test_what_fails_is_the_trouble_of_who_did_it() -> None:
    """The next of those who wait does it for the rest."""
    flight, work = SingleFlight(), Work()
    tasks = await several(flight, work)
    work.error = ValueError("no")
    work.end.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert ["ValueError('no')", "None", "None"] == [repr(end) for end in ends]
    assert 2 == work.begun


@pytest.mark.parametrize("who", [0, 1])
async def test_who_is_cancelled_takes_nobody_along(who: int) -> None:
    """The one who does it, and one who waits."""
    flight, work = SingleFlight(), Work()
    tasks = await several(flight, work)
    tasks[who].cancel()
    work.end.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(end, asyncio.CancelledError) for end in ends] == [each == who for each in range(3)]
    assert (2 if who == 0 else 1) == work.begun
