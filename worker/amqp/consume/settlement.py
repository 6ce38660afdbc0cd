"""Does what was decided about a delivery. Whatever goes wrong, the message is not lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from worker.amqp.backoff import Backoff, digest
from worker.amqp.connection.calls import where
from worker.amqp.consume.deliveries import Received
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import DeadLetter, Delay, Disposition, Done, Hold, Requeue, Schedule

log = structlog.get_logger(__name__)

_CRASHES = 4  # of one message, before it is a dead letter without its producer's properties


class CopyPublisher(Protocol):
    """Copies of deliveries, confirmed and not returned, or BrokerUnavailableError."""

    async def publish_dead(self, received: Received, why: DeadLetter) -> None:
        """Copy it to the dead-letter exchange."""
        ...

    async def publish_delay(self, received: Received, wait: Delay) -> None:
        """Copy it to the delay queue that serves the wait."""
        ...

    async def publish_waiting(self, received: Received, wait: Schedule | Hold) -> None:
        """Copy it to the ladder, or to the held queue of its lane."""
        ...


class Settlement:
    """Executes dispositions.

    Args:
        publisher: for dead letters and delays.
        requeue_pause: seconds before a message goes back to its queue, from where it returns at once.
        sleep: waits; passed in by tests, as
        now: seconds of a clock that only runs forward.
    """

    def __init__(
        self,
        publisher: CopyPublisher,
        *,
        requeue_pause: float = 1.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._requeue_pause = requeue_pause
        self._sleep = sleep
        self._now = now
        self._crashes = Backoff()

    async def settle(self, received: Received, disposition: Disposition) -> None:
        """Acknowledge, or copy and acknowledge, or give back. Does not raise."""
        try:
            await self._settle(received, disposition)
        except Exception as error:  # noqa: BLE001 - whatever it was, the message must not hang unsettled
            lane = received.delivery.lane.value
            log.error("settlement.crashed", error=where(error), lane=lane)  # noqa: TRY400 - prints values
            await self._after_crash(received)

    async def _after_crash(self, received: Received) -> None:
        """Give it back after a pause that grows; after a few times it is a dead letter, if it can be one."""
        delivery = received.delivery
        key = digest((delivery.message_id or "").encode(), delivery.body)
        self._crashes.refused(key, delivery.lane.value, self._now())
        if self._crashes.times(key) >= _CRASHES and not received.orphaned:
            try:
                why = DeadLetter("internal_error", "the worker failed to settle it")
                await self._publisher.publish_dead(received.bare(), why)
            except Exception as error:  # noqa: BLE001 - the pause goes on growing
                log.debug("copy.failed", error=where(error))
            else:
                self._crashes.taken(key)
                received.ack()
                return
        await self._sleep(self._crashes.wait(key, self._now()))
        received.give_back()

    async def _settle(self, received: Received, disposition: Disposition) -> None:
        if received.orphaned:
            # What it is to become is decided by the delivery that the broker makes in its place.
            received.give_back()
            return
        match disposition:
            case Done():
                received.ack()
            case DeadLetter() as why:
                await self._move(received, self._publisher.publish_dead(received, why), why.reason)
            case Delay() as wait:
                await self._move(received, self._publisher.publish_delay(received, wait), wait.reason)
            case Schedule() | Hold() as wait:
                await self._move(received, self._publisher.publish_waiting(received, wait), wait.reason)
            case Requeue(reason):
                await self._requeue(received, reason)

    async def _move(self, received: Received, copy: Awaitable[None], reason: str) -> None:
        try:
            await copy
        except BrokerUnavailableError as error:
            log.info("copy.unconfirmed", lane=received.delivery.lane.value, reason=error.detail)
            await self._requeue(received, reason)
            return
        received.ack()

    async def _requeue(self, received: Received, reason: str) -> None:
        log.debug("delivery.requeued", lane=received.delivery.lane.value, reason=reason)
        received.returning = True
        await self._sleep(self._requeue_pause)
        received.give_back()
