"""The life of the process: start, serve, drain, close. Knows no concrete class of what it runs."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

_LAST_WORDS = 2.0  # seconds that a closing part may take; the process ends anyway


class Consuming(Protocol):
    """Takes deliveries until told to stop."""

    async def run(self) -> None:
        """Work until cancelled."""
        ...

    async def drain(self, seconds: float) -> int:
        """Take no more, wait for what is in flight, give the rest back; return how many."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker process is made of.

    Attributes:
        start: called in order before anything runs; an error ends the process.
        services: run beside the consumer for as long as it does; none may end.
        closers: called in order at the end.
        drain_timeout: seconds for what is in flight at a stop.
        before_drain: called when the stop begins; what has not been started then goes back.
    """

    consumer: Consuming
    start: Sequence[Callable[[], Awaitable[None]]]
    services: Sequence[Callable[[], Awaitable[None]]]
    closers: Sequence[Callable[[], Awaitable[None]]]
    drain_timeout: float
    before_drain: Callable[[], None] = lambda: None


@dataclass(slots=True)
class StopSignals:
    """SIGTERM and SIGINT: the first asks for a clean stop, the second for haste."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    haste: asyncio.Event = field(default_factory=asyncio.Event)

    def listen(self) -> None:
        """Take the signals over."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._received, number)

    def _received(self, number: signal.Signals) -> None:
        log.info("signal.received", signal=signal.Signals(number).name, again=self.stop.is_set())
        if self.stop.is_set():
            self.haste.set()
        self.stop.set()


async def serve(parts: Parts, signals: StopSignals) -> int:
    """Run until a signal; return the exit code: 0 after a clean stop, 1 when a service died."""
    services: list[asyncio.Task[None]] = []
    try:
        for start in parts.start:
            await start()
        services = [asyncio.create_task(_forever(run)) for run in (parts.consumer.run, *parts.services)]
        stopped = asyncio.create_task(signals.stop.wait())
        await asyncio.wait({stopped, *services}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        code = _verdict(services)
        await _drain(parts, signals)
    finally:
        await _close(parts, services)
    return code


async def _forever(run: Callable[[], Awaitable[None]]) -> None:
    await run()


def _verdict(services: Sequence[asyncio.Task[None]]) -> int:
    """Tell whether the stop was asked for. Nobody has cancelled a service by now."""
    dead = [task for task in services if task.done()]
    for task in dead:
        error = None if task.cancelled() else task.exception()
        log.critical("service.died", error=type(error).__name__ if error else "ended")
    return 1 if dead else 0


async def _drain(parts: Parts, signals: StopSignals) -> None:
    log.info("worker.draining", seconds=parts.drain_timeout)
    parts.before_drain()
    draining = asyncio.create_task(parts.consumer.drain(parts.drain_timeout))
    haste = asyncio.create_task(signals.haste.wait())
    await asyncio.wait({draining, haste}, return_when=asyncio.FIRST_COMPLETED)
    haste.cancel()
    if not draining.done():
        draining.cancel()
        with suppress(asyncio.CancelledError):
            await draining
        returned = await parts.consumer.drain(0)
    else:
        returned = draining.result()
    log.info("worker.drained", returned=returned)


async def _close(parts: Parts, services: Sequence[asyncio.Task[None]]) -> None:
    """End everything, whatever state it is in."""
    for task in services:
        task.cancel()
    if services:
        await asyncio.wait(services, timeout=_LAST_WORDS)
    for close in parts.closers:
        try:
            async with asyncio.timeout(_LAST_WORDS):
                await close()
        except Exception as error:  # noqa: BLE001 - the next part must be closed as well
            log.debug("close.failed", error=type(error).__name__)
    if services:  # else the start failed: that error is the last word
        log.info("worker.stopped")
