"""The one door to the gateway."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.deadline import DEADLINE
from tests.support.fakes import FakeClock, settled
from worker.admission.admission import Admission
from worker.admission.call_limit import CallLimit
from worker.admission.circuit import CircuitPolicy
from worker.admission.leave import Bounds, Leave
from worker.admission.pause import Pause
from worker.admission.rate_limiter import RateLimiter
from worker.admission.standing import Listeners
from worker.domain.errors import (
    AccountError,
    AccountTrouble,
    GatewayAwayError,
    LedgerUnavailableError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.ports import Command, ProbeAnswer, Subject

WELL = ProbeAnswer(answered=True)
SILENT = ProbeAnswer(answered=False)
NO_CREDITS = ProbeAnswer(answered=True, trouble=AccountTrouble.CREDITS)
WRONG_PASSWORD = ProbeAnswer(answered=True, trouble=AccountTrouble.CREDENTIALS)


def away(retry_after: float | None = None) -> TransientError:
    """A gateway that cannot be reached, or is busy."""
    return TransientError("gateway_unreachable", "refused", retry_after=retry_after)


def refused(trouble: AccountTrouble = AccountTrouble.CREDENTIALS) -> AccountError:
    """Words of a refused account."""
    return AccountError("credentials_refused", "wrong", trouble=trouble)


def job(number: int = 0, *, sender: str = "SHOP", text: str | None = None) -> Subject:
    """What a send is about."""
    return Subject((("sender", sender), text or f"text {number}"), (f"91987654{number:04}",))


@dataclass
class Door:
    """An admission and what it was built from.

    Attributes:
        answer: what the gateway says to a probe.
        asked: the probes.
        takes: seconds that the gateway takes to answer one.
    """

    slots: int = 9
    rate: float = 0
    answer: ProbeAnswer = WELL
    takes: float = 0.0
    asked: list[tuple[Command, str | None]] = field(default_factory=list)
    told: list[object] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        limit = CallLimit(1, self.slots, self.clock, first=self.slots)
        self.ledger_works = False
        self.admission = Admission(
            Bounds(limit, RateLimiter(self.rate, self.clock), self.slots, 1),
            CircuitPolicy(failures=3, cooldown=5.0),
            self.clock,
            ask=self.ask,
            ledger=Pause(self.ledger_answers, self.clock, interval=2.0),
            listeners=Listeners(
                lambda command, closed: self.told.append((command.value, closed)), self.told.append
            ),
        )

    @property
    def out(self) -> tuple[int, int, int]:
        """Calls that have leave; those of them that are counted, and the bulk ones of these."""
        room = self.admission._room
        return room.in_flight, room.counted, room.bulk

    async def ask(self, command: Command, key: str | None) -> ProbeAnswer:
        """Answer a probe."""
        self.asked.append((command, key))
        if self.takes:
            await self.clock.sleep(self.takes)
        return self.answer

    async def ledger_answers(self) -> bool:
        """Say whether the ledger works."""
        return self.ledger_works

    async def call(
        self,
        error: BaseException | None = None,
        command: Command = Command.SEND,
        *,
        about: Subject | None = None,
        urgent: bool = False,
        seconds: float = 0.0,
    ) -> bool:
        """Make a call that ends with *error*; tell whether it was a trial."""
        async with self.admission.admit(command, urgent=urgent, about=about or job()) as leave:
            if seconds:
                await self.clock.sleep(seconds)
            if error:
                raise error
        self.admission.answered(command.value, "ok", 0.1)
        return leave.on_trial

    async def fail(
        self, error: WorkerError, command: Command = Command.SEND, *, about: Subject | None = None
    ) -> WorkerError:
        """Make a call that fails, time passing as it must; return the error."""
        task = asyncio.ensure_future(self.call(error, command, about=about))
        await self.clock.run(task)
        assert error is task.exception()
        return error

    async def outage(self) -> None:
        """Three jobs fail, and the gateway answers nothing."""
        self.answer = SILENT
        for number in range(3):
            await self.fail(away(), about=job(number))
        assert self.admission.stands(Command.SEND)


def background(door: Door, *args: object, **kwargs: object) -> "asyncio.Task[bool]":
    """A call that goes on by itself."""
    return asyncio.ensure_future(door.call(*args, **kwargs))  # type: ignore[arg-type]


class TestLeave:
    """It has an owner, and is given back whatever happens."""

    async def test_it_is_given_back_by_the_end_of_the_block(self) -> None:
        """After an answer, an error and a crash."""
        door = Door()
        await door.call()
        await door.fail(PermanentError("text_refused", "x"))
        with pytest.raises(ZeroDivisionError):
            await door.call(ZeroDivisionError())
        assert (0, 0) == (door.admission.in_flight, door.admission.waiting)

    async def test_where_nothing_stands_in_the_way_there_is_nothing_to_await(self) -> None:
        """Neither before the call nor after it: nearly every call is one of these."""
        door = Door()
        leave = door.admission.admit(Command.SEND, urgent=False, about=job())
        assert leave is leave.__aenter__()
        assert 1 == door.admission.in_flight
        assert leave is await leave
        end = leave.__aexit__(None, None, None)
        assert not asyncio.iscoroutine(end)
        await end
        assert (0, 0) == (door.admission.in_flight, door.admission.waiting)

    async def test_a_waiter_that_is_cancelled_takes_none_with_it(self) -> None:
        """Also in the moment in which its turn has come."""
        door = Door(slots=2)
        first = background(door, seconds=1.0)
        await settled()
        waiting = [background(door, seconds=1.0) for _ in range(3)]
        await settled()
        waiting[0].cancel()
        door.admission._let_in()
        first.cancel()
        await settled()
        waiting[1].cancel()  # it has its turn by now
        await door.clock.run(asyncio.gather(*waiting, return_exceptions=True))
        assert (0, 0) == (door.admission.in_flight, door.admission.waiting)
        assert not await door.call()

    async def test_in_the_very_turn_of_the_event_loop_in_which_it_is_granted(self) -> None:
        """The future has its result, and the task is cancelled before it runs."""
        door = Door(slots=2)
        async with door.admission.admit(Command.SEND, urgent=False):
            waiting = background(door)
            await settled()
        waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled()
        assert (0, 0) == (door.admission.in_flight, door.admission.waiting)

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(range(5)), st.integers(0, 12), st.booleans()), max_size=40))
    def test_nothing_is_left_and_nobody_is_forgotten(self, plan: list[tuple[int, int, bool]]) -> None:
        """Whatever fails and whoever is cancelled after however many turns of the event loop."""
        asyncio.run(self._scene(plan))

    async def _scene(self, plan: list[tuple[int, int, bool]]) -> None:
        door = Door(slots=3, takes=0.5)
        ends: list[BaseException | None] = [
            None,
            away(),
            refused(),
            OutcomeUncertainError("reply_lost", "x"),
            None,
        ]
        tasks = []
        for number, (end, turns, urgent) in enumerate(plan):
            door.answer = (WELL, SILENT, NO_CREDITS)[number % 3]
            task = background(door, ends[end], about=job(number), urgent=urgent, seconds=0.1 * (number % 4))
            tasks.append(task)
            for _ in range(turns):
                await asyncio.sleep(0)
            if end == 4:
                task.cancel()
            if number % 7 == 0:
                await door.clock.advance(0.3)
        door.answer = WELL
        await door.clock.run(asyncio.gather(*tasks, return_exceptions=True))
        await door.clock.advance(60)
        last = background(door, about=job(999))
        await door.clock.advance(20)
        assert last.done()
        assert not last.cancelled()
        assert last.exception() is None
        assert (0, 0) == (door.admission.in_flight, door.admission.waiting)
        assert (0, 0) == (door.admission._room.bulk, len(list(door.admission._line)))
        door.admission.close()
        await settled()


class TestAccount:
    """Words of a refused account."""

    async def test_a_refusal_is_the_jobs_own_while_the_account_answers_well(self) -> None:
        """A firewall's 403 for one text stops nobody, however often it comes."""
        door = Door()
        for _ in range(20):
            assert (await door.fail(refused(), about=job(7))).counts
        assert not door.admission.paused_for
        assert door.admission.passes(Command.SEND)

    async def test_others_go_on_while_the_account_is_asked(self) -> None:
        """At full speed."""
        door = Door(takes=2.0)
        bad = background(door, refused(), about=job(1))
        await settled()
        assert not bad.done()
        assert not await door.call(about=job(2))
        await door.clock.run(asyncio.gather(bad, return_exceptions=True))
        assert not door.admission.paused_for

    async def test_it_stops_everything_where_the_account_is_refused_too(self) -> None:
        """And no job's refusal counts."""
        door = Door(answer=WRONG_PASSWORD)
        errors = [await door.fail(refused(), about=job(1))]
        assert ("credentials",) == door.admission.paused_for
        with pytest.raises(GatewayAwayError):
            await door.call(command=Command.DND)
        assert [False] == [error.counts for error in errors]
        door.answer = WELL
        await door.clock.advance(6)
        assert not door.admission.paused_for
        assert [AccountTrouble.CREDENTIALS, None] == door.told

    async def test_too_few_credits_for_one_large_call_are_its_own_affair(self) -> None:
        """There are some left."""
        door = Door(answer=WELL)
        assert (await door.fail(refused(AccountTrouble.CREDITS))).counts
        door.answer = NO_CREDITS
        assert not (await door.fail(refused(AccountTrouble.CREDITS))).counts
        assert ("credits",) == door.admission.paused_for

    async def test_an_account_without_credits_explains_no_firewall(self) -> None:
        """A 403 for one text stops nothing where the balance is nil and sends are served."""
        door = Door(answer=NO_CREDITS)
        assert (await door.fail(refused())).counts

    async def test_what_is_served_meanwhile_says_that_the_account_is_well(self) -> None:
        """Also where the account command itself is refused."""
        door = Door(answer=WRONG_PASSWORD, takes=2.0)
        bad = background(door, error := refused(), about=job(1))
        await door.clock.advance(0.1)
        await door.clock.run(background(door, about=job(2), seconds=0.5))
        await door.clock.run(asyncio.gather(bad, return_exceptions=True))
        assert error.counts
        assert not door.admission.paused_for

    async def test_what_was_under_way_before_says_nothing(self) -> None:
        """It may have been taken before the credits were gone."""
        door = Door(answer=NO_CREDITS, takes=2.0)
        before = background(door, about=job(1), seconds=1.0)
        await settled()
        bad = background(door, error := refused(AccountTrouble.CREDITS), about=job(2))
        await door.clock.run(asyncio.gather(before, bad, return_exceptions=True))
        assert not error.counts
        assert ("credits",) == door.admission.paused_for

    async def test_two_hundred_jobs_burn_nothing(self) -> None:
        """One question serves all of them."""
        door = Door(slots=200, answer=NO_CREDITS, takes=0.1)
        errors = [refused(AccountTrouble.CREDITS) for _ in range(200)]
        calls = [background(door, error, about=job(number)) for number, error in enumerate(errors)]
        await door.clock.run(asyncio.gather(*calls, return_exceptions=True))
        assert {False} == {error.counts for error in errors if door.admission.paused_for}
        assert len(door.asked) <= 3

    async def test_a_wrong_password_is_found_by_the_account_command_itself(self) -> None:
        """Nobody needs to be asked."""
        door = Door(answer=WRONG_PASSWORD)
        await door.fail(refused(), Command.ACCOUNT)
        assert [] == door.asked
        assert ("credentials",) == door.admission.paused_for


