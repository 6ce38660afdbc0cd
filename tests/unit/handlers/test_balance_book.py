"""The balance as a fleet reads it: in turns, each fall counted once."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fake_worker import FakeWorker, World
from tests.support.fakes import settled
from worker.domain.balance import Balance, decode, encode, movement
from worker.domain.errors import LedgerUnavailableError, TransientError
from worker.handlers.balance_book import BalanceBook
from worker.handlers.credits_watch import CreditsWatch

INTERVAL = 60.0


@pytest.fixture
def world() -> World:
    """What the workers share."""
    return World()


class Fleet:
    """Workers that watch one balance."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.workers: list[FakeWorker] = []
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> FakeWorker:
        """Start one more."""
        world, worker = self.world, FakeWorker(self.world)
        watch = CreditsWatch(
            worker.lookups,
            world.publisher,
            worker.observer,
            world.clock,
            threshold=Decimal(100),
            interval=INTERVAL,
            draw_id=world.token,
            book=BalanceBook(world.ledger, "balance/a", world.token, lambda: world.clock.now().timestamp()),
        )
        self.workers.append(worker)
        self.tasks.append(asyncio.ensure_future(watch.run()))
        return worker

    def kill(self, number: int) -> None:
        """Kill one; what it has counted is gone with it as far as it has not been scraped."""
        self.tasks[number].cancel()

    @property
    def spent(self) -> Decimal:
        """What all of them counted."""
        return sum((worker.observer.spent for worker in self.workers), Decimal(0))

    @property
    def added(self) -> Decimal:
        """The same of top-ups."""
        return sum((worker.observer.added for worker in self.workers), Decimal(0))


@pytest.fixture
async def fleet(world: World) -> AsyncIterator[Fleet]:
    """None runs yet."""
    fleet = Fleet(world)
    yield fleet
    for task in fleet.tasks:
        task.cancel()
    await asyncio.gather(*fleet.tasks, return_exceptions=True)


async def grown(fleet: Fleet, count: int) -> None:
    """Start workers seven seconds apart."""
    for _ in range(count):
        fleet.start()
        await fleet.world.clock.advance(7)


class TestTurns:
    """Who reads."""

    async def test_one_worker_of_a_fleet_reads(self, world: World, fleet: Fleet) -> None:
        """But for the first look of each, at its start."""
        await grown(fleet, 4)
        assert world.gateway.account_calls == 4
        await world.clock.advance(600)
        assert 4 + 9 <= world.gateway.account_calls <= 4 + 11

    async def test_all_show_what_one_has_read(self, world: World, fleet: Fleet) -> None:
        """Within an interval."""
        await grown(fleet, 3)
        world.gateway.balance = Decimal("417.5")
        await world.clock.advance(2.2 * INTERVAL)
        assert {worker.observer.balances[-1] for worker in fleet.workers} == {Decimal("417.5")}

    async def test_another_one_goes_on_when_the_reader_dies(self, world: World, fleet: Fleet) -> None:
        """Also within its turn: a fall that nobody has counted is in the next reading."""
        await grown(fleet, 2)
        world.gateway.balance -= 10
        world.gateway.account_script = [TransientError("gateway_unreachable", "away")] * 3
        await world.clock.advance(INTERVAL)
        fleet.kill(0)
        await world.clock.advance(2 * INTERVAL)
        assert fleet.spent == 10


