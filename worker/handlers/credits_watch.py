"""A look at the balance every so often, and a word when it falls below a threshold."""

import asyncio
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
        low: whether the fall below the threshold was published, and the balance has not risen since.
    """

    lookups: Lookups
    publisher: Publisher
    observer: Observer
    clock: Clock
    threshold: Decimal
    interval: float
    draw_id: Callable[[], str]
    low: bool = False
    _word: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Look, for ever."""
        try:
            while True:
                try:
                    self.seen(await self.lookups.account())
                except WorkerError as error:
                    log.debug("balance.unknown", code=error.code)
                await self.clock.sleep(self.interval)
        finally:
            self._be_silent()

    def seen(self, balance: Decimal) -> None:
        """Take note of a balance. A broker that does not take the word keeps nobody from the next look."""
        self.observer.credits_seen(balance)
        if balance >= self.threshold:
            self.low = False
            self._be_silent()
        elif not self.low and self._word is None:
            log.warning("credits.low", remaining=str(balance), threshold=str(self.threshold))
            self._word = asyncio.create_task(self._tell(balance))

    async def _tell(self, balance: Decimal) -> None:
        try:
            await self.publisher.publish_result(self._message(balance))
        except WorkerError as error:
            log.debug("balance.unknown", code=error.code)  # the next look has another word
        else:
            self.low = True
        self._word = None

    def _be_silent(self) -> None:
        if self._word is not None:
            self._word.cancel()
            self._word = None

    def _message(self, balance: Decimal) -> ResultMessage:
        result = AccountLow(remaining_credits=balance, threshold=self.threshold)
        key = result_key(ResultKind.ACCOUNT, result.status)
        return ResultMessage("account", key, result.to_json(), f"account/low/{self.draw_id()}", None)