class TestOutage:
    """A gateway that serves nobody."""

    async def test_nobody_waits_here_for_its_end(self) -> None:
        """Who is in line goes back, and who comes too."""
        door = Door(slots=2, answer=SILENT)
        for number in range(2):
            await door.fail(away(), about=job(number))
        slow = background(door, away(), about=job(3), seconds=1.0)
        await settled()
        waiting = [background(door, about=job(number), seconds=5.0) for number in range(4, 9)]
        await settled()
        await door.clock.run(asyncio.gather(slow, *waiting[1:], return_exceptions=True))
        assert {GatewayAwayError} == {type(task.exception()) for task in waiting[1:]}
        with pytest.raises(GatewayAwayError):
            await door.call()
        assert not door.admission.paused_for, "a gateway that is merely away leaves the worker ready"

    async def test_it_goes_on_within_seconds_of_the_end_and_begins_with_one(self) -> None:
        """However long it took, and though a probe hangs: that has a limit of its own."""
        door = Door()
        await door.outage()
        door.takes = 3.0
        await door.clock.advance(600)
        door.answer, door.takes = WELL, 0.0
        await door.clock.advance(5.1)
        assert not door.admission.stands(Command.SEND)
        trial = background(door, about=job(1), seconds=1.0)
        await settled()
        others = [background(door, about=job(2)) for _ in range(5)]
        await settled()
        assert 1 == door.admission.in_flight
        await door.clock.run(asyncio.gather(trial, *others))
        assert [True, False] == sorted({task.result() for task in [trial, *others]}, reverse=True)
        assert trial.result()

    async def test_a_trial_that_hangs_is_not_waited_for(self) -> None:
        """Five seconds later another call tries."""
        door = Door()
        await door.outage()
        door.answer = WELL
        await door.clock.advance(6)
        hanging = background(door, OutcomeUncertainError("reply_lost", "x"), about=job(1), seconds=20)
        await settled()
        second = background(door, about=job(2), seconds=0.1)
        await door.clock.advance(6)
        assert second.done()
        assert not hanging.done()
        assert door.admission.passes(Command.SEND)
        await door.clock.run(asyncio.gather(hanging, return_exceptions=True))
        assert door.admission.passes(Command.SEND), "its failure is older than what was served"

    async def test_a_failed_trial_does_not_count(self) -> None:
        """It says that the outage is not over, and nothing of the job; who waited behind it goes back."""
        door = Door()
        await door.outage()
        door.answer = WELL
        await door.clock.advance(6)
        trial = background(door, error := away(), about=job(1), seconds=1.0)
        await settled()
        waiting = background(door, about=job(2))
        await door.clock.advance(2)
        assert (trial.done(), error.counts) == (True, False)
        assert isinstance(waiting.exception(), GatewayAwayError)

    async def test_calls_that_the_gateway_has_swallowed_stop_nobody_for_long(self) -> None:
        """It hung for a moment: those under way are never answered, and the next ones are."""
        door = Door(slots=4)
        lost = OutcomeUncertainError("reply_lost", "x")
        swallowed = [background(door, lost, about=job(number), seconds=20) for number in range(3)]
        await settled()
        others = [background(door, about=job(number)) for number in range(10, 30)]
        await door.clock.advance(7)
        assert {None} == {task.exception() for task in others}
        assert not any(task.done() for task in swallowed)
        await door.clock.run(asyncio.gather(*swallowed, return_exceptions=True))
        assert (0, 0, 0) == (
            door.admission.in_flight,
            door.admission._room.counted,
            door.admission._room.bulk,
        )
        assert door.admission.passes(Command.SEND)

    async def test_where_it_still_hangs_nobody_else_is_sent_after_them(self) -> None:
        """Who waits goes back."""
        door = Door(slots=4, answer=SILENT, takes=3.0)
        lost = OutcomeUncertainError("reply_lost", "x")
        swallowed = [background(door, lost, about=job(number), seconds=20) for number in range(3)]
        await settled()
        others = [background(door, about=job(number)) for number in range(10, 30)]
        await door.clock.advance(10)
        assert {GatewayAwayError} == {type(task.exception()) for task in others}
        await door.clock.run(asyncio.gather(*swallowed, return_exceptions=True))
        assert (0, 0, 0) == (
            door.admission.in_flight,
            door.admission._room.counted,
            door.admission._room.bulk,
        )

    async def test_a_gateway_that_is_merely_slow_has_swallowed_nothing(self) -> None:
        """Four times as long as a slow call of its takes as a rule is not too long."""
        door = Door(slots=4)
        for _ in range(30):
            door.admission.answered("sendSMS", "ok", 4.0)
        slow = [background(door, about=job(number), seconds=12) for number in range(3)]
        waiting = background(door, about=job(9))
        await door.clock.advance(11.5)
        assert not waiting.done()
        assert [] == door.asked
        await door.clock.run(asyncio.gather(*slow, waiting))

    async def test_a_cancelled_trial_is_the_next_ones(self) -> None:
        """It is not lost."""
        door = Door()
        await door.outage()
        door.answer = WELL
        await door.clock.advance(6)
        trial = background(door, about=job(1), seconds=5.0)
        await settled()
        waiting = background(door, about=job(2))
        await settled()
        trial.cancel()
        await settled()
        assert waiting.result()

    async def test_neither_is_one_that_is_cancelled_while_the_account_is_asked(self) -> None:
        """Its call was refused, and whose trouble that is remains open."""
        door = Door()
        await door.outage()
        door.answer = WELL
        await door.clock.advance(6)
        door.takes = 2.0
        trial = background(door, refused(), about=job(1))
        await settled()
        waiting = background(door, about=job(2))
        await settled()
        trial.cancel()
        await settled()
        assert waiting.result()

    async def test_a_gateway_that_is_back_is_not_watched_while_nobody_calls(self) -> None:
        """The next call is the trial; until it comes, nothing runs."""
        door = Door()
        await door.outage()
        door.answer = WELL
        await door.clock.advance(20)
        asked, slept = len(door.asked), len(door.clock.slept)
        await door.clock.advance(3600)
        assert (asked, slept) == (len(door.asked), len(door.clock.slept))
        assert await door.call(about=job(1))

    async def test_calls_that_hung_keep_none_from_going_out_when_the_gateway_is_back(self) -> None:
        """They have all the room there is, and nobody knows when they end."""
        door = Door(slots=4, answer=SILENT, takes=3.0)
        failing = [background(door, away(), about=job(number)) for number in range(3)]
        await settled()
        hung = [background(door, about=job(9), urgent=True, seconds=600.0) for _ in range(4)]
        await door.clock.advance(4)
        assert all(task.done() for task in failing)
        assert 4 == door.admission.in_flight
        door.answer, door.takes = WELL, 0.0
        await door.clock.advance(6)
        others = [background(door, about=job(number), seconds=0.1) for number in range(6)]
        await door.clock.advance(1)
        assert [True] + 5 * [False] == [task.result() for task in others]
        assert 4 == door.admission.in_flight
        await door.clock.run(asyncio.gather(*hung))
        assert (0, 0, 0) == (
            door.admission.in_flight,
            door.admission._room.counted,
            door.admission._room.bulk,
        )

    async def test_one_command_stops_no_other(self) -> None:
        """A lookup that fails for everybody lets sends go on, and says so."""
        door = Door(answer=SILENT)
        for number in range(3):
            await door.fail(away(), Command.DND, about=Subject(keys=(str(number),)))
        assert (True, False) == (door.admission.stands(Command.DND), door.admission.stands(Command.SEND))
        with pytest.raises(GatewayAwayError) as caught:
            await door.call(command=Command.DND)
        assert caught.value.lookups_alone

    async def test_an_account_command_that_never_answers_is_not_waited_for(self) -> None:
        """Half a minute later a call tries all the same."""
        door = Door()
        await door.outage()
        await door.clock.advance(36)
        assert await door.call(about=job(1))

    async def test_a_probe_that_crashes_is_asked_again(self) -> None:
        """An outage without an end would be a dead worker."""
        door = Door()
        await door.outage()
        door.admission._standing._questions._ask = _crash
        await door.clock.advance(20)
        door.admission._standing._questions._ask = door.ask
        door.answer = WELL
        await door.clock.advance(6)
        assert not door.admission.stands(Command.SEND)

    async def test_a_wait_that_was_asked_for_is_obeyed(self) -> None:
        """Of an outage; not of one job's."""
        door = Door(answer=SILENT)
        for number in range(3):
            await door.fail(away(retry_after=60), about=job(number))
        door.answer = WELL
        await door.clock.advance(55)
        assert door.admission.stands(Command.SEND)
        await door.clock.advance(10)
        assert not door.admission.stands(Command.SEND)

    async def test_in_an_outage_the_gateway_is_asked_now_and_then(self) -> None:
        """A question in five seconds."""
        door = Door()
        await door.call(command=Command.ACCOUNT)
        await door.outage()
        before = len(door.asked)
        await door.clock.advance(300)
        assert 55 <= len(door.asked) - before <= 65


