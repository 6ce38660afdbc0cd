"""How the gateway stands: which commands work, whether it serves the account, and whose trouble a failure is.

A refusal is the job's own until others are refused too: the account is asked, and where it answers well, or
calls that began later were served, the refusal counts on the job.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from worker.admission.circuit import Circuit, CircuitPolicy, CircuitState
from worker.admission.leave import Leave
from worker.admission.questions import Ask, Questions
from worker.domain.errors import AccountError, AccountTrouble, TransientError, WorkerError
from worker.ports import NOBODY, Clock, Command, ProbeAnswer

_READ = frozenset({Command.DND, Command.STATUS, Command.ACCOUNT})  # may be asked as often as one likes
_FIRST_LOOK = 1.0  # seconds after a closing; then twice as long each time, up to the policy's cooldown


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears of changes; they must not raise.

    Attributes:
        on_circuit: with a command and whether its circuit is closed.
        on_account: with the trouble that stops every call, None when it is over.
    """

    on_circuit: Callable[[Command, bool], None] = lambda _command, _closed: None
    on_account: Callable[[AccountTrouble | None], None] = lambda _: None


class Standing:
    """Learns from the ends of calls, asks where they leave a doubt, and looks when what is closed may open.

    Args:
        policy: of the circuits.
        clock: time.
        ask: the gateway whether a command works, with a key that was answered before where there is one; of
            sendSMS, which must not be tried, the account. Ends soon, whatever the gateway does.
        listeners: for log and metrics.
        on_closed: somebody in line may have to go back; told which command is away, None: all are.
        on_open: somebody in line may go.
        on_restored: an outage is over: begin with few calls.
        serves: whether calls, of any command, are answered just now.

    Attributes:
        trouble: for which no call is served; None while there is none.
    """

    def __init__(  # noqa: PLR0913 - what it tells whom
        self,
        policy: CircuitPolicy,
        clock: Clock,
        ask: Ask,
        *,
        listeners: Listeners,
        on_closed: Callable[[Command | None], None],
        on_open: Callable[[], None],
        on_restored: Callable[[], None],
        serves: Callable[[], bool],
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._questions = Questions(ask, clock)
        self._tell = listeners
        self._on_closed = on_closed
        self._on_open = on_open
        self._on_restored = on_restored
        self._serves = serves
        self._circuits = {command: Circuit(policy) for command in Command}
        self._served_began = dict.fromkeys(Command, -1.0)
        self._account_answers = False
        self._watch: asyncio.Task[None] | None = None
        self._pause = _FIRST_LOOK
        self.trouble: AccountTrouble | None = None

    def is_closed(self, command: Command) -> bool:
        """Tell whether calls of *command* are served, as far as anybody knows."""
        return self._circuits[command].state is CircuitState.CLOSED and self.trouble is None

    def is_away(self, command: Command) -> bool:
        """Tell whether no call of *command* can be served, and none is needed to find out."""
        return self.trouble is not None or self._circuits[command].state is CircuitState.OPEN

    def passes(self, command: Command) -> bool:
        """Tell whether a call may go out now; on trial, one at a time."""
        circuit = self._circuits[command]
        return circuit.state is CircuitState.CLOSED or circuit.passes(now=self._clock.elapsed())

    def tries(self, command: Command) -> bool:
        """Tell whether a trial may go out now."""
        circuit = self._circuits[command]
        on_trial = circuit.state is CircuitState.TRIAL and self.trouble is None
        return on_trial and circuit.passes(now=self._clock.elapsed())

    def turned_away(self, leave: Leave) -> bool:
        """The gateway had no room for a call; tell whether that says how many it takes."""
        return self._circuits[leave.command].turned_away(leave.about)

    def begins(self, leave: Leave) -> None:
        """A call is about to go out."""
        leave.began = self._clock.elapsed()
        circuit = self._circuits[leave.command]
        if circuit.state is CircuitState.TRIAL:
            leave.on_trial = True
            circuit.begin_trial(now=leave.began)
            self._look_out()

    def trial_ends(self, command: Command) -> None:
        """A trial is over, however."""
        self._circuits[command].trials -= 1

    def unused(self, leave: Leave) -> None:
        """No call was made, or nobody knows how it ended."""
        if leave.on_trial:
            self._circuits[leave.command].unused(now=self._clock.elapsed())
            self._on_open()

    def served(self, leave: Leave) -> None:
        """The gateway answered a call."""
        command = leave.command
        circuit = self._circuits[command]
        was = circuit.state
        circuit.served(leave.about)
        self._served_began[command] = max(self._served_began[command], leave.began)
        if command is Command.ACCOUNT:
            self._account_answers = True
        if was is not CircuitState.CLOSED:
            self._on_restored()
            self._tell.on_circuit(command, True)  # noqa: FBT003 - as the listener is declared
            self._on_open()

    async def failed(self, leave: Leave, error: WorkerError) -> None:
        """The gateway did not serve a call; where that is no job's own trouble, *error* does not count."""
        if self._served_began[leave.command] > leave.began:
            return  # one that went out later was served: this says nothing of the gateway
        circuit = self._circuits[leave.command]
        retry_after = error.retry_after if isinstance(error, TransientError) else None
        # Silence is about nobody: if it were a text's, all jobs that have it would be called, and lost.
        about = leave.about if isinstance(error, TransientError) else NOBODY
        enough = circuit.failed(about, now=self._clock.elapsed(), retry_after=retry_after)
        if leave.on_trial and circuit.state is not CircuitState.CLOSED:
            error.counts = False
            # One that hung since before says nothing of what the gateway has answered meanwhile.
            if leave.began >= circuit.tried_since:
                self._open(leave.command)
        elif enough and circuit.state is CircuitState.CLOSED:
            await self._doubt(leave.command, error)

    async def silent(self, command: Command, still: Callable[[], bool]) -> None:
        """Calls are out and none is answered: find out whether that is an outage, or one that is over.

        Args:
            command: that was called.
            still: whether nothing has been answered meanwhile.
        """
        answer = await self._asked(Command.ACCOUNT, self._clock.elapsed())
        circuit = self._circuits[command]
        if circuit.state is not CircuitState.CLOSED or not still():
            return
        self._open(command, answers=answer.answered)

    async def _doubt(self, command: Command, error: WorkerError) -> None:
        """Find out whether failures in a row are an outage or a job's own."""
        circuit, now = self._circuits[command], self._clock.elapsed()
        reads = command in _READ
        answer = ProbeAnswer(answered=False)
        if circuit.good is not None or not reads:
            answer = await self._asked(command if reads else Command.ACCOUNT, now)
        if circuit.state is not CircuitState.CLOSED:
            error.counts = False
        elif circuit.fails:
            if answer.answered and not answer.trouble and (reads or circuit.is_ones_own):
                circuit.forgive()
                return
            error.counts = False
            if answer.trouble is AccountTrouble.CREDENTIALS:
                self._close(answer.trouble)
            else:
                self._open(command)

    async def refused(self, leave: Leave, error: AccountError) -> None:
        """The gateway refuses the account, or says so of one job; *error* counts where it is one job's."""
        command, now = leave.command, self._clock.elapsed()
        if command is Command.ACCOUNT:
            error.counts = False
            self._close(error.trouble)
            return
        answer = await self._asked(Command.ACCOUNT, now)
        trouble = answer.trouble
        if trouble is AccountTrouble.CREDITS and error.trouble is not trouble:
            trouble = None  # it answers, and has another trouble than this call met
        others_served = self._served_began[command] > now
        if others_served or (answer.answered and trouble is None):
            if leave.on_trial:
                self.served(leave)  # the gateway is there, and does not like this one
            return
        error.counts = False
        if trouble is not None:
            self._close(trouble)
        if trouble is None or leave.on_trial:
            self._open(command)

    def _close(self, trouble: AccountTrouble) -> None:
        """Stop every call until the account works."""
        if trouble is not self.trouble:
            self.trouble = trouble
            self._begin_looking()
            self._tell.on_account(trouble)
        self._on_closed(None)
        self._look_out()

    def _open(self, command: Command, *, answers: bool = False) -> None:
        """Stop a command's calls until the gateway *answers* again; then one call tries."""
        circuit, now = self._circuits[command], self._clock.elapsed()
        was = circuit.state
        circuit.open(now=now)
        if answers:
            circuit.answers(now=now)
        if was is CircuitState.CLOSED:
            self._begin_looking()
            self._tell.on_circuit(command, False)  # noqa: FBT003 - as the listener is declared
        self._on_closed(command)
        self._on_open()
        self._look_out()

    def _begin_looking(self) -> None:
        self._pause = min(_FIRST_LOOK, self._policy.cooldown)

    def _look_out(self) -> None:
        if self._watch is None:
            self._watch = asyncio.create_task(self._until_closed())

    async def _until_closed(self) -> None:
        took = 0.0
        while (away := self._is_any_away()) or self._tries():
            # A trial that fails is no reason to try sooner again: the pauses go on growing.
            await self._clock.sleep(max(self._pause - took, _FIRST_LOOK / 4) if away else _FIRST_LOOK)
            began = self._clock.elapsed()
            if away and self._is_any_away():
                self._pause = min(2 * self._pause, self._policy.cooldown)
                answer = await self._asked(Command.ACCOUNT, began)
                self._learn(answer)
                if not answer.answered and self.trouble is None and self._serves():
                    # The gateway is there. It may have had no room for the question beside our own calls, and
                    # never have any while there are so many of these: what only reads may try.
                    for command in _READ:
                        self._circuits[command].answers(now=began)
            # A trial that hangs must not keep the next one from going out.
            self._on_open()
            took = self._clock.elapsed() - began
        self._watch = None

    def _is_any_away(self) -> bool:
        return self.trouble is not None or self._any(CircuitState.OPEN)

    def _any(self, state: CircuitState) -> bool:
        return any(circuit.state is state for circuit in self._circuits.values())

    def _tries(self) -> bool:
        return any(circuit.trials for circuit in self._circuits.values())

    def _learn(self, answer: ProbeAnswer) -> None:
        """Open what the account's *answer* shows to be over."""
        self._account_answers |= answer.answered
        if not answer.answered:
            if self._account_answers:
                return
        elif answer.trouble is AccountTrouble.CREDENTIALS:
            self._close(answer.trouble)
        elif self.trouble and (answer.trouble is None or self.trouble is AccountTrouble.CREDENTIALS):
            self.trouble = None
            self._on_restored()
            self._tell.on_account(None)
        now = self._clock.elapsed()
        for command, circuit in self._circuits.items():
            circuit.answers(now=now, blind=not answer.answered)
            if answer.answered and command is Command.ACCOUNT and circuit.state is CircuitState.TRIAL:
                # It is the question itself.
                circuit.served(NOBODY)
                self._tell.on_circuit(command, True)  # noqa: FBT003 - as the listener is declared

    async def _asked(self, command: Command, since: float) -> ProbeAnswer:
        return await self._questions.answer(command, since, self._circuits[command].good)

    def close(self) -> None:
        """Stop all questions."""
        if self._watch is not None:
            self._watch.cancel()
        self._questions.close()
