"""Jobs with a time of their own, and jobs that the hours apply to: nobody is texted at the wrong time."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from tests.support.fake_worker import (
    LEASE,
    FakeWorker,
    World,
    delivery,
    numbers,
    part_delivery,
    send_job,
)
from tests.support.fakes import START
from worker.domain.errors import OutcomeUncertainError
from worker.domain.hours import Hours
from worker.domain.messages import DeadLetter, Delivery, Disposition, Done, Hold, Lane, Requeue, Schedule
from worker.handlers import finishing
from worker.handlers.send import planning

ONE, TWO = numbers(2)
MANY = numbers(5_000)
HOURS = Hours.of(("06:00-12:01",), "UTC")  # to a minute after the start
OVER = Hours.of(("06:00-11:00",), "UTC")
NEXT_DAY = 18 * 3600.0
LIFE: ContextVar[int] = ContextVar("LIFE", default=2)
FIRST_LIFE = Context()
FIRST_LIFE.run(LIFE.set, 1)


@pytest.fixture
def world() -> World:
    """Provide ledger, gateway, broker and clock."""
    return World()


@pytest.fixture(params=[False, True], ids=["alone", "jointly"])
def worker(world: World, request: pytest.FixtureRequest) -> FakeWorker:
    """Provide a worker whose jobs call by themselves, and one whose jobs share calls."""
    return FakeWorker(world, coalesce=request.param)


def after(seconds: float) -> str:
    """So many seconds after the start, as a job has it."""
    return (START + timedelta(seconds=seconds)).isoformat()


async def decided(worker: FakeWorker, taken: Delivery) -> Disposition:
    """What the worker decides on, time passing as it must."""
    task = asyncio.ensure_future(worker.dispatch()(taken))
    await worker.world.clock.run(task)
    return task.result()


async def handled(
    worker: FakeWorker,
    job: object,
    lane: Lane = Lane.SEND,
    **properties: Any,  # noqa: ANN401 - of a delivery
) -> Disposition:
    """The same of a job."""
    return await decided(worker, delivery(lane, job, **properties))


class TestScheduled:
    """``send_after``."""

    async def test_a_job_before_its_time_waits_in_the_broker(self, world: World, worker: FakeWorker) -> None:
        """Nobody is asked about its numbers, and nothing is planned."""
        job = send_job(ONE, dnd="filter", send_after=after(100.2))
        assert Schedule(101, "scheduled") == await handled(worker, job)
        assert ([], [], []) == (world.gateway.calls, world.gateway.dnd_calls, world.publisher.results)
        assert {"job-1"} == world.ledger.keys

    async def test_its_id_is_its_own_from_then_on(self, world: World, worker: FakeWorker) -> None:
        """Other content is rejected, the same content waits as well."""
        await handled(worker, send_job(ONE, send_after=after(100)))
        other = await handled(worker, send_job(TWO, send_after=after(100)))
        assert isinstance(other, DeadLetter)
        assert "job_id_conflict" == other.reason
        assert isinstance(await handled(worker, send_job(ONE, send_after=after(100))), Schedule)
        assert [] == world.gateway.calls

    async def test_it_is_sent_when_it_comes_back(self, world: World, worker: FakeWorker) -> None:
        """Once, however many copies of it waited."""
        job = send_job(ONE, send_after=after(100))
        await handled(worker, job)
        world.clock.leap(100)
        for _ in range(2):
            assert Done() == await handled(worker, job, waited=True)
        assert {ONE: 1} == world.gateway.times_sent
        assert world.bodies[0] == world.bodies[1]

    async def test_one_that_comes_back_early_waits_for_the_rest(
        self, world: World, worker: FakeWorker
    ) -> None:
        """By the clock of the worker that has it."""
        job = send_job(ONE, send_after=after(100))
        world.clock.leap(99.5)
        assert Schedule(1, "scheduled") == await handled(worker, job, waited=True)

    @pytest.mark.parametrize("seconds", [0, -1, -1e8])
    async def test_a_time_that_is_over_is_none(
        self, world: World, worker: FakeWorker, seconds: float
    ) -> None:
        """It goes at once, without a step more."""
        assert Done() == await handled(worker, send_job(ONE, send_after=after(seconds)))
        assert {ONE: 1} == world.gateway.times_sent

    async def test_too_far_ahead_is_rejected(self, world: World, worker: FakeWorker) -> None:
        """By its name, with the limit."""
        assert isinstance(await handled(worker, send_job(ONE, send_after=after(604_800))), Schedule)
        dead = await handled(worker, send_job(ONE, job_id="job-2", send_after=after(604_801)))
        assert isinstance(dead, DeadLetter)
        (error,) = world.bodies[0]["errors"]
        assert ["send_after"] == error["loc"]
        assert "604800 seconds" in error["msg"]

    async def test_a_lower_limit_is_for_those_that_come_after_it(
        self, world: World, worker: FakeWorker
    ) -> None:
        """What has waited was accepted."""
        worker.send_after_limit = 10
        assert isinstance(await handled(worker, send_job(ONE, send_after=after(100)), waited=True), Schedule)
        assert [] == world.publisher.results

    async def test_it_is_renewed_at_each_look(self, world: World, worker: FakeWorker) -> None:
        """A schedule may be longer than the ledger remembers."""
        worker.longest_wait = 1800
        renewed: list[str] = []

        async def note(name: str) -> None:
            renewed.append(name)

        world.ledger.before = note
        await handled(worker, send_job(ONE, send_after=after(5000)), waited=True)
        assert "renew" in renewed

    async def test_a_clock_that_is_set_back_before_the_call_stops_it(
        self, world: World, worker: FakeWorker
    ) -> None:
        """The claim is taken back: nothing was sent."""

        async def set_back(name: str) -> None:
            if name == "swap":
                world.ledger.before = None
                world.clock.step_wall(-50)

        world.ledger.before = set_back
        assert Schedule(50, "scheduled") == await handled(worker, send_job(ONE, send_after=after(0)))
        assert [] == world.gateway.calls
        world.clock.leap(50)
        assert Done() == await handled(worker, send_job(ONE, send_after=after(0)), waited=True)
        assert {ONE: "accepted"} == world.outcomes()

    async def test_a_part_that_is_early_goes_back(self, world: World, worker: FakeWorker) -> None:
        """To its queue, for the moment by which two clocks differ."""
        worker.share_above = 100
        await handled(worker, send_job(*MANY[:150], send_after=after(0)))
        world.clock.step_wall(-0.5)
        assert Requeue("scheduled") == await decided(worker, part_delivery(world.publisher.parts[0]))


class TestOutsideTheHours:
    """Jobs of the categories that the hours apply to."""

    @pytest.mark.parametrize("lane", [Lane.SEND, Lane.SEND_URGENT])
    @pytest.mark.parametrize("category", [None, "promotional", "service_explicit"])
    async def test_they_are_held(
        self, world: World, worker: FakeWorker, lane: Lane, category: str | None
    ) -> None:
        """Urgent or not; with an id of their own from then on, and without a question to anybody."""
        worker.hours = OVER
        job = send_job(ONE, dnd="filter", category=category)
        assert Hold("outside_hours") == await handled(worker, job, lane)
        assert ([], []) == (world.gateway.calls, world.gateway.dnd_calls)
        assert {"job-1"} == world.ledger.keys

    @pytest.mark.parametrize("category", ["service", "transactional"])
    async def test_others_go(self, world: World, worker: FakeWorker, category: str) -> None:
        """At any hour."""
        worker.hours = OVER
        assert Done() == await handled(worker, send_job(ONE, category=category))
        assert {ONE: 1} == world.gateway.times_sent

    async def test_only_promotional_ones_are_filtered(self, world: World, worker: FakeWorker) -> None:
        """The hours and the DND list are two matters."""
        world.gateway.dnd = {ONE}
        await handled(worker, send_job(ONE, dnd=None, category="service_explicit"))
        await handled(worker, send_job(ONE, dnd=None, job_id="job-2"))
        assert ["accepted", "dnd"] == [body["recipients"][0]["outcome"] for body in world.bodies]

    async def test_what_was_held_and_comes_early_stays_in_front(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Its queue is looked into now and then."""
        worker.hours = OVER
        assert Requeue("outside_hours") == await handled(worker, send_job(ONE), Lane.SEND_HELD, waited=True)
        assert [] == world.gateway.calls

    async def test_whoever_cannot_make_it_is_expired_at_once(self, world: World, worker: FakeWorker) -> None:
        """With a code of its own, and no question to the DND list."""
        worker.hours = OVER
        job = send_job(ONE, "12", dnd="filter", expires_at=after(NEXT_DAY))
        assert Done() == await handled(worker, job)
        by_number = {one["recipient"]: one for one in world.bodies[0]["recipients"]}
        assert ("expired", "outside_hours") == (by_number[ONE]["outcome"], by_number[ONE]["error"]["code"])
        assert ("invalid", "expired") == (by_number["12"]["outcome"], world.bodies[0]["status"])
        assert [] == world.gateway.dnd_calls
        later = send_job(ONE, job_id="job-2", expires_at=after(NEXT_DAY + 1))
        assert Hold("outside_hours") == await handled(worker, later)

    async def test_a_time_outside_the_hours_comes_first(self, world: World, worker: FakeWorker) -> None:
        """Then the job is held."""
        worker.hours = HOURS
        job = send_job(ONE, send_after=after(100))
        assert Schedule(100, "scheduled") == await handled(worker, job)
        world.clock.leap(100)
        assert Hold("outside_hours") == await handled(worker, job, waited=True)
        assert [] == world.gateway.calls

    async def test_a_repeat_that_meets_the_end_waits_for_the_morning(
        self, world: World, worker: FakeWorker
    ) -> None:
        """It may have been sent: it keeps its count of calls."""
        worker.hours = HOURS
        world.gateway.script = [OutcomeUncertainError("reply_lost", "no reply")]
        world.gateway.latency = 61
        job = send_job(ONE, on_uncertain="resend")
        assert Hold("outside_hours") == await handled(worker, job)
        world.gateway.latency = 0
        world.clock.leap(NEXT_DAY)
        assert Done() == await handled(worker, job, Lane.SEND_HELD, waited=True)
        assert [(ONE,), (ONE,)] == world.gateway.calls

    async def test_the_end_between_claim_and_call_stops_the_call(
        self, world: World, worker: FakeWorker
    ) -> None:
        """The claim is taken back, and the next morning's call is the first."""
        worker.hours = HOURS

        async def end(name: str) -> None:
            if name == "swap":
                world.ledger.before = None
                world.clock.step_wall(60)

        world.ledger.before = end
        assert Hold("outside_hours") == await handled(worker, send_job(ONE))
        assert [] == world.gateway.calls
        world.clock.leap(NEXT_DAY)
        await handled(worker, send_job(ONE), Lane.SEND_HELD, waited=True)
        assert {ONE: 1} == world.gateway.times_sent


