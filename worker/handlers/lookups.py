"""Questions to the gateway that only read: they may be asked again until they are answered."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

import structlog

from schemas import FailureCode
from worker.domain.errors import PermanentError
from worker.domain.plan import batches
from worker.handlers import parallel
from worker.ports import CallGate, Command, Gateway, MessageReport, Retry

log = structlog.get_logger(__name__)

_DND_BATCH = 100  # the document names no limit for check_DNDnumber; the others' is 100
_AT_ONCE = 8  # calls of one job in flight, so that a large job does not take all slots

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lookups:
    """Asks through the gate, with retries.

    Attributes:
        retry: of each command.
    """

    gateway: Gateway
    gate: CallGate
    retry: Mapping[Command, Retry]

    async def dnd(self, recipients: Sequence[str], *, urgent: bool) -> dict[str, bool]:
        """Tell of each number whether it is on the DND list; those the gateway leaves out are missing."""

        async def ask(batch: tuple[str, ...]) -> Mapping[str, bool]:
            try:
                return await self._asked(Command.DND, lambda: self.gateway.check_dnd(batch), urgent=urgent)
            except PermanentError as error:
                log.warning("dnd.refused", code=error.code, detail=error.detail, numbers=len(batch))
                if error.code != FailureCode.NUMBER_REFUSED or len(batch) == 1:
                    return {}  # said nothing about: not sent to
                halves = batches(batch, -(-len(batch) // 2))  # one bad number must not fail the others
                first, second = [await ask(half) for half in halves]
                return {**first, **second}

        answers = await parallel.each(ask, batches(recipients, _DND_BATCH), limit=_AT_ONCE)
        return {number: listed for answer in answers for number, listed in answer.items()}

    async def status(self, message_ids: Sequence[str]) -> dict[str, MessageReport]:
        """Report on *message_ids*; unknown ones are missing."""

        async def ask(batch: tuple[str, ...]) -> Mapping[str, MessageReport]:
            return await self._asked(Command.STATUS, lambda: self.gateway.message_status(batch), urgent=False)

        answers = await parallel.each(ask, self.gateway.pack_ids(message_ids), limit=_AT_ONCE)
        return {name: report for answer in answers for name, report in answer.items()}

    async def account(self) -> Decimal:
        """Return the remaining credits."""
        return await self._asked(Command.ACCOUNT, self.gateway.account, urgent=False)

    async def _asked(self, command: Command, call: Callable[[], Awaitable[T]], *, urgent: bool) -> T:
        async def attempt() -> T:
            async with self.gate.admit(command, urgent=urgent):
                return await call()

        return await self.retry[command](attempt)
