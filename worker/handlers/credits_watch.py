"""A look at the balance every so often, and a word when it falls below a threshold."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import structlog

from schemas import AccountLow, ResultKind, result_key
from worker.domain.errors import WorkerError
from worker.domain.messages import ResultMessage
from worker.handlers.lookups import Lookups
from worker.ports import Clock, Observer, Publisher

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class CreditsWatch:
    """Publishes ``account.low`` once each time the balance falls below *threshold*.

    Attributes:
        threshold: credits; 0 watches without a word.
        interval: seconds between two looks.
        draw_id: returns a fresh unique id for the message.
        low: whether the balance was below the threshold when it was last seen.
    """

    lookups: Lookups
    publisher: Publisher
    observer: Observer
    clock: Clock
    threshold: Decimal
    interval: float
    draw_id: Callable[[], str]
    low: bool = False

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            try:
                await self.seen(await self.lookups.account())
            except WorkerError as error:
                log.debug("balance.unknown", code=error.code)
            await self.clock.sleep(self.interval)

    async def seen(self, balance: Decimal) -> None:
        """Take note of a balance."""
        self.observer.credits_seen(balance)
        below = balance < self.threshold
        if below and not self.low:
            log.warning("credits.low", remaining=str(balance), threshold=str(self.threshold))
            await self.publisher.publish_result(self._message(balance))
        self.low = below

    def _message(self, balance: Decimal) -> ResultMessage:
        result = AccountLow(remaining_credits=balance, threshold=self.threshold)
        key = result_key(ResultKind.ACCOUNT, result.status)
        return ResultMessage("account", key, result.to_json(), f"account/low/{self.draw_id()}", None)
