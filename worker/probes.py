"""Whether what the worker waits for works again: harmless questions to the gateway and the ledger."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from worker.domain.errors import (
    AccountError,
    AccountTrouble,
    LedgerUnavailableError,
    PermanentError,
    WorkerError,
)
from worker.ports import Clock, Command, Gateway, LedgerStore, ProbeAnswer

log = structlog.get_logger(__name__)

_PATIENCE = 3.0  # seconds; a call may take longer, but that the gateway is back must not be learnt late
_EVERY = 5.0  # seconds between two looks at the ledger
_BRIEF = 0.5  # seconds; a look that takes longer says too little of when the store told its time
_CLOSED = "ledger_closed"
_UNTRIED = LedgerUnavailableError("ledger_untried", "the ledger has not been tried yet")


class LedgerWatch:
    """Tries the ledger before the first job, every few seconds, and says when it cannot be used, and why.

    Args:
        ledger: whose `check` is the trial.
        clock: time.
        limit: seconds that a trial may take. A store that is slower than that is none to send by: a claim
            must be written before the time is over that its lease leaves beside the call.
        on_trouble: told whenever the ledger is found unusable.

    Attributes:
        trouble: what is wrong with it; None while it works.
    """

    def __init__(
        self, ledger: LedgerStore, clock: Clock, *, limit: float, on_trouble: Callable[[], None]
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._limit = limit
        self._on_trouble = on_trouble
        self._trial: asyncio.Task[None] | None = None
        self._told: tuple[float, float] | None = None  # the store's time, and when that was by our own clock
        self.trouble: LedgerUnavailableError | None = _UNTRIED

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await self.look()
            await self._clock.sleep(_EVERY)

    async def look(self) -> bool:
        """Try it once; tell whether it can be used."""
        try:
            # A slow one has another try: the first may have had a connection to make.
            if await self._took() > self._limit and await self._took() > self._limit:
                raise _too_slow(self._limit, "is too slow")
        except LedgerUnavailableError as error:
            self.failed(error)
        except TimeoutError:
            self.failed(_too_slow(self._limit, "does not answer"))
        else:
            self._works()
        return self.trouble is None

    def time(self) -> float:
        """The store's time, seconds since the epoch: one for all workers, whatever their machines say."""
        if self._told is None:
            return self._clock.now().timestamp()
        told, at = self._told
        return told + self._clock.elapsed() - at

    async def tried(self) -> None:
        """Try it, and learn its time; LedgerUnavailableError."""
        began = self._clock.elapsed()
        told = await self._ledger.check()
        took = self._clock.elapsed() - began
        if told is not None and (took <= _BRIEF or self._told is None):
            self._told = (told, began + took / 2)  # it was told in between

    def failed(self, error: LedgerUnavailableError) -> None:
        """Learn from whoever used it that it cannot be used. Each reason is said once."""
        if error.code == _CLOSED:
            return
        if self.trouble is None or error.detail != self.trouble.detail:
            log.error("ledger.unavailable", code=error.code, detail=error.detail)
        self.trouble = error
        self._on_trouble()

    def _works(self) -> None:
        if self.trouble not in (None, _UNTRIED):
            log.info("ledger.available")
        self.trouble = None

    async def _took(self) -> float:
        """Try it, and measure. A store that hangs is not asked again and again: its trial goes on."""
        started = self._clock.elapsed()
        if self._trial is None or self._trial.done():
            self._trial = asyncio.create_task(self.tried())
        async with asyncio.timeout(2 * self._limit):
            await asyncio.shield(self._trial)
        return self._clock.elapsed() - started


def _too_slow(limit: float, what: str) -> LedgerUnavailableError:
    remedy = f"a write must take less than {limit:g} s; look at its disk, its load and the way to it"
    return LedgerUnavailableError("ledger_slow", f"the ledger {what}: {remedy}")


@dataclass(frozen=True, slots=True)
class Probes:
    """Asks; none of the questions raises for what the other side does, or takes longer than *patience*."""

    gateway: Gateway
    ledger: LedgerWatch
    patience: float = _PATIENCE

    async def ask(self, command: Command, key: str | None) -> ProbeAnswer:
        """Tell whether *command* works, by asking again about a *key* that was answered before.

        Of sendSMS, and without a key, the account is asked.
        """
        try:
            async with asyncio.timeout(self.patience):
                if command is Command.DND and key is not None:
                    return ProbeAnswer(answered=key in await self.gateway.check_dnd((key,)))
                if command is Command.STATUS and key is not None:
                    await self.gateway.message_status((key,))
                    return ProbeAnswer(answered=True)
                has_credits = await self.gateway.account() > 0
                return ProbeAnswer(answered=True, trouble=None if has_credits else AccountTrouble.CREDITS)
        except AccountError as error:
            return ProbeAnswer(answered=True, trouble=error.trouble)
        except PermanentError:
            return ProbeAnswer(answered=True)  # it is there, and does not like the question
        except (WorkerError, TimeoutError):
            return ProbeAnswer(answered=False)

    async def ledger_works(self) -> bool:
        """Tell whether the ledger can be written."""
        return await self.ledger.look()