@dataclass
class Night:
    """A job for 5,000 that the hours end for in the middle: a call goes out every two seconds.

    Attributes:
        called: when each call arrived at the gateway.
        waiting: deliveries that are not settled.
        held: what is in the held queues.
    """

    world: World
    worker: FakeWorker
    called: list[datetime] = field(default_factory=list)
    waiting: list[Delivery] = field(default_factory=list)
    held: list[Delivery] = field(default_factory=list)
    turns: Iterator[int] = field(default_factory=lambda: count(1))
    is_dead: bool = False
    dead: list["asyncio.Task[Disposition]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.worker.hours = HOURS
        self.world.gateway.latency = 1.5
        self.world.gateway.before_send = self._arrived
        self.worker.gate.on_admit = self._turn

    async def evening(self) -> None:
        """Hand the job out, and whatever that leads to, until all of it is done or held."""
        self.waiting.append(delivery(Lane.SEND, send_job(*MANY)))
        while self.waiting:
            waiting, self.waiting = self.waiting, []
            await self._work(waiting)
            self._hand_out_parts()

    async def morning(self) -> None:
        """Go on when the hours begin."""
        self.world.clock.leap((START + timedelta(seconds=NEXT_DAY) - self.world.clock.now()).total_seconds())
        self.turns = count(1)
        held, self.held = self.held, []
        await self._work(held)
        assert [] == self.held

    async def killed_at(self, seconds: float) -> None:
        """Kill the worker, so many seconds after the start; the broker has its deliveries again."""
        waiting = [delivery(Lane.SEND, send_job(*MANY))]
        if self.worker.share_above < len(MANY):
            await self._work(waiting)
            self._hand_out_parts()
            waiting, self.waiting = self.waiting, []
        dispatch = self.worker.dispatch()
        self.dead = tasks = [asyncio.create_task(dispatch(one), context=FIRST_LIFE.copy()) for one in waiting]
        self.world.ledger.before = self.world.publisher.before = self._unless_dead
        await self.world.clock.advance(seconds)
        self.is_dead = True
        await self.world.clock.advance(5)
        for one, task in zip(waiting, tasks, strict=True):
            if task.done():
                self._settled(one, task.result())
            else:
                self.waiting.append(_again(one))
        while self.waiting:
            waiting, self.waiting = self.waiting, []
            await self._work(waiting)
            self._hand_out_parts()

    async def bury(self) -> None:
        """Forget what hangs."""
        for task in self.dead:
            task.cancel()
        await asyncio.gather(*self.dead, return_exceptions=True)

    async def _unless_dead(self, _: str = "") -> None:
        """Hang where a process that was killed would have done something."""
        if self.is_dead and LIFE.get() == 1:
            await asyncio.get_running_loop().create_future()

    async def _work(self, deliveries: list[Delivery]) -> None:
        dispatch = self.worker.dispatch()
        tasks = [asyncio.ensure_future(dispatch(one)) for one in deliveries]
        await self.world.clock.run(asyncio.gather(*tasks), limit=10 * LEASE)
        for one, task in zip(deliveries, tasks, strict=True):
            self._settled(one, task.result())

    def _settled(self, one: Delivery, disposition: Disposition) -> None:
        match disposition:
            case Hold():
                self.held.append(_again(one, lane=one.lane.held_lane, waited=True))
            case Requeue():
                self.waiting.append(_again(one))
            case _:
                assert Done() == disposition

    def _hand_out_parts(self) -> None:
        parts, self.world.publisher.parts = self.world.publisher.parts, []
        self.waiting += [part_delivery(part) for part in parts]

    async def _turn(self) -> None:
        await self.world.clock.sleep(2.0 * next(self.turns))

    async def _arrived(self) -> None:
        self.called.append(self.world.clock.now())


def _again(one: Delivery, **changed: Any) -> Delivery:  # noqa: ANN401 - the fields of a delivery
    kept = {name: getattr(one, name) for name in ("lane", "body", "routing_key", "message_id", "waited")}
    return Delivery(**{**kept, "redelivered": True, **changed})


@pytest.fixture(params=[10_000, 100], ids=["sent here", "handed out"])
def night(world: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Night:
    """Provide a job that one worker sends, and one whose parts any worker may."""
    monkeypatch.setattr(planning, "_MANY", len(MANY))  # virtual time knows nothing of threads
    return Night(world, FakeWorker(world, share_above=request.param))


class TestTheEndOfTheHours:
    """In the middle of a large job."""

    async def test_no_call_is_outside_and_the_rest_goes_out_in_the_morning(
        self, world: World, night: Night
    ) -> None:
        """To each of 5,000, once."""
        await night.evening()
        before = len(night.called)
        assert 0 < before < 50
        assert night.held
        await night.morning()
        assert 50 == len(night.called)
        assert [] == [moment for moment in night.called if not HOURS.are_open(moment)]
        assert Counter(MANY) == world.gateway.times_sent
        assert {"accepted"} == set(world.outcomes().values())
        assert len(MANY) == len(world.outcomes())

    @pytest.mark.row(
        "hours/killed-at-the-end",
        "the worker dies at the last call before the hours end, in the middle of a job for 5,000",
        "what was under way is `uncertain`, at once; the rest goes out in the next hours, none outside",
    )
    @pytest.mark.parametrize("seconds", [58.9, 59.9, 60.1])
    async def test_nor_with_a_kill_at_the_border(
        self, world: World, night: Night, seconds: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was under way then may have been sent, and is told so; nobody gets it twice."""
        monkeypatch.setattr(finishing, "LAST_STEP", 0.01)  # of what hangs, at the end of the test
        await night.killed_at(seconds)
        assert night.held
        await night.morning()
        assert [] == [moment for moment in night.called if not HOURS.are_open(moment)]
        assert Counter(MANY) == world.gateway.times_sent
        outcomes = Counter(world.outcomes().values())
        assert len(MANY) == outcomes.total()
        assert {"accepted", "uncertain"} >= outcomes.keys()
        assert outcomes["uncertain"] <= 200
        await night.bury()
