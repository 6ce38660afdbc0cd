"""What is still on its way is not forgotten, however long an outage lasts."""

import asyncio
from datetime import timedelta

import pytest

from tests.support.fake_worker import FakeWorker, World, delivery, numbers, part_delivery, send_job
from tests.support.fakes import START, FakeLedger
from worker.domain.errors import (
    GatewayAwayError,
    LedgerUnavailableError,
    OutcomeUncertainError,
    TransientError,
)
from worker.domain.messages import Delay, Delivery, Disposition, Done, Lane, Requeue
from worker.domain.replay import Replay

RETENTION = 3_600.0
ROUND = 1_500.0  # seconds that a job is gone for at a time
ONE, TWO = numbers(2)
AWAY = TransientError("gateway_unreachable", "connection refused")
LANES = [Lane.SEND, Lane.SEND_URGENT]


@pytest.fixture
def world() -> World:
    """Provide a world whose ledger forgets after an hour."""
    world = World()
    world.ledger = FakeLedger(world.clock, retention=RETENTION)
    return world


@pytest.fixture
def worker(world: World) -> FakeWorker:
    """Provide a worker that hands out what has several parts."""
    return FakeWorker(world)


async def handled(worker: FakeWorker, one: Delivery) -> Disposition:
    """What the worker decides on, time passing as it must."""
    task = asyncio.ensure_future(worker.dispatch()(one))
    await worker.world.clock.run(task)
    return task.result()


async def held() -> None:
    """Let nobody in."""
    raise GatewayAwayError("gateway_away", "made to fail")


class TestOutages:
    """Longer than the retention."""

    @pytest.mark.row(
        "retention/outage",
        "a job is returned, delayed, or waits for the DND list for longer than the retention",
        "its entry is there: what was sent is not sent again",
    )
    @pytest.mark.parametrize("lane", LANES)
    async def test_a_job_that_is_returned_again_and_again(
        self, world: World, worker: FakeWorker, lane: Lane
    ) -> None:
        """Its first call is known when the gateway is back: only the second is made."""
        world.gateway.per_call = 1
        world.gateway.script = [None, AWAY, AWAY, AWAY]
        one = delivery(lane, send_job(ONE, TWO))
        assert isinstance(await handled(worker, one), Delay)
        for where in ("on_admit", "on_admit", "on_admit", "on_admit", "on_admit"):
            await world.clock.advance(ROUND)
            setattr(worker.gate, where, held)
            again = delivery(lane, send_job(ONE, TWO), attempts=1, redelivered=True)
            assert Requeue("gateway_away") == await handled(worker, again)
            setattr(worker.gate, where, None)
        await world.clock.advance(ROUND)
        assert Done() == await handled(worker, delivery(lane, send_job(ONE, TWO), redelivered=True))
        assert {1} == set(world.gateway.times_sent.values())
        assert {ONE: "id-0", TWO: "id-1"} == world.ids()

    async def test_a_job_that_goes_round_a_delay_queue(self, world: World) -> None:
        """With a lost reply that asks for a repeat: the calls are counted on."""
        worker = FakeWorker(world, delays=(1,) * 9, attempts=1)
        world.gateway.script = [OutcomeUncertainError("reply_lost", "lost"), *[AWAY] * 6]
        world.gateway.lost = False
        job = send_job(ONE, on_uncertain="resend")
        for attempt in range(6):
            one = delivery(Lane.SEND, job, attempts=attempt, first_seen=START + timedelta(days=1))
            assert isinstance(await handled(worker, one), Delay)
            await world.clock.advance(ROUND)
        stored = await world.ledger.load("job-1")
        assert stored is not None
        assert b'"ready",1' in stored.state

    async def test_a_job_that_waits_for_the_dnd_list(self, world: World, worker: FakeWorker) -> None:
        """Its id is its own all the time: another content is a conflict."""
        world.gateway.dnd_script = [AWAY] * 30
        job = send_job(ONE, dnd="filter")
        for attempt in range(2):
            assert isinstance(await handled(worker, delivery(Lane.SEND, job, attempts=attempt)), Delay)
            await world.clock.advance(ROUND)
        worker.gate.on_admit = held
        for _ in range(4):
            await handled(worker, delivery(Lane.SEND, job, attempts=1))
            await world.clock.advance(ROUND)
        worker.gate.on_admit = None
        await handled(worker, delivery(Lane.SEND, send_job(TWO)))
        assert "rejected" == world.bodies[-1]["status"]

    async def test_a_replayed_dead_letter(self, world: World, worker: FakeWorker) -> None:
        """Who was sent to before is known however often the replay goes back."""
        world.gateway.per_call = 1
        world.gateway.script = [None, *[AWAY] * 9]
        await handled(worker, delivery(Lane.SEND, send_job(ONE, TWO), attempts=2, first_seen=START))
        world.gateway.script = []
        replay = Replay("letter", known_until=world.clock.now() + timedelta(seconds=RETENTION - 600))
        again = delivery(Lane.SEND, send_job(ONE, TWO), replay=replay)
        worker.gate.on_admit = held
        for _ in range(4):
            await world.clock.advance(ROUND)
            assert Requeue("gateway_away") == await handled(worker, again)
        worker.gate.on_admit = None
        assert Done() == await handled(worker, again)
        assert {ONE: 1, TWO: 1} == world.gateway.times_sent


