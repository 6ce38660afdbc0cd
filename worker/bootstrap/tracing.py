"""Whether jobs have spans: the seams, which are nothing at all when tracing is off."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TypeVar

from worker.domain.messages import Delivery, Disposition
from worker.handlers.lookups import Lookups
from worker.ports import Clock, Observer, Publisher, Retry
from worker.settings import Settings, SettingsError

T = TypeVar("T")

Handle = Callable[[Delivery], Awaitable[Disposition]]


def _same(port: T) -> T:
    return port


async def _nothing(_within: float) -> None:
    """There is nothing to send."""


@dataclass(frozen=True, slots=True)
class Tracing:
    """What is put around the ports; by default nothing, so that no job pays for it.

    Attributes:
        lookups: makes them.
        close: sends what is left, within so many seconds.
    """

    jobs: Callable[[Handle], Handle] = _same
    publisher: Callable[[Publisher], Publisher] = _same
    sending: Callable[[Retry], Retry] = _same
    observer: Callable[[Observer], Observer] = _same
    lookups: Callable[..., Lookups] = Lookups
    close: Callable[[float], Awaitable[None]] = _nothing


def tracing_of(settings: Settings) -> Tracing:
    """Return what the settings want.

    Raises:
        SettingsError: tracing is on and cannot be had as it is asked for.
    """
    if not settings.process.tracing:
        return Tracing()
    try:
        from worker import tracing  # noqa: PLC0415 - its library is an extra
    except ImportError:
        raise SettingsError(
            "WORKER_TRACING is true, but the extra otel is not installed; install iton-worker[otel], "
            "or set it to false"
        ) from None
    try:
        export = tracing.open_export(version("iton-worker"))
    except tracing.WrongTracingError as error:
        raise SettingsError(str(error)) from None
    tracer, prefix = export.tracer, settings.broker.prefix
    return Tracing(
        jobs=lambda handle: tracing.TracedJobs(tracer, handle, prefix),
        publisher=lambda publisher: tracing.TracedPublisher(tracer, publisher, prefix),
        sending=lambda retry: tracing.TracedSending(tracer, retry),
        observer=tracing.TracedObserver,
        lookups=partial(tracing.TracedLookups, tracer),
        close=export.close,
    )


@dataclass(slots=True)
class LastSpans:
    """Sends the last spans in what the drain leaves of its time, so that no stop takes longer for them."""

    tracing: Tracing
    clock: Clock
    drain_timeout: float
    began: float | None = None

    def stop_began(self) -> None:
        """Take the time."""
        self.began = self.clock.elapsed()

    async def send(self) -> None:
        """Send them, or leave it."""
        now = self.clock.elapsed()
        await self.tracing.close(self.drain_timeout - (now - (self.began or now)))
