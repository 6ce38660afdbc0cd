"""The life of the process."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from tests.support.deadline import DEADLINE
from tests.support.fakes import settled
from worker.runtime import Parts, StopSignals, serve


class Life:
    """A process whose parts note what happens to them."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.signals = StopSignals()
        self.drains: list[float] = []
        self.drained = asyncio.Event()
        self.drained.set()
        self.dies = asyncio.Event()
        self.death: BaseException | None = None
        self.start_error: Exception | None = None

    async def run(self) -> None:
        """Consume."""
        self.log.append("consuming")
        try:
            await asyncio.Event().wait()
        finally:
            self.log.append("consumer ended")

    async def drain(self, seconds: float, *, last: float) -> int:
        """Wait for what is in flight."""
        assert last <= 2.5
        self.drains.append(seconds)
        if seconds:
            await self.drained.wait()
        self.log.append("drained")
        return 0

    async def service(self) -> None:
        """Run until told to die."""
        await self.dies.wait()
        if self.death:
            raise self.death

    def noting(self, name: str, error: Exception | None = None) -> Callable[[], Awaitable[None]]:
        """A step that is noted."""

        async def step() -> None:
            self.log.append(name)
            if error:
                raise error

        return step

    def parts(self, *closers: Callable[[], Awaitable[None]]) -> Parts:
        """What is served."""
        return Parts(
            consumer=self,
            start=(self.noting("started"), self.noting("started too", self.start_error)),
            services=(self.service,),
            closers=closers or (self.noting("closed"), self.noting("closed too")),
            drain_timeout=25.0,
        )


class TestServe:
    """Start, serve, drain, close."""

    async def test_a_signal_drains_and_closes_in_order(self) -> None:
        """Exit code 0."""
        life = Life()
        serving = asyncio.ensure_future(serve(life.parts(), life.signals))
        await settled()
        life.signals.stop.set()
        assert 0 == await serving
        expected = "started, started too, consuming, drained, consumer ended, closed, closed too"
        assert expected.split(", ") == life.log
        assert [21.0] == life.drains

    @pytest.mark.parametrize("death", [None, RuntimeError("x"), asyncio.CancelledError()])
    async def test_a_service_that_ends_ends_the_process(self, death: BaseException | None) -> None:
        """However it ended: exit code 1, after a drain."""
        life = Life()
        life.death = death
        life.dies.set()
        assert 1 == await serve(life.parts(), life.signals)
        assert ["drained", "consumer ended", "closed", "closed too"] == life.log[-4:]

    async def test_a_second_signal_hastens(self) -> None:
        """What is in flight goes back at once."""
        life = Life()
        life.drained.clear()
        serving = asyncio.ensure_future(serve(life.parts(), life.signals))
        await settled()
        life.signals.stop.set()
        await settled()
        assert not serving.done()
        life.signals.haste.set()
        assert 0 == await serving
        assert [21.0, 0] == life.drains

    async def test_a_start_that_fails_closes_what_was_opened(self) -> None:
        """And nothing is consumed. The error is the last word: no line says that the worker stopped."""
        life = Life()
        life.start_error = OSError("port in use")
        with capture_logs() as lines, pytest.raises(OSError, match="port in use"):
            await serve(life.parts(), life.signals)
        assert [] == lines
        assert ["started", "started too", "closed", "closed too"] == life.log

    async def test_a_closer_that_fails_does_not_keep_the_others_open(self) -> None:
        """Each gets its turn."""
        life = Life()
        life.signals.stop.set()
        parts = life.parts(life.noting("first", RuntimeError("x")), life.noting("second"))
        assert 0 == await serve(parts, life.signals)
        assert ["first", "second"] == life.log[-2:]

    async def test_the_timeout_is_the_whole_stop(self) -> None:
        """Parts that never close, and a service that never ends, take no more than what is left of it."""
        life, released = Life(), asyncio.Event()

        async def never() -> None:
            # Twice, as a close that a broker does not answer.
            with suppress(asyncio.CancelledError):
                await released.wait()
            await released.wait()

        parts = replace(life.parts(never, never), services=(never,), drain_timeout=3.0)
        life.signals.stop.set()
        started = asyncio.get_running_loop().time()
        assert 0 == await serve(parts, life.signals)
        # Two that have three seconds each would take more than six.
        assert asyncio.get_running_loop().time() - started < 2 * 3.0
        assert [1.5] == life.drains
        released.set()

    async def test_a_signal_that_came_during_the_start_counts(self) -> None:
        """It stops as soon as it has started."""
        life = Life()
        life.signals.stop.set()
        assert 0 == await serve(life.parts(), life.signals)
        assert [21.0] == life.drains


class TestStopSignals:
    """SIGTERM and SIGINT."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    async def test_the_first_stops_the_second_hastens(self, number: signal.Signals) -> None:
        """Either of them."""
        signals = StopSignals()
        signals.listen()
        try:
            os.kill(os.getpid(), number)
            await asyncio.wait_for(signals.stop.wait(), DEADLINE)
            assert not signals.haste.is_set()
            os.kill(os.getpid(), number)
            await asyncio.wait_for(signals.haste.wait(), DEADLINE)
        finally:
            for each in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().remove_signal_handler(each)