class TestParts:
    """A large job, of which one part is on its way for long."""

    @pytest.mark.row("retention/outage")
    async def test_the_job_and_its_other_parts_are_known_with_it(
        self, world: World, worker: FakeWorker
    ) -> None:
        """A repeat of the job sends only what was not sent."""
        job = delivery(Lane.SEND, send_job(*numbers(150)))
        await handled(worker, job)
        first, second = world.publisher.parts
        assert Done() == await handled(worker, part_delivery(first))
        worker.gate.on_admit = held
        for _ in range(5):
            await world.clock.advance(ROUND)
            assert Requeue("gateway_away") == await handled(worker, part_delivery(second))
        worker.gate.on_admit = None
        world.publisher.parts.clear()
        assert Done() == await handled(worker, job)
        for part in [*world.publisher.parts, second]:
            assert Done() == await handled(worker, part_delivery(part))
        assert {1} == set(world.gateway.times_sent.values())
        assert 150 == len(world.gateway.sent)

    async def test_one_that_is_sent_where_it_was_taken(self, world: World) -> None:
        """Its parts live as long as it does."""
        worker = FakeWorker(world, share_above=1000)
        job = send_job(*numbers(150))
        for _ in range(6):
            world.publisher.failures = 1
            assert Requeue("not_confirmed") == await handled(worker, delivery(Lane.SEND, job))
            await world.clock.advance(ROUND)
        assert Done() == await handled(worker, delivery(Lane.SEND, job, redelivered=True))
        assert {1} == set(world.gateway.times_sent.values())


class TestPrice:
    """It costs next to nothing."""

    async def test_a_job_that_ends_renews_nothing(self, world: World, worker: FakeWorker) -> None:
        """Nearly every one."""
        asked: list[str] = []

        async def note(name: str) -> None:
            asked.append(name)

        world.ledger.before = note
        await handled(worker, delivery(Lane.SEND, send_job(ONE)))
        assert "renew" not in asked

    async def test_a_ledger_that_is_away_is_not_waited_for(self, world: World, worker: FakeWorker) -> None:
        """The job goes back as it would."""

        async def fail(name: str) -> None:
            raise LedgerUnavailableError("ledger_away", name)

        world.ledger.before = fail
        worker.gate.on_admit = held
        assert Requeue("gateway_away") == await handled(worker, delivery(Lane.SEND, send_job(ONE)))
