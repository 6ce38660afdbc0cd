"""Replays as the handlers carry them out, over stand-ins."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from schemas import FailureCode
from tests.support.deadline import DEADLINE
from tests.support.fake_worker import FakeWorker, World, delivery, numbers, send_job
from tests.support.fakes import FakeClock, settled
from worker.domain.errors import OutcomeUncertainError, TransientError
from worker.domain.messages import DeadLetter, Delivery, Disposition, Lane, Requeue
from worker.domain.replay import Replay

ONE, TWO = numbers(2)
FORCED = Replay("letter", force=True)
LOST = OutcomeUncertainError("reply_lost", "no reply")
AWAY = TransientError("gateway_busy", "busy")


@pytest.fixture
def world() -> World:
    """Provide ledger, gateway, broker and clock."""
    return World()


async def finished(clock: FakeClock, *works: "asyncio.Task[Disposition]") -> list[Disposition]:
    """Let time pass until all are done."""
    for work in works:
        await clock.run(work)
    return [work.result() for work in works]


def begun(worker: FakeWorker, given: Delivery) -> "asyncio.Task[Disposition]":
    """Start on a delivery, as a worker of its own."""
    return asyncio.ensure_future(worker.dispatch()(given))


class TestSameLetter:
    """The copies of one letter count once, whatever the ledger knew of the job."""

    async def test_of_a_job_that_the_ledger_did_not_know(self, world: World) -> None:
        """A forced copy that is lost on the way back is not sent once more by the second."""
        worker = FakeWorker(world)
        world.gateway.script, world.gateway.lost = [LOST], True
        copy = delivery(Lane.SEND, send_job(ONE), replay=FORCED)
        await finished(world.clock, begun(worker, copy))
        await finished(world.clock, begun(worker, copy))
        assert {ONE: 1} == world.gateway.times_sent
        assert {ONE: "uncertain"} == world.outcomes()

    async def test_of_a_part_that_the_ledger_did_not_know(self, world: World) -> None:
        """The same holds for parts."""
        worker = FakeWorker(world)
        await finished(world.clock, begun(worker, delivery(Lane.SEND, send_job(*numbers(101)))))
        part = world.publisher.parts[0]
        world.gateway.script, world.gateway.lost = [LOST], True
        copy = Delivery(Lane.SEND_PARTS, part.body, "send", message_id=part.message_id, replay=FORCED)
        await finished(world.clock, begun(worker, copy))
        await finished(world.clock, begun(worker, copy))
        assert 100 == len(world.gateway.sent)

    async def test_at_the_same_time_on_two_workers(self, world: World) -> None:
        """One of them calls, the other waits for it."""
        worker = FakeWorker(world, delays=())
        world.gateway.script = [AWAY] * 3
        (first,) = await finished(world.clock, begun(worker, delivery(Lane.SEND, send_job(ONE, TWO))))
        assert isinstance(first, DeadLetter)
        world.gateway.latency = 2
        copies = [
            begun(FakeWorker(world), delivery(Lane.SEND, send_job(ONE, TWO), replay=Replay(name)))
            for name in ("letter", "letter", "another")
        ]
        await finished(world.clock, *copies)
        assert {ONE: 1, TWO: 1} == world.gateway.times_sent
        assert {ONE: "accepted", TWO: "accepted"} == world.outcomes()

    async def test_while_the_job_is_planned_anew(self, world: World) -> None:
        """Two letters of a job that nobody was called for: one plan, one call."""
        worker = FakeWorker(world, delays=())
        job = send_job(ONE, TWO, dnd="filter")
        world.gateway.dnd_script = [AWAY] * 8  # two together, and three for each alone
        await finished(world.clock, begun(worker, delivery(Lane.SEND, job)))
        assert {ONE: "failed", TWO: "failed"} == world.outcomes()
        copies = [
            begun(FakeWorker(world), delivery(Lane.SEND, job, replay=Replay(name)))
            for name in ("letter", "letter", "another")
        ]
        assert all(not isinstance(one, DeadLetter) for one in await finished(world.clock, *copies))
        assert {ONE: 1, TWO: 1} == world.gateway.times_sent
        assert {2} == {body["revision"] for body in world.bodies[1:]}

    async def test_a_letter_does_not_disturb_who_is_planning(self, world: World) -> None:
        """The plan of the first stands, although the second came before it was stored."""
        job = send_job(ONE, TWO, dnd="filter")
        world.gateway.dnd_script = [AWAY] * 8
        await finished(world.clock, begun(FakeWorker(world, delays=()), delivery(Lane.SEND, job)))
        releases = []
        copies = []
        for name in ("letter", "another"):
            worker, release = FakeWorker(world), asyncio.Event()
            worker.gate.on_admit = _until(release)
            copies.append(begun(worker, delivery(Lane.SEND, job, replay=Replay(name))))
            releases.append(release)
            await settled()
        for release in releases:
            release.set()
            await settled()
        await finished(world.clock, *copies)
        assert {ONE: 1, TWO: 1} == world.gateway.times_sent
        assert {ONE: "accepted", TWO: "accepted"} == world.outcomes()


class TestForgotten:
    """A replay that finds no entry, where there must have been one."""

    @pytest.mark.parametrize("early", [timedelta(0), timedelta(days=9)])
    async def test_is_a_dead_letter_again_and_nobody_is_sent_to(self, world: World, early: timedelta) -> None:
        """However long the copy waited; no result changes the outcomes that were published."""
        known_until = world.clock.now() - early
        copy = delivery(Lane.SEND, send_job(ONE), replay=Replay("letter", known_until=known_until))
        (end,) = await finished(world.clock, begun(FakeWorker(world), copy))
        assert isinstance(end, DeadLetter)
        assert FailureCode.FORGOTTEN == end.reason
        assert ([], []) == (world.gateway.calls, world.bodies)

    async def test_of_a_part(self, world: World) -> None:
        """The entry that counts is the part's own."""
        worker = FakeWorker(world)
        await finished(world.clock, begun(worker, delivery(Lane.SEND, send_job(*numbers(101)))))
        part = world.publisher.parts[0]
        replay = Replay("letter", known_until=world.clock.now())
        copy = Delivery(Lane.SEND_PARTS, part.body, "send", message_id=part.message_id, replay=replay)
        (end,) = await finished(world.clock, begun(worker, copy))
        assert isinstance(end, DeadLetter)
        assert FailureCode.FORGOTTEN == end.reason
        assert [] == world.gateway.calls

    @pytest.mark.parametrize("force", [True, False])
    async def test_is_sent_by_force_and_while_the_ledger_would_know(
        self, world: World, *, force: bool
    ) -> None:
        """Without an entry in time the job never began."""
        later = timedelta(0) if force else timedelta(seconds=1)
        replay = Replay("letter", force=force, known_until=world.clock.now() + later)
        copy = delivery(Lane.SEND, send_job(ONE), replay=replay)
        await finished(world.clock, begun(FakeWorker(world), copy))
        assert {ONE: "accepted"} == world.outcomes()

    async def test_one_that_the_ledger_knows_is_carried_out(self, world: World) -> None:
        """Its age is nothing then."""
        worker = FakeWorker(world, delays=())
        world.gateway.script = [AWAY] * 3
        await finished(world.clock, begun(worker, delivery(Lane.SEND, send_job(ONE))))
        replay = Replay("letter", known_until=world.clock.now() - timedelta(days=9))
        await finished(world.clock, begun(worker, delivery(Lane.SEND, send_job(ONE), replay=replay)))
        assert {ONE: "accepted"} == world.outcomes()

    async def test_the_entry_may_go_while_it_is_worked_on(self, world: World) -> None:
        """Who works on it knows what it said: nobody gets it twice, and the next look finds that."""
        worker = FakeWorker(world, delays=())
        world.gateway.dnd_script = [AWAY] * 3
        job = send_job(ONE, dnd="filter")
        await finished(world.clock, begun(worker, delivery(Lane.SEND, job)))

        async def lose() -> None:
            world.ledger.forget()
            worker.gate.on_admit = None

        worker.gate.on_admit = lose
        copy = delivery(Lane.SEND, job, replay=Replay("letter", known_until=world.clock.now()))
        for _ in range(2):
            await finished(world.clock, begun(worker, copy))
        assert {ONE: 1} == world.gateway.times_sent

    @pytest.mark.parametrize("dnd", ["filter", "skip"])
    async def test_a_store_that_forgets_before_every_claim_sends_the_job_back(
        self, world: World, dnd: str
    ) -> None:
        """It must not go round in circles: nothing is called, and the job comes again later."""
        worker, forgotten = FakeWorker(world), 0

        async def lose() -> None:
            nonlocal forgotten
            forgotten += 1
            world.ledger.forget()

        worker.gate.on_admit = lose
        job = delivery(Lane.SEND, send_job(ONE, dnd=dnd), redelivered=True)
        (end,) = await asyncio.wait_for(finished(world.clock, begun(worker, job)), DEADLINE)
        assert isinstance(end, Requeue)
        assert forgotten < 50
        assert {} == world.gateway.times_sent


def _until(release: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        await release.wait()

    return wait
