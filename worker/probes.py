"""Whether what the worker waits for works again: the questions behind breakers and pauses."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from worker.domain.errors import AccountError, PermanentError, WorkerError
from worker.ports import Gateway, Ledger

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Probes:
    """Harmless questions to the gateway and the ledger; none of them raises."""

    gateway: Gateway
    ledger: Ledger

    async def gateway_answers(self, on_account: Callable[[AccountError], None]) -> bool:
        """Tell whether the gateway is there at all; *on_account* hears that it refuses the account."""
        try:
            await self.gateway.account()
        except AccountError as error:
            on_account(error)
        except PermanentError:
            pass  # it is there, and does not like the question
        except WorkerError:
            return False
        return True

    async def account_works(self) -> bool:
        """Tell whether the gateway takes the account and it has credits."""
        try:
            return await self.gateway.account() > 0
        except WorkerError:
            return False

    async def ledger_works(self) -> bool:
        """Tell whether the ledger can be written."""
        try:
            await self.ledger.check()
        except WorkerError as error:
            log.debug("ledger.unavailable", code=error.code, detail=error.detail)
            return False
        return True
