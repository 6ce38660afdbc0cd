"""A supervised connection: connect, set up, watch, and after any trouble all of it again, for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import uniform

import structlog
from aiormq.exceptions import AMQPError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from worker.amqp.connection.calls import bounded, describe
from worker.amqp.connection.opening import RawConnection, Timing, open_connection
from worker.amqp.connection.reasons import place_of
from worker.domain.errors import WorkerError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SideState:
    """Whether a side of the broker works.

    Attributes:
        up: connected, and everything is set up.
        reason: why not, for people; empty when it is up.
    """

    up: bool
    reason: str


SetUp = Callable[[RawConnection], Awaitable[None]]
Probe = Callable[[RawConnection], Awaitable[None]]


class Supervisor:
    """Keeps one connection up.

    Args:
        url: of the broker; of it only host and port are logged.
        name: of the connection, and of the link in the log.
        set_up: called on each new connection; what it raises ends the connection.
        probe: called every few seconds; raises, or does not return, when the connection is of no use.
        on_down: called once after each loss, before the next attempt.
        timing: limits.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        set_up: SetUp,
        probe: Probe,
        on_down: Callable[[], None],
        timing: Timing | None = None,
    ) -> None:
        self._url = url
        self._place = place_of(url)
        self._name = name
        self._set_up = set_up
        self._probe = probe
        self._on_down = on_down
        self._timing = timing or Timing()
        self._trouble: asyncio.Future[str] | None = None
        self._up = asyncio.Event()
        self._reason = "not connected yet"
        self._logged = ""

    @property
    def state(self) -> SideState:
        """As of now."""
        return (
            SideState(up=True, reason="") if self._up.is_set() else SideState(up=False, reason=self._reason)
        )

    @property
    def is_up(self) -> bool:
        """Whether it is connected and set up."""
        return self._up.is_set()

    async def wait_up(self) -> None:
        """Wait until the connection is up and set up."""
        await self._up.wait()

    def fail(self, reason: str) -> None:
        """Give the present connection up and make a new one."""
        self._up.clear()
        self._reason = reason
        if self._trouble is not None and not self._trouble.done():
            self._trouble.set_result(reason)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            connection = await self._connect()
            try:
                reason = await self._watch(connection)
            finally:
                self._up.clear()
                self._on_down()
                await connection.close(self._timing.probe_limit)
            self._went_down(reason)
            await self._pause_between()

    async def _pause_between(self) -> None:
        # A connection that dies right after each set-up must not make a hot loop.
        await asyncio.sleep(uniform(0.1, 0.4))  # noqa: S311 - jitter, not a secret

    async def _connect(self) -> RawConnection:
        retrying = AsyncRetrying(
            wait=wait_random_exponential(multiplier=0.25, min=0.05, max=self._timing.backoff),
            retry=retry_if_exception_type((WorkerError, AMQPError, TimeoutError)),
            before_sleep=self._note_attempt,
        )
        connection: RawConnection = await retrying(self._connect_once)
        return connection

    def _note_attempt(self, attempt: RetryCallState) -> None:
        error = attempt.outcome.exception() if attempt.outcome else None
        if error is not None:
            self._went_down(describe(error))

    async def _connect_once(self) -> RawConnection:
        connection = await open_connection(self._url, name=self._name, timing=self._timing)
        self._trouble = asyncio.get_running_loop().create_future()
        try:
            await bounded(self._set_up(connection), self._timing.set_up)
        except BaseException:
            self._on_down()
            await connection.close(1.0)
            raise
        self._went_up()
        return connection

    def _went_up(self) -> None:
        if self._trouble is not None and self._trouble.done():
            # It broke again during the set-up: the watch ends at once and says why.
            return
        self._up.set()
        self._reason = self._logged = ""
        log.info("broker.connected", connection=self._name)

    def _went_down(self, reason: str) -> None:
        self._up.clear()
        self._on_down()
        self._reason = reason
        if reason != self._logged:
            self._logged = reason
            log.warning("broker.unavailable", connection=self._name, broker=self._place, reason=reason)

    async def _watch(self, connection: RawConnection) -> str:
        """Return why the connection is of no use any more."""
        lost = asyncio.ensure_future(connection.lost())
        probing = asyncio.ensure_future(self._keep_probing(connection))
        trouble = self._trouble or asyncio.get_running_loop().create_future()
        try:
            done, _ = await asyncio.wait({lost, probing, trouble}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            probing.cancel()
            lost.cancel()
            await asyncio.wait({probing, lost})
        return next(cause.result() for cause in (trouble, probing, lost) if cause in done)

    async def _keep_probing(self, connection: RawConnection) -> str:
        while True:
            await asyncio.sleep(self._timing.probe_every)
            try:
                await bounded(self._probe(connection), self._timing.probe_limit)
            except WorkerError as error:
                return error.detail
            except AMQPError as error:
                return describe(error)
