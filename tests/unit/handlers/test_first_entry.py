"""A job's first entry in the ledger: written with its plan where nothing speaks against it."""

import asyncio

import pytest

from tests.support.fake_worker import FakeWorker, World, delivery, handled, numbers, send_job
from tests.support.fakes import START, FakeGate
from worker.domain.errors import TransientError
from worker.domain.messages import DeadLetter, Delay, Done, Lane
from worker.ports import Command

ONE, TWO = numbers(2)


class Writes:
    """A hook that counts writes, and stops at one of them."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.count = 0
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self._stop_at = stop_at

    async def __call__(self, name: str) -> None:
        """Count, or wait to be let go on."""
        if name != "swap":
            return
        self.count += 1
        if self.count == self._stop_at:
            self.reached.set()
            await self.go_on.wait()


@pytest.fixture
def world() -> World:
    """Provide ledger, gateway, broker and clock."""
    return World()


@pytest.fixture(params=[False, True], ids=["alone", "jointly"])
def worker(world: World, request: pytest.FixtureRequest) -> FakeWorker:
    """Provide a worker whose jobs call by themselves, and one whose jobs share calls."""
    return FakeWorker(world, coalesce=request.param)


class Held(FakeGate):
    """A gate behind which lookups wait for the end of an outage."""

    def passes(self, command: Command) -> bool:
        """No lookup is let through at once."""
        return command is not Command.DND


class TestNewJob:
    """Nearly every job."""

    async def test_two_writes_are_enough(self, world: World, worker: FakeWorker) -> None:
        """Calling, and done; each may be what a crash leaves behind."""
        world.ledger.before = writes = Writes()
        assert Done() == await handled(worker, send_job(ONE, dnd="filter"))
        assert 2 == writes.count
        assert {ONE: "accepted"} == world.outcomes()

    async def test_one_that_comes_again_is_opened_first(self, world: World, worker: FakeWorker) -> None:
        """Somebody has been at it: nothing is asked before that is known."""
        await handled(worker, send_job(ONE, dnd="filter"))
        assert Done() == await handled(worker, send_job(ONE, dnd="filter"), redelivered=True)
        assert 1 == len(world.gateway.dnd_calls)
        assert {ONE: 1} == world.gateway.times_sent


class TestRaces:
    """Two workers have a new job at the same time."""

    async def test_who_writes_first_sends(self, world: World, worker: FakeWorker) -> None:
        """The other publishes the same result."""
        world.ledger.before = writes = Writes(stop_at=1)
        slow = asyncio.ensure_future(worker.dispatch()(delivery(Lane.SEND, send_job(ONE))))
        await writes.reached.wait()
        assert Done() == await handled(FakeWorker(world), send_job(ONE))
        writes.go_on.set()
        await world.clock.run(slow)
        assert {ONE: 1} == world.gateway.times_sent
        assert world.publisher.results[0] == world.publisher.results[1]

    async def test_other_content_under_the_same_id_is_a_conflict(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Also for the one that had looked up its recipients by then."""
        world.ledger.before = writes = Writes(stop_at=1)
        slow = asyncio.ensure_future(worker.dispatch()(delivery(Lane.SEND, send_job(TWO))))
        await writes.reached.wait()
        assert Done() == await handled(FakeWorker(world), send_job(ONE))
        writes.go_on.set()
        await world.clock.run(slow)
        assert isinstance(slow.result(), DeadLetter)
        assert {ONE: 1} == world.gateway.times_sent
        assert "send.rejected" == world.last.routing_key

    @pytest.mark.parametrize("count", [1, 150])
    async def test_one_that_is_only_opened_is_planned_by_who_comes_first(
        self, world: World, worker: FakeWorker, count: int
    ) -> None:
        """Its opener died, or still looks up: the plan of the other stands."""
        names = numbers(count)
        opener = FakeWorker(world, gate=Held())
        world.ledger.before = writes = Writes(stop_at=2)
        slow = asyncio.ensure_future(opener.dispatch()(delivery(Lane.SEND, send_job(*names))))
        await writes.reached.wait()
        assert Done() == await handled(worker, send_job(*names))
        writes.go_on.set()
        await world.clock.run(slow)
        assert Done() == slow.result()
        assert {1} == set(world.gateway.times_sent.values()) or world.publisher.parts
        assert len({part.body for part in world.publisher.parts}) == len(
            {part.message_id for part in world.publisher.parts}
        )


class TestOutages:
    """A job that waits long must not lose its id to one that comes later."""

    async def test_while_lookups_wait_it_is_opened_first(self, world: World) -> None:
        """The id is taken before the wait begins."""
        worker = FakeWorker(world, gate=Held(on_admit=(held := Waiting())))
        first = asyncio.ensure_future(worker.dispatch()(delivery(Lane.SEND, send_job(ONE, dnd="filter"))))
        await held.reached.wait()
        assert isinstance(await handled(FakeWorker(world), send_job(TWO)), DeadLetter)
        held.go_on.set()
        await world.clock.run(first)
        assert {ONE: 1} == world.gateway.times_sent

    async def test_before_it_goes_to_a_delay_queue_it_is_opened(
        self, world: World, worker: FakeWorker
    ) -> None:
        """It comes back to an id that is its own."""
        world.gateway.dnd_script = [TransientError("gateway_unreachable", "connection refused")] * 3
        job = send_job(ONE, dnd="filter")
        assert isinstance(await handled(worker, job), Delay)
        assert isinstance(await handled(worker, send_job(TWO)), DeadLetter)
        assert Done() == await handled(worker, job, attempts=1, first_seen=START)
        assert {ONE: 1} == world.gateway.times_sent


class Waiting:
    """A hook that keeps whoever comes."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self) -> None:
        """Wait to be let go on."""
        self.reached.set()
        await self.go_on.wait()