class TestMovements:
    """What is counted."""

    async def test_each_fall_once(self, world: World, fleet: Fleet) -> None:
        """Whoever reads it."""
        await grown(fleet, 3)
        for _ in range(20):
            world.gateway.balance -= Decimal("2.5")
            await world.clock.advance(37)
        await world.clock.advance(3 * INTERVAL)
        assert [fleet.spent, fleet.added] == [50, 0]
        assert len([worker for worker in fleet.workers if worker.observer.spent]) > 0

    async def test_what_was_spent_while_nobody_ran(self, world: World, fleet: Fleet) -> None:
        """The ledger remembers the last reading."""
        fleet.start()
        await world.clock.advance(1)
        fleet.kill(0)
        world.gateway.balance -= 7
        fleet.start()
        await settled()
        assert fleet.spent == 7

    async def test_a_top_up_is_no_negative_fall(self, world: World, fleet: Fleet) -> None:
        """What was spent meanwhile, nobody can tell."""
        fleet.start()
        await settled()
        world.gateway.balance += 993
        await world.clock.advance(INTERVAL)
        assert [fleet.spent, fleet.added] == [0, 993]

    async def test_readings_at_the_same_time_count_once(self, world: World, fleet: Fleet) -> None:
        """Two that start together both look; the swap decides who counts."""
        fleet.start()
        await settled()
        world.gateway.balance -= 9
        fleet.start()
        fleet.start()
        await settled()
        assert fleet.spent == 9

    async def test_a_reading_that_another_one_has_overtaken_is_not_counted(self, world: World) -> None:
        """Else both would count the same fall, or one an older balance as a rise."""
        book = BalanceBook(world.ledger, "balance/a", world.token, lambda: 0.0)
        await book.read(await book.turn(INTERVAL, at_once=True), Decimal(100), low=False)
        slow = await book.turn(INTERVAL, at_once=True)
        quick = await book.turn(INTERVAL, at_once=True)
        moved = await book.read(quick, Decimal(90), low=False)
        assert moved is not None
        assert moved.spent == 10
        assert await book.read(slow, Decimal(95), low=False) is None
        assert await book.read(quick, Decimal(90), low=False) is None

    async def test_a_ledger_that_is_away_stops_no_reading(self, world: World, fleet: Fleet) -> None:
        """It is only not counted; the next one is, as a whole."""

        async def away(_name: str) -> None:
            raise LedgerUnavailableError("ledger_away", "away")

        worker = fleet.start()
        await settled()
        world.gateway.balance -= 5
        world.ledger.before = away
        await world.clock.advance(INTERVAL)
        assert [worker.observer.balances[-1], fleet.spent] == [995, 0]
        world.ledger.before = None
        await world.clock.advance(INTERVAL)
        assert fleet.spent == 5


class TestLow:
    """The word of a fleet."""

    async def test_one_word_for_each_fall(self, world: World, fleet: Fleet) -> None:
        """Not one of each worker, and none again after a restart."""
        await grown(fleet, 3)
        for balance in (99, 50, 500, 20):
            world.gateway.balance = Decimal(balance)
            await world.clock.advance(3 * INTERVAL)
        await grown(fleet, 1)
        await world.clock.advance(3 * INTERVAL)
        assert [body["remaining_credits"] for body in world.bodies] == [99, 20]

    async def test_it_is_said_until_it_is_out(self, world: World, fleet: Fleet) -> None:
        """By whoever reads next."""
        await grown(fleet, 2)
        world.gateway.balance = Decimal(5)
        world.publisher.failures = 2
        await world.clock.advance(5 * INTERVAL)
        assert [body["remaining_credits"] for body in world.bodies] == [5]


class TestCodec:
    """The entry."""

    @given(
        at=st.floats(0, 4e9),
        left=st.none() | st.decimals(-1e9, 1e9, places=4),
        low=st.booleans(),
    )
    def test_round_trip(self, at: float, left: Decimal | None, low: bool) -> None:  # noqa: FBT001 - made up
        """Exact: credits may be fractions."""
        assert Balance(at, left, low) == decode(encode(Balance(at, left, low)))

    @pytest.mark.parametrize(
        "state", [b"", b"{}", b"[]", b"\xff", b'{"v": 2, "at": 1, "left": "5", "low": true}']
    )
    def test_of_anything_else_nothing_is_known(self, state: bytes) -> None:
        """Which only costs a reading."""
        assert decode(state) == Balance()
        assert movement(decode(state), Decimal(5)) is None
