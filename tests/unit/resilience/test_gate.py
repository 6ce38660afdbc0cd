"""The one door to the gateway."""

import asyncio

import pytest

from tests.support.fakes import FakeClock, settled
from worker.domain.errors import (
    AccountError,
    AccountTrouble,
    HeldTooLongError,
    LedgerUnavailableError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.ports import Command
from worker.resilience.call_limit import CallLimit
from worker.resilience.call_slots import CallSlots
from worker.resilience.circuit_breaker import BreakerPolicy, CircuitBreaker, CircuitState
from worker.resilience.gate import Gate
from worker.resilience.pause import Pause
from worker.resilience.rate_limiter import RateLimiter

AWAY = TransientError("gateway_unreachable", "refused")
REFUSED = AccountError("credentials_refused", "wrong", trouble=AccountTrouble.CREDENTIALS)


class Door:
    """A gate and what it was built from."""

    def __init__(self, *, slots: int = 4, rate: float = 0, hold_limit: float = 600.0) -> None:
        self.clock = FakeClock()
        self.works = False
        policy = BreakerPolicy(failures=3, cooldown=5.0)
        self.breakers = {command: CircuitBreaker(policy, self.clock) for command in Command}
        self.gate = Gate(
            breakers=self.breakers,
            account=Pause(self.answer, self.clock),
            ledger=Pause(self.answer, self.clock, interval=2.0),
            slots=CallSlots(slots, 1, CallLimit(1, slots, self.clock)),
            limiter=RateLimiter(rate, self.clock),
            hold_limit=hold_limit,
        )

    async def answer(self) -> bool:
        """Say whether things work."""
        return self.works

    async def call(self, command: Command = Command.SEND, error: WorkerError | None = None) -> None:
        """Make a call that ends with *error*."""
        async with self.gate.admit(command, urgent=False):
            if error:
                raise error

    async def fail(self, error: WorkerError, command: Command = Command.SEND) -> None:
        """Make a call and swallow its error."""
        with pytest.raises(type(error)):
            await self.call(command, error)


class TestPauses:
    """What stops everybody."""

    async def test_an_account_error_stops_every_command_until_the_probe_says_so(self) -> None:
        """Five seconds apart."""
        door = Door()
        await door.fail(REFUSED)
        assert ("credentials",) == door.gate.paused_for
        calls = [asyncio.ensure_future(door.call(command)) for command in Command]
        await door.clock.advance(11)
        assert not any(call.done() for call in calls)
        door.works = True
        await door.clock.advance(5)
        assert all(call.done() for call in calls)
        assert not door.gate.paused_for

    async def test_the_ledgers_pause_holds_the_intake_only(self) -> None:
        """Calls that have their claim go on."""
        door = Door()
        door.gate.ledger_failed()
        clear = asyncio.ensure_future(door.gate.clear())
        await door.call()
        assert not clear.done()
        door.works = True
        await door.clock.advance(2)
        assert clear.done()

    async def test_a_probe_that_crashes_is_asked_again(self) -> None:
        """A pause without an end would be a dead worker."""
        clock = FakeClock()
        answers: list[bool | Exception] = [RuntimeError("x"), False, True]

        async def probe() -> bool:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        causes: list[str | None] = []
        pause = Pause(probe, clock, on_change=causes.append)
        pause.begin("credits")
        pause.begin("credits")
        pause.begin("credentials")
        await clock.run(pause.over())
        assert ["credits", "credentials", None] == causes
        assert 3 == len(clock.slept)


class TestHold:
    """How long a job waits here."""

    async def test_beyond_the_limit_the_job_goes_back(self) -> None:
        """At the door and before it."""
        door = Door(hold_limit=0.02)
        door.gate.ledger_failed()
        with pytest.raises(HeldTooLongError):
            await door.gate.clear()
        await door.fail(REFUSED)
        with pytest.raises(HeldTooLongError):
            await door.call()
        door.gate.close()
        await settled()


class TestLessons:
    """What the end of a call says of the gateway."""

    async def test_failures_open_the_circuit_of_their_command(self) -> None:
        """And of no other."""
        door = Door()
        for error in (AWAY, OutcomeUncertainError("reply_lost", "x"), AWAY):
            await door.fail(error)
        assert CircuitState.OPEN is door.breakers[Command.SEND].state
        assert CircuitState.CLOSED is door.breakers[Command.DND].state

    async def test_refusals_areanswers(self) -> None:
        """They start the count anew."""
        door = Door()
        for error in (AWAY, AWAY, PermanentError("text_refused", "x"), AWAY, AWAY):
            await door.fail(error)
        assert CircuitState.CLOSED is door.breakers[Command.SEND].state

    async def test_our_own_errors_say_nothing(self) -> None:
        """Neither does a call that was not made."""
        door = Door()
        await door.fail(AWAY)
        await door.fail(AWAY)
        await door.fail(LedgerUnavailableError("ledger_away", "x"))
        async with door.gate.admit(Command.SEND, urgent=False) as permit:
            permit.unused()
        await door.fail(AWAY)
        assert CircuitState.OPEN is door.breakers[Command.SEND].state

    async def test_a_failed_trial_is_marked(self) -> None:
        """It says that the outage is not over, and nothing of the job."""
        door = Door()
        for _ in range(3):
            await door.fail(fresh := TransientError("gateway_unreachable", "x"))
            assert not fresh.on_trial
        trial = TransientError("gateway_unreachable", "x")
        await door.clock.run(door.fail(trial))
        assert trial.on_trial

    async def test_a_crash_of_the_caller_frees_the_trial(self) -> None:
        """The next one tries."""
        door = Door()
        for _ in range(3):
            await door.fail(AWAY)

        async def crash() -> None:
            async with door.gate.admit(Command.SEND, urgent=False):
                raise RuntimeError

        crashing = asyncio.ensure_future(crash())
        await door.clock.run(crashing)
        assert isinstance(crashing.exception(), RuntimeError)
        await door.call()
        assert CircuitState.CLOSED is door.breakers[Command.SEND].state


class TestRoom:
    """A gateway that serves some calls and turns others away."""

    async def test_one_too_many_is_not_an_outage(self) -> None:
        """While others are served the circuit stays closed, and the failure says nothing about the job."""
        door = Door(slots=9)
        door.gate.answered("sendSMS", "ok", 0.1)
        errors = [TransientError("gateway_busy", "429", retry_after=30) for _ in range(5)]
        for error in errors:
            await door.fail(error)
        assert CircuitState.CLOSED is door.breakers[Command.SEND].state
        assert {True} == {error.on_trial for error in errors}
        await asyncio.wait_for(door.call(), 1)

    async def test_without_one_that_is_served_it_is(self) -> None:
        """Also where another command is."""
        door = Door(slots=9)
        door.gate.answered("check_DNDnumber", "ok", 0.1)
        for _ in range(3):
            await door.fail(AWAY)
        assert CircuitState.OPEN is door.breakers[Command.SEND].state

    def test_an_outage_ends_with_few_calls(self) -> None:
        """A gateway that comes back is not met by everything that waited."""
        limit = CallLimit(1, 9, FakeClock())
        for _ in range(20):
            limit.served("sendSMS", 0.1, full=True)
        slots = CallSlots(9, 1, limit)
        assert 9 == slots.limit
        slots.restart()
        assert 8 == slots.limit

    async def test_there_is_room_while_nobody_would_wait(self) -> None:
        """Not in the slots that are kept for urgent calls."""
        door = Door(slots=3)
        assert door.gate.has_room(urgent=False)
        async with door.gate.admit(Command.SEND, urgent=False):
            assert door.gate.has_room(urgent=False)
            async with door.gate.admit(Command.SEND, urgent=False):
                assert not door.gate.has_room(urgent=False)
                assert door.gate.has_room(urgent=True)

    async def test_under_a_rate_limit_every_call_takes_something(self) -> None:
        """So there is never room to spare, and calls that wait for their turn are not under way."""
        door = Door(rate=30)
        assert not door.gate.has_room(urgent=True)
        async with door.gate.admit(Command.SEND, urgent=False):
            assert 0 == door.gate.calls
        door = Door()
        async with door.gate.admit(Command.SEND, urgent=False):
            assert 1 == door.gate.calls


class TestUrgent:
    """One-time passwords behind a campaign."""

    async def test_it_gets_the_next_call_of_a_rate_limit(self) -> None:
        """Of a hundred that wait it is the first, a tenth of a second later."""
        clock = FakeClock()
        door = Door(slots=50)
        gate = Gate(
            breakers={command: CircuitBreaker(BreakerPolicy(), clock) for command in Command},
            account=Pause(door.answer, clock),
            ledger=Pause(door.answer, clock),
            slots=CallSlots(50, 5, CallLimit(1, 50, clock)),
            limiter=RateLimiter(10, clock),
            hold_limit=600,
        )
        made: list[bool] = []

        async def call(*, urgent: bool) -> None:
            async with gate.admit(Command.SEND, urgent=urgent):
                made.append(urgent)
                await clock.sleep(1)

        tasks = [asyncio.ensure_future(call(urgent=False)) for _ in range(100)]
        await clock.advance(3)
        before = len(made)
        tasks.append(asyncio.ensure_future(call(urgent=True)))
        await clock.advance(0.11)
        assert True in made[before : before + 1]
        for task in tasks:
            task.cancel()
        gate.close()


class TestSlots:
    """Calls in flight."""

    async def test_bulk_never_takes_the_reserved_ones(self) -> None:
        """Urgent calls may take any."""
        slots = CallSlots(3, 1)
        inside: list[bool] = []
        go = asyncio.Event()

        async def hold(*, urgent: bool) -> None:
            async with slots.one(urgent=urgent):
                inside.append(urgent)
                await go.wait()

        tasks = [asyncio.ensure_future(hold(urgent=False)) for _ in range(5)]
        await settled()
        assert [False, False] == inside
        tasks.append(asyncio.ensure_future(hold(urgent=True)))
        await settled()
        assert [False, False, True] == inside
        assert 3 == slots.in_use
        go.set()
        await asyncio.gather(*tasks)
        assert 0 == slots.in_use

    async def test_who_waited_for_a_slot_looks_again(self) -> None:
        """The account was refused meanwhile: no call goes out."""
        door = Door(slots=2)
        go = asyncio.Event()

        async def refused() -> None:
            async with door.gate.admit(Command.SEND, urgent=False):
                await go.wait()
                raise REFUSED

        first = asyncio.ensure_future(refused())
        await settled()
        second = asyncio.ensure_future(door.call())
        await settled()
        go.set()
        await settled()
        assert isinstance(first.exception(), AccountError)
        assert not second.done()
        door.works = True
        await door.clock.advance(5)
        assert second.done()


class TestStop:
    """A worker that stops starts nothing new."""

    async def test_nobody_is_let_in_any_more(self) -> None:
        """The job goes back at once."""
        door = Door()
        door.gate.stop()
        with pytest.raises(HeldTooLongError, match="worker_stopping"):
            await door.call()
        with pytest.raises(HeldTooLongError, match="worker_stopping"):
            await door.gate.clear()

    async def test_who_waits_for_a_slot_goes_back(self) -> None:
        """And who is in finishes."""
        door = Door(slots=2)
        async with door.gate.admit(Command.SEND, urgent=False):
            waiting = asyncio.ensure_future(door.call())
            await settled()
            door.gate.stop()
            with pytest.raises(HeldTooLongError, match="worker_stopping"):
                await waiting
        assert CircuitState.CLOSED is door.breakers[Command.SEND].state

    async def test_who_waits_for_the_account_goes_back(self) -> None:
        """As from any other wait."""
        door = Door()
        await door.fail(REFUSED)
        waiting = [asyncio.ensure_future(door.call()), asyncio.ensure_future(door.gate.clear())]
        await settled()
        door.gate.stop()
        errors = await asyncio.gather(*waiting, return_exceptions=True)
        assert [HeldTooLongError, HeldTooLongError] == [type(error) for error in errors]

    async def test_a_cancelled_caller_is_cancelled(self) -> None:
        """A stop does not turn it into something else."""
        door = Door(slots=2)
        async with door.gate.admit(Command.SEND, urgent=False):
            waiting = asyncio.ensure_future(door.call())
            await settled()
            waiting.cancel()
            door.gate.stop()
            with pytest.raises(asyncio.CancelledError):
                await waiting
