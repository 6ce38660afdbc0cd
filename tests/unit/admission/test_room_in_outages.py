"""What calls that hang, and trials that fail, leave to the others."""

import asyncio
from contextlib import suppress

from tests.support.fakes import settled
from tests.unit.admission.test_admission import SILENT, WELL, Door, away, background, job
from worker.domain.errors import OutcomeUncertainError
from worker.ports import Command, Subject

LOST = OutcomeUncertainError("reply_lost", "x")


class TestCommandThatHangs:
    """Alone: the others are answered."""

    async def test_its_calls_are_written_off_when_it_is_found_out(self) -> None:
        """They may take their whole time, and nobody waits for it."""
        door = Door(slots=4)
        hanging = [background(door, LOST, Command.DND, about=job(number), seconds=20) for number in range(3)]
        await settled()
        sends = [background(door, about=job(number)) for number in range(10, 20)]
        await door.clock.advance(7)
        assert {None} == {task.exception() for task in sends}
        await door.clock.run(asyncio.gather(*hanging, return_exceptions=True))
        assert (0, 0) == (door.admission.in_flight, door.admission._room.counted)

    async def test_a_call_that_ends_without_an_answer_breaks_no_silence(self) -> None:
        """Else a command that hangs would be found out late, and again and again."""
        door = Door(slots=4)
        hanging = [
            background(door, LOST, Command.DND, about=job(number), seconds=2.0 * number)
            for number in range(1, 4)
        ]
        await settled()
        waiting = background(door, about=job(9))
        assert not waiting.done()
        before = len(door.asked)
        again = [
            background(door, LOST, Command.DND, about=job(number), seconds=20) for number in range(20, 23)
        ]
        await door.clock.advance(7)
        assert len(door.asked) > before
        await door.clock.run(asyncio.gather(*hanging, *again, waiting, return_exceptions=True))


class TestTrialsThatHang:
    """They end by their time limits, one after the other, long after they began."""

    async def test_their_end_stops_no_trial_that_the_account_has_allowed_since(self) -> None:
        """Else an outage would last for as long after its end as a call may take."""
        door = Door()
        await door.outage()
        door.answer = WELL
        await door.clock.advance(7)
        hung = background(door, LOST, about=job(5), seconds=20)
        await settled()
        later = background(door, OutcomeUncertainError("reply_lost", "y"), about=job(6), seconds=30)
        await door.clock.advance(6)
        assert 2 == door.admission.in_flight
        with suppress(OutcomeUncertainError):
            await door.clock.run(hung)
        await door.clock.advance(7)
        assert not door.admission.stands(Command.SEND)
        with suppress(OutcomeUncertainError):
            await door.clock.run(later)
        assert not door.admission.stands(Command.SEND)
        assert await door.call(about=job(7))


class TestOwnCallsTakeAllTheRoom:
    """A gateway that serves few calls refuses whatever comes beside them, also the question how it is."""

    async def _served(self, door: Door, command: Command) -> None:
        for number in range(10, 20):
            await door.clock.run(background(door, command=command, about=job(number), seconds=0.3))

    async def test_what_only_reads_is_tried_beside_calls_that_are_served(self) -> None:
        """Else it would stand still for as long as there is something to send."""
        door = Door(slots=4)
        await door.call()
        door.answer = SILENT
        for number in range(3):
            await door.fail(away(), Command.DND, about=job(number))
        assert door.admission.stands(Command.DND)
        await self._served(door, Command.SEND)
        assert not door.admission.stands(Command.DND)
        assert await door.call(command=Command.DND)
        assert door.admission.passes(Command.DND)

    async def test_its_trial_takes_the_place_of_one_of_them(self) -> None:
        """Beside all of them it would be refused."""
        door = Door(slots=4)
        await door.call()
        door.answer = SILENT
        for number in range(3):
            await door.fail(away(), Command.DND, about=job(number))
        await self._served(door, Command.SEND)
        slow = [background(door, about=job(number), urgent=True, seconds=0.5) for number in range(4)]
        await settled()
        trial = background(door, command=Command.DND)
        await settled()
        assert (4, 1) == (door.admission.in_flight, door.admission.waiting)
        await door.clock.run(asyncio.gather(*slow, trial))
        assert trial.result()
        assert door.admission.passes(Command.DND)

    async def test_a_send_is_not_tried_before_the_account_answers(self) -> None:
        """Its text may be lost in the trial."""
        door = Door(slots=4)
        await door.outage()
        await self._served(door, Command.DND)
        assert door.admission.stands(Command.SEND)


class TestBesideOthers:
    """Calls that were written off, and are served after all."""

    async def test_their_end_makes_room_where_others_were_refused_beside_them(self) -> None:
        """The gateway had them too: the limit that was found is too low by so many, and held for long."""
        door = Door()
        slow = [background(door, about=job(number), urgent=True, seconds=30) for number in (1, 2)]
        await settled()
        door.admission._room.begin_anew()
        await door.call()
        for number in range(3, 7):
            await door.fail(away(), about=job(number))
        assert 5 == door.admission.limit
        await door.clock.run(asyncio.gather(*slow))
        assert 7 == door.admission.limit

    async def test_it_makes_none_where_nobody_was_refused(self) -> None:
        """Who says that there is any?"""
        door = Door(slots=4)
        slow = background(door, about=job(1), urgent=True, seconds=30)
        await settled()
        door.admission._room.begin_anew()
        await door.clock.run(slow)
        assert 4 == door.admission.limit


class TestTrials:
    """Of a command that fails while the account is well."""

    async def test_they_come_less_and_less_often(self) -> None:
        """Up to the cooldown: each has every job handed out."""
        door = Door()
        await door.outage()
        door.answer = WELL
        trials = 0
        for _ in range(120):
            await door.clock.advance(0.5)
            if not door.admission.stands(Command.SEND):
                await door.fail(away(), about=job(99))
                trials += 1
        assert 8 <= trials <= 14


class TestSize:
    """A gateway that refuses calls of many numbers."""

    async def test_they_stop_nobody(self) -> None:
        """Whatever their senders and texts: smaller ones are served."""
        door = Door()
        await door.call(about=job(1))
        await door.clock.advance(5)
        large = [Subject((("sender", "SHOP"), f"large {n}"), (str(n),), (10, 20, 50)) for n in range(9)]
        for about in large:
            assert (await door.fail(away(), about=about)).counts
        assert door.admission.passes(Command.SEND)

    async def test_a_size_that_was_served_explains_nothing(self) -> None:
        """Then it is an outage."""
        door = Door()
        await door.call(about=Subject((("sender", "SHOP"), "x"), ("1",), (10, 20)))
        await door.clock.advance(5)
        for number in range(3):
            about = Subject((("sender", "SHOP"), f"large {number}"), (str(number),), (10, 20))
            await door.fail(away(), about=about)
        assert not door.admission.passes(Command.SEND)
