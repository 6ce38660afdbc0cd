"""A stop for a known cause, which ends by itself when a probe says so."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from worker.ports import Clock

log = structlog.get_logger(__name__)


class Pause:
    """Holds callers from `begin` until *probe* returns True.

    Args:
        probe: asked again and again while the pause lasts. One that raises has not said that it is over.
        clock: time.
        interval: seconds between two probes, and before the first.
        on_change: told with the cause when it begins or its cause changes, with None when it ends.
    """

    def __init__(
        self,
        probe: Callable[[], Awaitable[bool]],
        clock: Clock,
        *,
        interval: float = 5.0,
        on_change: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self._probe = probe
        self._clock = clock
        self._interval = interval
        self._on_change = on_change
        self._over = asyncio.Event()
        self._over.set()
        self._prober: asyncio.Task[None] | None = None
        self.cause: str | None = None

    def begin(self, cause: str) -> None:
        """Pause for *cause*; no effect on a pause for the same."""
        if cause != self.cause:
            self.cause = cause
            self._on_change(cause)
        self._over.clear()
        if self._prober is None:
            self._prober = asyncio.create_task(self._until_over())

    async def over(self) -> None:
        """Return at once when there is no pause, else when it ends."""
        await self._over.wait()

    def close(self) -> None:
        """Stop probing; whoever waits goes on waiting."""
        if self._prober is not None:
            self._prober.cancel()

    async def _says_over(self) -> bool:
        try:
            return await self._probe()
        except Exception as error:  # noqa: BLE001 - a pause whose probe died would never end
            log.error("probe.crashed", cause=self.cause, error=type(error).__name__)  # noqa: TRY400 - no values
            return False

    async def _until_over(self) -> None:
        while True:
            await self._clock.sleep(self._interval)
            if await self._says_over():
                break
        self._prober = None
        self.cause = None
        self._over.set()
        self._on_change(None)
