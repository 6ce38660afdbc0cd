"""The ports once more, with what passes them counted and timed."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from worker.domain.errors import BrokerUnavailableError, LedgerUnavailableError
from worker.domain.messages import DeadLetter, Delay, PartMessage, ResultMessage
from worker.metrics import Metrics
from worker.ports import Ledger, Publisher, Stored, Swap

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MeasuredPublisher:
    """A `Publisher` whose confirms are counted and timed."""

    publisher: Publisher
    metrics: Metrics

    async def publish_result(self, result: ResultMessage) -> None:
        """As the port says."""
        await _measured(self.metrics, result.exchange, self.publisher.publish_result(result))

    async def publish_part(self, part: PartMessage) -> None:
        """As the port says."""
        await _measured(self.metrics, "parts", self.publisher.publish_part(part))


R_contra = TypeVar("R_contra", contravariant=True)


class Copying(Protocol[R_contra]):
    """Puts copies of deliveries elsewhere, confirmed, or raises BrokerUnavailableError."""

    async def publish_dead(self, received: R_contra, why: DeadLetter) -> None:
        """Copy it to the dead-letter exchange."""
        ...

    async def publish_delay(self, received: R_contra, wait: Delay) -> None:
        """Copy it to a delay queue."""
        ...


@dataclass(frozen=True, slots=True)
class MeasuredCopies(Generic[R_contra]):
    """A publisher of copies whose confirms are counted and timed, and what they are copies for."""

    copying: Copying[R_contra]
    metrics: Metrics

    async def publish_dead(self, received: R_contra, why: DeadLetter) -> None:
        """As the publisher does."""
        await _measured(self.metrics, "dead", self.copying.publish_dead(received, why))
        self.metrics.jobs.dead_letters[why.reason].inc()

    async def publish_delay(self, received: R_contra, wait: Delay) -> None:
        """As the publisher does."""
        await _measured(self.metrics, "delay", self.copying.publish_delay(received, wait))
        self.metrics.jobs.retries["delay"].inc()


@dataclass(frozen=True, slots=True)
class MeasuredLedger:
    """A `Ledger` whose operations are timed, and its failures counted."""

    ledger: Ledger
    metrics: Metrics
    on_failure: Callable[[LedgerUnavailableError], None] = lambda _: None

    async def load(self, key: str) -> Stored | None:
        """As the port says."""
        return await self._measured("load", self.ledger.load(key))

    async def swap(self, key: str, *, expected: str | None, new: Stored) -> bool:
        """As the port says."""
        return await self._measured("swap", self.ledger.swap(key, expected=expected, new=new))

    async def swap_many(self, swaps: Sequence[Swap]) -> Sequence[bool | Exception]:
        """As the port says; together they are one operation, and a failure is that of the store."""
        answers = await self._measured("swap", self.ledger.swap_many(swaps))
        failed = next((answer for answer in answers if isinstance(answer, LedgerUnavailableError)), None)
        if failed is not None:
            self._failed("swap", failed)
        return answers

    async def renew(self, keys: Sequence[str]) -> Sequence[bool]:
        """As the port says."""
        return await self._measured("renew", self.ledger.renew(keys))

    async def check(self) -> None:
        """As the port says."""
        await self.ledger.check()

    async def close(self) -> None:
        """As the port says."""
        await self.ledger.close()

    async def _measured(self, operation: str, work: Awaitable[T]) -> T:
        started = time.perf_counter()
        try:
            return await work
        except LedgerUnavailableError as error:
            self._failed(operation, error)
            raise
        finally:
            self.metrics.ledger.took[operation].observe(time.perf_counter() - started)

    def _failed(self, operation: str, error: LedgerUnavailableError) -> None:
        self.metrics.ledger.failures[operation].inc()
        self.on_failure(error)


async def _measured(metrics: Metrics, exchange: str, publishing: Awaitable[None]) -> None:
    started = time.perf_counter()
    try:
        await publishing
    except BrokerUnavailableError as error:
        metrics.broker.count(exchange, "returned" if error.code == "unroutable" else "failed")
        raise
    metrics.broker.publishes[exchange, "confirmed"].inc()
    metrics.broker.confirm_took.observe(time.perf_counter() - started)
