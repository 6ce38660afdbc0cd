"""The life of the process: start, serve, drain, close. Knows no concrete class of what it runs."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog

log = structlog.get_logger(__name__)

# Seconds at the end of a stop, at most a quarter of it each: for what is cancelled to write down what it
# knows, and for closing everything. What is in flight has all before that.
_LAST_STEPS = 2.5
_CLOSING = 1.5
_LAST_WORDS = 2.0  # seconds that a closing part may take; the process ends anyway
_LEAST = 0.05  # seconds that each part has to close in any case


class Consuming(Protocol):
    """Takes deliveries until told to stop."""

    async def run(self) -> None:
        """Work until cancelled."""
        ...

    async def drain(self, seconds: float, *, last: float) -> int:
        """Take no more, wait for what is in flight, give the rest back; return how many.

        *last* are the seconds after these that whoever is cancelled has.
        """
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker process is made of.

    Attributes:
        start: called in order before anything runs; an error ends the process.
        services: run beside the consumer for as long as it does; none may end.
        closers: called in order at the end.
        drain_timeout: seconds from the signal to the end of everything.
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
    stop = _Stop(parts.drain_timeout)
    try:
        for start in parts.start:
            await start()
        services = [asyncio.create_task(_forever(run)) for run in (parts.consumer.run, *parts.services)]
        stopped = asyncio.create_task(signals.stop.wait())
        await asyncio.wait({stopped, *services}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        stop.begin()
        code = _verdict(services)
        await _drain(parts, signals, stop)
    finally:
        await _close(parts, services, stop)
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


async def _drain(parts: Parts, signals: StopSignals, stop: "_Stop") -> None:
    log.info("worker.draining", seconds=parts.drain_timeout)
    parts.before_drain()
    draining = asyncio.create_task(parts.consumer.drain(stop.in_flight, last=stop.last_steps))
    haste = asyncio.create_task(signals.haste.wait())
    await asyncio.wait({draining, haste}, return_when=asyncio.FIRST_COMPLETED)
    haste.cancel()
    if not draining.done():
        draining.cancel()
        with suppress(asyncio.CancelledError):
            await draining
        returned = await parts.consumer.drain(0, last=stop.last_steps)
    else:
        returned = draining.result()
    log.info("worker.drained", returned=returned)


async def _close(parts: Parts, services: Sequence[asyncio.Task[None]], stop: "_Stop") -> None:
    """End everything, whatever state it is in."""
    for task in services:
        task.cancel()
    if services:
        # Half of what is left: a broker that does not answer keeps its connections from closing.
        await asyncio.wait(services, timeout=stop.left / 2)
    for close in parts.closers:
        closing = asyncio.ensure_future(close())
        done, _ = await asyncio.wait({closing}, timeout=stop.left)
        closing.cancel()
        error = closing.exception() if done and not closing.cancelled() else None
        if error is not None or not done:
            log.debug("close.failed", error=type(error).__name__ if error else "timeout")
    if services:  # else the start failed: that error is the last word
        log.info("worker.stopped")


class _Stop:
    """The time that a stop has, from the signal to the end of everything.

    Args:
        seconds: all of it.

    Attributes:
        in_flight: seconds of it for what is in flight.
        last_steps: seconds for whoever is cancelled after that.
    """

    def __init__(self, seconds: float) -> None:
        closing = min(_CLOSING, seconds / 4)
        self.last_steps = min(_LAST_STEPS, seconds / 4)
        self.in_flight = seconds - closing - self.last_steps
        self._seconds = seconds
        self._until: float | None = None

    def begin(self) -> None:
        """Take the time."""
        self._until = asyncio.get_running_loop().time() + self._seconds

    @property
    def left(self) -> float:
        """Seconds that a part may take to close."""
        if self._until is None:
            return _LAST_WORDS
        return max(min(self._until - asyncio.get_running_loop().time(), _LAST_WORDS), _LEAST)