async def _crash(_command: Command, _key: str | None) -> ProbeAnswer:
    raise RuntimeError


class TestOwnTrouble:
    """Failures that have something in common."""

    async def test_one_text_that_fails_for_ever_stops_nobody(self) -> None:
        """Several jobs with it, and nobody else there."""
        door = Door()
        errors = [await door.fail(away(), about=job(number, text="bad")) for number in range(30)]
        assert {True} == {error.counts for error in errors}
        assert door.admission.passes(Command.SEND)

    async def test_one_sender_neither(self) -> None:
        """That has never been served."""
        door = Door()
        await door.call(about=job(1, sender="GOOD"))
        errors = [await door.fail(away(), about=job(number, sender="BAD")) for number in range(30)]
        assert {True} == {error.counts for error in errors}
        assert door.admission.passes(Command.SEND)

    async def test_one_number_neither(self) -> None:
        """In whatever text."""
        door = Door()
        door.answer = WELL
        for number in range(30):
            about = Subject((("sender", "SHOP"), f"text {number}"), ("919876543210", str(number)))
            assert (await door.fail(away(), about=about)).counts
        assert door.admission.passes(Command.SEND)

    async def test_a_sender_that_was_served_before_is_no_explanation(self) -> None:
        """Sends fail for everybody, though the account answers: an outage of that command."""
        door = Door()
        await door.call(about=job(1))
        await door.clock.advance(5)
        errors = [await door.fail(away(), about=job(number)) for number in range(2, 5)]
        assert [True, True, False] == [error.counts for error in errors]
        assert door.admission.stands(Command.SEND)

    async def test_a_sender_is_no_explanation_while_nobody_was_served(self) -> None:
        """A worker that starts in an outage of sends alone, all of them by one sender."""
        door = Door()
        errors = [await door.fail(away(), about=job(number)) for number in range(3)]
        assert [True, True, False] == [error.counts for error in errors]
        assert door.admission.stands(Command.SEND)

    async def test_lost_replies_are_nobodys_own(self) -> None:
        """A campaign with one text waits for a gateway that hangs, and is not lost to it job by job."""
        door = Door()
        errors = [
            await door.fail(OutcomeUncertainError("reply_lost", "x"), about=job(number, text="campaign"))
            for number in range(3)
        ]
        assert [True, True, False] == [error.counts for error in errors]
        assert door.admission.stands(Command.SEND)

    async def test_one_question_that_fails_for_ever_stops_no_other(self) -> None:
        """A number that was answered before still is: the endpoint is well."""
        door = Door()
        await door.call(command=Command.DND, about=Subject(keys=("1",)))
        errors = [await door.fail(away(), Command.DND, about=Subject(keys=("2",))) for _ in range(20)]
        assert {True} == {error.counts for error in errors}
        assert {(Command.DND, "1")} == set(door.asked)

    async def test_without_one_that_was_answered_before_it_is_an_outage(self) -> None:
        """Jobs whose numbers have no answer wait."""
        door = Door()
        for _ in range(3):
            await door.fail(away(), Command.DND, about=Subject(keys=("2",)))
        assert door.admission.stands(Command.DND)

    async def test_refusals_are_answers(self) -> None:
        """They start the count anew."""
        door = Door(answer=SILENT)
        for error in (away(), away(), PermanentError("text_refused", "x"), away(), away()):
            await door.fail(error)
        assert door.admission.passes(Command.SEND)

    async def test_our_own_errors_say_nothing(self) -> None:
        """Neither does a call that was not made."""
        door = Door(answer=SILENT)
        await door.fail(away())
        await door.fail(away())
        await door.fail(LedgerUnavailableError("ledger_away", "x"))
        async with door.admission.admit(Command.SEND, urgent=False) as leave:
            leave.unused()
        await door.fail(away())
        assert door.admission.stands(Command.SEND)


