"""The end of a drain: nothing is cut off that has nearly ended."""

import asyncio
from typing import Any

import pytest

from worker.domain.progress import Progress, Step
from worker.stopping import stop

WITHIN = 0.4  # seconds


class Work:
    """Goes through steps, as long as *ends* lets it."""

    def __init__(self, at: Step) -> None:
        self.at = at
        self.progress = Progress()
        self.progress.works.append(self)
        self.go_on = asyncio.Event()
        self.task = asyncio.ensure_future(self.go_on.wait())

    def works(self) -> "dict[asyncio.Task[Any], Progress]":
        """As `stop` wants them."""
        return {self.task: self.progress}


async def stopped(*works: Work, within: float = WITHIN) -> None:
    """Stop all together."""
    every = [work.works() for work in works]
    await stop({task: progress for one in every for task, progress in one.items()}, within)


class TestStop:
    """Each at its step."""

    async def test_what_waits_is_cancelled_at_once(self) -> None:
        """And no other call may begin."""
        work = Work(Step.WAITING)
        stopping = asyncio.ensure_future(stopped(work))
        await asyncio.sleep(0)
        assert work.progress.stopped
        assert 1 == work.task.cancelling()
        await stopping

    @pytest.mark.parametrize("step", [Step.CALLING, Step.WRITING])
    async def test_what_ends_at_once_is_not_cancelled(self, step: Step) -> None:
        """A reply that has arrived, a record that is nearly written."""
        work = Work(step)
        asyncio.get_running_loop().call_soon(work.go_on.set)
        await stopped(work)
        assert (True, False) == (work.task.done(), work.task.cancelled())

    @pytest.mark.parametrize("step", list(Step))
    async def test_what_does_not_end_is_cancelled(self, step: Step) -> None:
        """Within the time that is given."""
        work = Work(step)
        # One that waits for the work itself never ends.
        async with asyncio.timeout(50 * WITHIN):
            await stopped(work)
        assert work.task.cancelled()

    async def test_a_reply_that_is_being_written_is_waited_for(self) -> None:
        """Though the call was out when the stop began."""
        work = Work(Step.CALLING)
        stopping = asyncio.ensure_future(stopped(work, within=10 * WITHIN))
        await asyncio.sleep(0)
        work.at = Step.WRITING
        await asyncio.sleep(WITHIN)  # past the turn that a reply has, long before half of the time
        assert 0 == work.task.cancelling()
        work.go_on.set()
        await stopping
        assert not work.task.cancelled()

    async def test_nobody_is_nothing(self) -> None:
        """No work, no wait."""
        await stop({}, WITHIN)


class TestProgress:
    """Of a delivery with several parts."""

    def test_the_worst_counts(self) -> None:
        """One that writes is waited for, whatever the others do."""
        progress = Progress()
        assert int(Step.WAITING) == progress.at
        works = [Work.__new__(Work) for _ in Step]
        for work, step in zip(works, Step, strict=True):
            work.at = step
            progress.works.append(work)
        assert int(Step.WRITING) == progress.at
        progress.works.remove(works[-1])
        assert int(Step.CALLING) == progress.at
