"""The one door to the gateway: every call of every job passes it, and its end tells how the gateway is."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

from worker.admission.circuit import CircuitPolicy
from worker.admission.leave import Bounds, Leave, Room
from worker.admission.line import Line
from worker.admission.pause import Pause
from worker.admission.questions import Ask
from worker.admission.standing import Listeners, Standing
from worker.domain.errors import (
    AccountError,
    GatewayAwayError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
)
from worker.ports import NOBODY, Clock, Command, Subject

_RECORDED = frozenset({Command.SEND, Command.API, None})  # what jobs end in whose steps the ledger holds
_LOOK = 1.0  # seconds between two looks, while somebody waits


class Admission:
    """Decides when a call may be made; the `CallGate` port.

    Nobody waits here for the end of an outage: jobs go back to their queues.

    Args:
        bounds: on calls.
        policy: of the circuits.
        clock: time.
        ask: whether a command works; see `Standing`.
        ledger: the pause while the ledger cannot be written.
        listeners: for log and metrics.
    """

    def __init__(
        self,
        bounds: Bounds,
        policy: CircuitPolicy,
        clock: Clock,
        *,
        ask: Ask,
        ledger: Pause,
        listeners: Listeners | None = None,
    ) -> None:
        self._room = Room(bounds)
        self._limit = bounds.limit
        self._limiter = bounds.limiter if bounds.limiter.limits else None
        self._clock = clock
        self._ledger = ledger
        self._standing = Standing(
            policy,
            clock,
            ask,
            listeners=listeners or Listeners(),
            on_closed=self._closed,
            on_open=self._let_in,
            on_restored=self._room.begin_anew,
            serves=self._serves,
        )
        self._line: Line[Leave] = Line()
        self._flying = dict.fromkeys(Command, 0)
        self._heard = dict.fromkeys(Command, 0.0)  # when a call was answered, or the first under way began
        self._stopped = False
        self._look: asyncio.Task[None] | None = None

    @property
    def in_flight(self) -> int:
        """How many calls have leave."""
        return self._room.in_flight

    @property
    def limit(self) -> int:
        """How many calls may be in flight."""
        return self._limit.value

    @property
    def waiting(self) -> int:
        """How many wait for leave."""
        return self._line.length

    @property
    def paused_for(self) -> tuple[str, ...]:
        """The causes for which sends stand still and somebody must act; empty while there are none."""
        trouble, ledger = self._standing.trouble, self._ledger.cause
        return (*((trouble.value,) if trouble else ()), *((ledger,) if ledger else ()))

    @property
    def calls(self) -> int:
        """How many calls the gateway takes at once just now; under a rate limit that is not what matters."""
        return 0 if self._limiter else self.in_flight

    def passes(self, command: Command) -> bool:
        """Tell whether nothing but other calls stands in the way of a call."""
        return self._standing.is_closed(command) and not self._stopped

    def stands(self, command: Command | None) -> bool:
        """Tell whether jobs that end in a call of *command* (None: in none) had better stay queued."""
        without_ledger = command in _RECORDED and self._ledger.cause is not None
        return without_ledger or (command is not None and self._standing.is_away(command))

    def has_room(self, *, urgent: bool) -> bool:
        """Tell whether one more call would start at once and keep no other from starting."""
        return not self._limiter and not self._line.length and self._room.fits(urgent=urgent)

    def admit(
        self, command: Command, *, urgent: bool, about: Subject = NOBODY, patient: bool = False
    ) -> Leave:
        """Return leave to make one call inside the block; see the port."""
        return Leave(self, command, about, urgent=urgent, patient=patient)

    def take(self, leave: Leave) -> bool:
        """Grant *leave* if nothing stands in the way, as nearly always; tell whether it is granted."""
        command, standing = leave.command, self._standing
        if self._line.length or self._stopped:
            return False
        if self._room.fits(urgent=leave.urgent):
            goes = standing.is_closed(command) or standing.tries(command)
        else:
            goes = standing.tries(command) and not self._serves()
        if not goes or (self._limiter and not self._limiter.take()):
            return False
        self._grant(leave)
        return True

    async def enter(self, leave: Leave) -> None:
        """Grant *leave* when it is its turn.

        Raises:
            GatewayAwayError: the gateway is away, or the worker stops; the job goes back.
        """
        if away := self._away(leave):
            raise away
        self._line.enter(leave)
        self._let_in()
        if leave.granted:
            return
        leave.turn = asyncio.get_running_loop().create_future()
        if self._look is None:
            self._look = asyncio.create_task(self._while_somebody_waits())
        try:
            await leave.turn
        except BaseException:
            self._line.leave(leave)
            if leave.granted:
                if self._limiter:
                    self._limiter.give_back()
                self._give_back(leave)
                self._standing.unused(leave)
            raise

    def left(self, leave: Leave, error: BaseException | None) -> Coroutine[Any, Any, None] | None:
        """Take *leave* back and learn from how its call ended.

        Returns:
            What marks an *error* that is not the job's own, where that must be found out first.
        """
        if not isinstance(error, OutcomeUncertainError | asyncio.CancelledError):
            self._heard[leave.command] = self._clock.elapsed()
        if leave.made if error is None else isinstance(error, PermanentError):
            self._standing.served(leave)
            self._give_back(leave, served=True)
            return None
        # Before its leave is another's: who took it at the old limit would be one too many again.
        one_too_many = self._is_one_too_many(leave, error)
        self._give_back(leave)
        if isinstance(error, AccountError):
            return self._judged(leave, self._standing.refused(leave, error))
        if not isinstance(error, TransientError | OutcomeUncertainError):
            self._standing.unused(leave)
        elif not one_too_many:
            return self._judged(leave, self._standing.failed(leave, error))
        return None

    async def _judged(self, leave: Leave, judging: Coroutine[Any, Any, None]) -> None:
        try:
            await judging
        except asyncio.CancelledError:
            self._standing.unused(leave)  # nobody waits for the answer any more; the next in line tries
            raise

    def answered(self, command: str, outcome: str, seconds: float) -> None:
        """Learn from each call how long the gateway took."""
        if outcome == "ok":
            full = self._line.length > 0 or self._room.counted >= self._limit.value
            self._limit.served(command, seconds, full=full)
            if self._line.length:
                self._let_in()

    def ledger_failed(self) -> None:
        """Say that sends stand still until the ledger can be written."""
        self._ledger.begin("ledger")

    def stop(self) -> None:
        """Let nobody in any more: who waits goes back, who is in finishes."""
        self._stopped = True
        self._send_back()

    def close(self) -> None:
        """Stop all questions."""
        if self._look is not None:
            self._look.cancel()
        self._standing.close()
        self._ledger.close()
        if self._limiter:
            self._limiter.close()

    def _away(self, leave: Leave) -> GatewayAwayError | None:
        """Return why *leave* cannot be granted before somebody or something changes."""
        if self._stopped:
            return GatewayAwayError("worker_stopping", "the worker stops and gives the job back")
        if self._standing.is_away(leave.command):
            alone = leave.command is Command.DND and not self._standing.is_away(Command.SEND)
            words = "the gateway is away, and the job waits for it in a queue"
            return GatewayAwayError("gateway_away", words, lookups_alone=alone)
        return None

    def _closed(self, command: Command | None) -> None:
        """No call of *command* (None: of any) is served just now; one that hangs is in nobody's way."""
        if command is not None:
            self._room.write_off(command)
        self._send_back()

    def _send_back(self) -> None:
        """Let those go back to their queues who would wait for the end of an outage, or of the process."""
        for leave in self._line:
            away = self._away(leave)
            if away and leave.turn and not leave.turn.done():
                self._line.leave(leave)
                leave.turn.set_exception(away)

    def _let_in(self) -> None:
        """Grant leave to as many as may go."""
        while self._line.length and (leave := self._next()):
            if self._limiter and not self._limiter.take():
                self._limiter.when_there_is_one(self._let_in)
                return
            self._line.leave(leave)
            self._grant(leave)

    def _next(self) -> Leave | None:
        """Return who goes next.

        A trial needs no room: what hung in the outage may have all of it. But where others are served, these
        have it, and the gateway would have none for the trial.
        """
        leave = self._line.first(self._standing.passes)
        if leave and not self._room.fits(urgent=leave.urgent):
            return None if self._serves() else self._line.first(self._standing.tries)
        return leave

    def _serves(self) -> bool:
        """Tell whether calls of any command are answered just now."""
        return any(self._limit.serves(command.value) for command in Command)

    def _grant(self, leave: Leave) -> None:
        self._room.enter(leave)
        self._standing.begins(leave)
        self._flying[leave.command] += 1
        if self._flying[leave.command] == 1:
            self._heard[leave.command] = leave.began
        if leave.turn and not leave.turn.done():
            leave.turn.set_result(None)

    def _give_back(self, leave: Leave, *, served: bool = False) -> None:
        self._room.leave(leave, served=served)
        self._flying[leave.command] -= 1
        if leave.on_trial:
            self._standing.trial_ends(leave.command)
        if self._line.length:
            self._let_in()

    async def _while_somebody_waits(self) -> None:
        """Have those who wait not wait for the time limits of calls that a gateway has forgotten."""
        while self._line.length:
            await self._clock.sleep(_LOOK)
            for command in Command:
                if self._is_silent(command):
                    await self._standing.silent(command, partial(self._is_silent, command))
        self._look = None

    def _is_silent(self, command: Command) -> bool:
        """Tell whether calls are under way, and none has ended for too long."""
        patience = self.patience(command)
        return self._flying[command] > 0 and self._clock.elapsed() - self._heard[command] > patience

    def patience(self, command: Command) -> float:
        """Return the seconds after which an answer is late, whatever the gateway is like."""
        return self._limit.patience(command.value)

    def _is_one_too_many(self, leave: Leave, error: BaseException | None) -> bool:
        """Tell whether the gateway had no room for it, with others being served; then there are fewer."""
        if leave.on_trial or not isinstance(error, TransientError):
            return False
        serves = self._limit.serves(leave.command.value)
        return serves and self._standing.turned_away(leave) and self._limit.refused()
