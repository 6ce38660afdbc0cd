"""The ports once more, with what passes them counted and timed."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from worker.domain.errors import LedgerUnavailableError
from worker.metrics import Metrics
from worker.ports import Ledger, Stored, Swap

T = TypeVar("T")


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