class TestRoom:
    """A gateway that serves some calls and turns others away."""

    async def test_one_too_many_is_not_an_outage(self) -> None:
        """While others are served there are fewer calls, and the circuit stays closed."""
        door = Door(answer=SILENT)
        await door.call()
        for number in range(1, 6):
            await door.fail(away(), about=job(number))
        assert door.admission.passes(Command.SEND)
        assert 4 == door.admission.limit

    async def test_nobody_takes_the_place_of_one_too_many(self) -> None:
        """Who waits would be one too many as well: the limit would fall below what the gateway takes."""
        door = Door(answer=SILENT)
        await door.call()
        calls = [door.call(away(), about=job(1), urgent=True, seconds=1)]
        calls += [door.call(about=job(number), urgent=True, seconds=9) for number in range(2, 11)]
        tasks = [asyncio.ensure_future(call) for call in calls]
        await settled()
        assert (9, 9, 1) == (door.admission.limit, door.admission.in_flight, door.admission.waiting)
        await door.clock.advance(1)
        assert (8, 8, 1) == (door.admission.limit, door.admission.in_flight, door.admission.waiting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def test_a_text_that_is_turned_away_again_and_again_takes_no_room_from_others(self) -> None:
        """It counts once, until it is served."""
        door = Door()
        for number in range(40):
            await door.call(about=job(number))
            await door.fail(away(), about=job(99))
        assert 8 == door.admission.limit

    async def test_a_sender_of_its_own_takes_no_room_from_others(self) -> None:
        """429 for one sender that was never served, while others are."""
        door = Door()
        for number in range(40):
            await door.call(about=job(number, sender="GOOD"))
            await door.fail(away(retry_after=30), about=job(number, sender="BAD"))
        assert 9 == door.admission.limit
        assert not await asyncio.wait_for(door.call(about=job(1, sender="GOOD")), DEADLINE)

    async def test_there_is_room_while_nobody_would_wait(self) -> None:
        """Not in what is kept for urgent calls."""
        door = Door(slots=3)
        admission = door.admission
        assert admission.has_room(urgent=False)
        async with admission.admit(Command.SEND, urgent=False):
            assert admission.has_room(urgent=False)
            async with admission.admit(Command.SEND, urgent=False):
                assert not admission.has_room(urgent=False)
                assert admission.has_room(urgent=True)

    async def test_under_a_rate_limit_every_call_takes_something(self) -> None:
        """So there is never room to spare, and calls that wait for their turn are not under way."""
        door = Door(rate=30)
        assert not door.admission.has_room(urgent=True)
        async with door.admission.admit(Command.SEND, urgent=False):
            assert 0 == door.admission.calls
        door = Door()
        async with door.admission.admit(Command.SEND, urgent=False):
            assert 1 == door.admission.calls


class TestUrgent:
    """One-time passwords behind a campaign."""

    async def test_it_gets_the_next_call_of_a_rate_limit(self) -> None:
        """Of a hundred that wait it is the first, a tenth of a second later."""
        door = Door(slots=50, rate=10)
        made: list[bool] = []

        async def call(*, urgent: bool) -> None:
            async with door.admission.admit(Command.SEND, urgent=urgent):
                made.append(urgent)
                await door.clock.sleep(1)

        tasks = [asyncio.ensure_future(call(urgent=False)) for _ in range(100)]
        await door.clock.advance(3)
        before = len(made)
        tasks.append(asyncio.ensure_future(call(urgent=True)))
        await door.clock.advance(0.11)
        assert True in made[before : before + 1]
        for task in tasks:
            task.cancel()
        await settled()
        assert (0, 0) == (door.admission.in_flight, door.admission.waiting)
        door.admission.close()

    async def test_bulk_never_takes_what_is_kept_for_it(self) -> None:
        """Urgent calls may take any, and come first also where bulk has waited for longer."""
        door = Door(slots=3)
        bulk = [background(door, seconds=1.0) for _ in range(5)]
        await settled()
        assert 2 == door.admission.in_flight
        urgent = [background(door, urgent=True, seconds=0.5) for _ in range(2)]
        await settled()
        assert 3 == door.admission.in_flight
        await door.clock.advance(1.6)
        assert [True, True] == [task.done() for task in urgent]
        await door.clock.run(asyncio.gather(*bulk))

    async def test_those_of_a_trial_are_passed_over(self) -> None:
        """A status lookup does not wait behind sends that wait for theirs."""
        door = Door()
        await door.outage()
        door.answer = WELL
        await door.clock.advance(6)
        sends = [background(door, about=job(number), seconds=30) for number in range(3)]
        await settled()
        assert not await door.call(command=Command.STATUS)
        for task in sends:
            task.cancel()
        await settled()
        door.admission.close()


class TestLedger:
    """A ledger that cannot be written."""

    async def test_it_stops_sends_alone_and_calls_under_way_go_on(self) -> None:
        """Those have their claim."""
        door = Door()
        door.admission.ledger_failed()
        assert (True, False) == (door.admission.stands(Command.SEND), door.admission.stands(Command.STATUS))
        assert ("ledger",) == door.admission.paused_for
        await door.call()
        door.ledger_works = True
        await door.clock.advance(2)
        assert not door.admission.stands(Command.SEND)

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
        pause.begin("ledger")
        pause.begin("ledger")
        await clock.advance(30)
        assert ["ledger", None] == causes


class TestStop:
    """A worker that stops starts nothing new."""

    async def test_nobody_is_let_in_any_more(self) -> None:
        """The job goes back at once."""
        door = Door()
        door.admission.stop()
        with pytest.raises(GatewayAwayError, match="worker_stopping"):
            await door.call()

    async def test_who_waits_goes_back(self) -> None:
        """And who is in finishes."""
        door = Door(slots=2)
        async with door.admission.admit(Command.SEND, urgent=False):
            waiting = background(door)
            await settled()
            door.admission.stop()
            with pytest.raises(GatewayAwayError, match="worker_stopping"):
                await waiting
        assert 0 == door.admission.in_flight

    async def test_a_cancelled_caller_is_cancelled(self) -> None:
        """A stop does not turn it into something else."""
        door = Door(slots=2)
        async with door.admission.admit(Command.SEND, urgent=False):
            waiting = background(door)
            await settled()
            waiting.cancel()
            door.admission.stop()
            with pytest.raises(asyncio.CancelledError):
                await waiting


def test_leave_is_small() -> None:
    """There is one a call."""
    assert not hasattr(Leave(Door().admission, Command.SEND, Subject(), urgent=False), "__dict__")
