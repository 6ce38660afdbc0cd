"""The time limits of all calls under way."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from worker.iton.deadlines import Deadlines


class Waiting:
    """One call."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def give_up(self, error: Exception) -> None:
        """End with *error*."""
        self.ended.set_exception(error)


def begun(deadlines: Deadlines, *seconds: float) -> Sequence[Waiting]:
    """Return calls that may take so long."""
    now = asyncio.get_running_loop().time()
    calls = [Waiting() for _ in seconds]
    for call, limit in zip(calls, seconds, strict=True):
        deadlines.begin(call, now + limit)
    return calls


class TestDeadlines:
    """What ends in time, what does not, and what was held up by a stopped process."""

    async def test_what_ends_in_time_hears_nothing(self) -> None:
        """Nor does anybody later."""
        deadlines = Deadlines(asyncio.get_running_loop())
        (call,) = begun(deadlines, 0.01)
        deadlines.end(call)
        deadlines.end(call)
        (other,) = begun(deadlines, 0.03)
        with pytest.raises(TimeoutError):
            await other.ended
        assert not call.ended.done()

    async def test_each_is_cut_off_at_its_own_limit(self) -> None:
        """Whatever the order in which they began."""
        loop = asyncio.get_running_loop()
        began, limits = loop.time(), (0.3, 0.1, 0.2)
        for call, limit in zip(begun(Deadlines(loop), *limits), limits, strict=True):
            with pytest.raises(TimeoutError):
                await call.ended
            assert loop.time() - began >= limit

    async def test_many_calls_take_one_timer(self) -> None:
        """It is set anew for an earlier limit only."""
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop)
        first, *others = begun(deadlines, *(60 + number / 1000 for number in range(1000)))
        timer = deadlines._timer
        assert timer is not None
        deadlines.end(first)
        assert timer is deadlines._timer
        for call in others:
            deadlines.end(call)
        timer.cancel()

    async def test_giving_up_ends_all(self) -> None:
        """With the error that is given."""
        deadlines = Deadlines(asyncio.get_running_loop())
        calls = begun(deadlines, 60, 60)
        deadlines.give_up(ConnectionAbortedError())
        for call in calls:
            assert isinstance(call.ended.exception(), ConnectionAbortedError)
        deadlines.give_up(ConnectionAbortedError())

    async def test_a_stopped_process_gives_them_a_second_to_read_what_came(self) -> None:
        """The limits have long passed when it goes on."""
        loop = asyncio.get_running_loop()
        deadlines = Deadlines(loop)
        answered, silent = begun(deadlines, 0.3, 0.31)
        await asyncio.sleep(0)
        time.sleep(1.2)  # noqa: ASYNC251 - this is the stop
        went_on = loop.time()
        for _ in range(3):  # a look that gave up at once would be over by then
            await asyncio.sleep(0)
        assert not answered.ended.done()
        deadlines.end(answered)
        with pytest.raises(TimeoutError):
            await silent.ended
        assert 0.9 < loop.time() - went_on < 10
        assert not answered.ended.done()
