"""The time limit of a call."""

import asyncio
import socket
import time

import pytest

from worker.iton.time_limit import time_limit


class TestTimeLimit:
    """What ends in time, what does not, and what was held up by a stopped process."""

    async def test_what_ends_in_time_passes(self) -> None:
        """Nothing is raised, then or later."""
        async with time_limit(0.01):
            pass
        await asyncio.sleep(0.02)

    async def test_what_does_not_end_is_cut_off(self) -> None:
        """With TimeoutError, as ``asyncio.timeout`` does."""
        with pytest.raises(TimeoutError):
            async with time_limit(0.01):
                await asyncio.Event().wait()

    async def test_a_stopped_process_reads_what_came_in_meanwhile(self) -> None:
        """The limit has long passed when the process goes on, and the reply is still read."""
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        with theirs:
            async with time_limit(0.05):
                time.sleep(0.7)  # noqa: ASYNC251 - this is the stop
                theirs.sendall(b"reply")
                assert await reader.readexactly(5) == b"reply"
        writer.close()
        await writer.wait_closed()

    async def test_the_grace_is_short(self) -> None:
        """If there is nothing to read, the stopped process gives up after a second."""

        async def stopped() -> None:
            async with time_limit(0.05):
                time.sleep(0.7)  # noqa: ASYNC251 - this is the stop
                await asyncio.Event().wait()

        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await stopped()
        # Without an end to the grace it would wait for ever.
        assert time.monotonic() - began < 10
