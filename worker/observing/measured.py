"""The ports once more, with what passes them counted and timed."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from worker.domain.errors import LedgerUnavailableError
from worker.metrics import Metrics
from worker.ports import Ledger, Stored, Swap

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MeasuredLedger:
    """A `Ledger` whose operations are timed, and its failures counted."""

    ledger: Ledger
    metrics: Metrics
    on_failure: Callable[[LedgerUnavailableError], None] = lambda _: None

    def load(self, key: str) -> Awaitable[Stored | None]:
        """As the port says."""
        return self._measured("load", self.ledger.load, key)

    def swap(self, key: str, *, expected: str | None, new: Stored) -> Awaitable[bool]:
        """As the port says."""
        return self._measured("swap", self.ledger.swap, key, expected=expected, new=new)

    async def swap_many(self, swaps: Sequence[Swap]) -> Sequence[bool | Exception]:
        """As the port says; together they are one operation, and a failure is that of the store."""
        started = time.perf_counter()
        answers = await self.ledger.swap_many(swaps)
        self.metrics.ledger.took["swap"].observe(time.perf_counter() - started)
        for answer in answers:
            if isinstance(answer, LedgerUnavailableError):
                self._failed("swap", answer)
                break
        return answers

    def renew(self, keys: Sequence[str]) -> Awaitable[Sequence[bool]]:
        """As the port says."""
        return self._measured("renew", self.ledger.renew, keys)

    async def _measured(
        self, operation: str, ask: Callable[P, Awaitable[T]], *args: P.args, **named: P.kwargs
    ) -> T:
        started = time.perf_counter()
        try:
            return await ask(*args, **named)
        except LedgerUnavailableError as error:
            self._failed(operation, error)
            raise
        finally:
            self.metrics.ledger.took[operation].observe(time.perf_counter() - started)

    def _failed(self, operation: str, error: LedgerUnavailableError) -> None:
        self.metrics.ledger.failures[operation].inc()
        self.on_failure(error)
