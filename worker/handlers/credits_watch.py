"""A look at the balance every so often, by one worker of a fleet, and a word when it falls low."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import structlog

from schemas import AccountLow, ResultKind, result_key
from worker.domain.errors import WorkerError
from worker.domain.messages import ResultMessage
from worker.handlers.balance_book import BalanceBook
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
        book: has the workers of a fleet look in turns, and tells what was spent; None: each looks for itself.
        low: whether the fall below the threshold was published, and the balance has not risen since.
    """

    lookups: Lookups
    publisher: Publisher
    observer: Observer
    clock: Clock
    threshold: Decimal
    interval: float
    draw_id: Callable[[], str]
    book: BalanceBook | None = None
    low: bool = False
    _word: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Look, for ever. At its start each worker looks: the account may be refused since then."""
        at_once = True
        try:
            while True:
                try:
                    await self._look(at_once=at_once)
                except WorkerError as error:
                    log.debug("balance.unknown", code=error.code)
                at_once = False
                await self.clock.sleep(self.interval)
        finally:
            self._be_silent()

    async def _look(self, *, at_once: bool) -> None:
        """Look, if it is this worker's turn; else show what another one has seen."""
        if self.book is None:
            self.seen(await self.lookups.account())
            return
        turn = await self.book.turn(self.interval, at_once=at_once)
        if turn.waits:
            if turn.known.left is not None:
                self.observer.credits_seen(turn.known.left)
            return
        left = await self.lookups.account()
        if turn.token is not None:
            self.low = turn.known.low
        moved = await self.book.read(turn, left, low=self.low and left < self.threshold)
        if moved is not None:
            self.observer.credits_moved(spent=moved.spent, added=moved.added)
        self.seen(left)

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
            if self.book is not None:
                await self.book.told()
        self._word = None

    def _be_silent(self) -> None:
        if self._word is not None:
            self._word.cancel()
            self._word = None

    def _message(self, balance: Decimal) -> ResultMessage:
        result = AccountLow(remaining_credits=balance, threshold=self.threshold)
        key = result_key(ResultKind.ACCOUNT, result.status)
        return ResultMessage("account", key, result.to_json(), f"account/low/{self.draw_id()}", None)
