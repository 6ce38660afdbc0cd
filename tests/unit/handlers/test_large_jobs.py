"""Large jobs that are sent by the worker that took them."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.fake_worker import (
    LEASE,
    FakeWorker,
    World,
    delivery,
    numbers,
    part_delivery,
    send_job,
    stopping,
)
from tests.support.fakes import Failing, settled
from worker.domain.errors import (
    GatewayAwayError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
)
from worker.domain.messages import DeadLetter, Delivery, Disposition, Done, JobSummary, Lane, Requeue

NAMES = numbers(250)  # two calls of a hundred, and one of fifty
FIRST, LAST = NAMES[0], NAMES[-1]
AWAY = TransientError("gateway_unreachable", "connection refused")
HELD = GatewayAwayError("gateway_away", "the job waited for the gateway and goes back")


@pytest.fixture
def world() -> World:
    """Provide ledger, gateway, broker and clock."""
    return World()


@pytest.fixture(params=[False, True], ids=["alone", "jointly"])
def worker(world: World, request: pytest.FixtureRequest) -> FakeWorker:
    """Provide a worker whose jobs call by themselves, and one whose jobs share calls."""
    return FakeWorker(world, share_above=1000, coalesce=request.param)


def large(*names: str, **fields: object) -> dict[str, object]:
    """The job of most of these tests."""
    return send_job(*(names or NAMES), **fields)


async def handled(worker: FakeWorker, job: object, **properties: Any) -> Disposition:  # noqa: ANN401 - of a delivery
    """What the worker decides on, time passing as it must."""
    return await decided(worker, delivery(Lane.SEND, job, **properties))


async def decided(worker: FakeWorker, taken: Delivery) -> Disposition:
    """The same of a delivery."""
    task = asyncio.ensure_future(worker.dispatch()(taken))
    await worker.world.clock.run(task)
    return task.result()


async def parts_handled(worker: FakeWorker) -> list[Disposition]:
    """Handle every part that waits on the parts queue, once."""
    parts, worker.world.publisher.parts = worker.world.publisher.parts, []
    return [await decided(worker, part_delivery(part)) for part in parts]


def nth_admission_fails(worker: FakeWorker, nth: int) -> None:
    """Let the gateway be away for whoever comes to the gate as the *nth*, from 1."""
    coming = iter(range(1, 1000))

    async def admit() -> None:
        if next(coming) == nth:
            raise HELD

    worker.gate.on_admit = admit


def sent_once(world: World, *names: str) -> bool:
    """Whether each of *names*, and nobody else, got the text, once."""
    return Counter(names or NAMES) == world.gateway.times_sent


class TestSentHere:
    """Up to the limit."""

    async def test_parts_hold_each_recipient_once(self, world: World, worker: FakeWorker) -> None:
        """Calls are packed, others have parts of their own, and nothing is on the queue of parts."""
        world.gateway.dnd = set(NAMES[::3])
        assert Done() == await handled(worker, large(*NAMES, "12", dnd="filter"))
        assert [] == world.publisher.parts
        found = [one["recipient"] for body in world.bodies for one in body["recipients"]]
        assert sorted([*NAMES, "12"]) == sorted(found)
        assert 2 == len(world.gateway.calls)
        assert [(1, 3), (2, 3), (3, 3)] == sorted((body["part"], body["parts"]) for body in world.bodies)

    async def test_each_part_has_an_entry_and_a_message_of_its_own(
        self, world: World, worker: FakeWorker
    ) -> None:
        """As those on the queue have them."""
        await handled(worker, large(), reply_to="q", correlation_id="c", traceparent="t")
        assert {"job-1/1", "job-1/2", "job-1/3"} == {one.message_id for one in world.publisher.results}
        assert {("c", "q", "t")} == {
            (one.correlation_id, one.reply_to, one.traceparent) for one in world.publisher.results
        }
        assert ["job-1", "job-1/1", "job-1/2", "job-1/3"] == sorted(
            key.rpartition("/")[0] or key for key in world.ledger.keys
        )

    async def test_a_job_above_the_limit_is_handed_out(self, world: World, worker: FakeWorker) -> None:
        """To all workers."""
        worker.share_above = 249
        assert Done() == await handled(worker, large())
        assert 3 == len(world.publisher.parts)
        assert [] == world.gateway.calls
        worker.share_above = 250
        await handled(worker, large(job_id="job-2"))
        assert 3 == len(world.publisher.parts)

    async def test_nothing_is_sent_before_the_plan_is_recorded(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Another worker must cut the job in the same way."""
        world.ledger.before = Failing("swap", {0})
        assert Requeue("ledger_away") == await handled(worker, large())
        assert [] == world.gateway.calls

    async def test_the_line_of_the_job_sums_its_parts_up(self, world: World, worker: FakeWorker) -> None:
        """Recipients by outcome and calls, as of a small job; and so do the metrics."""
        world.gateway.dnd = {LAST}
        with capture_logs() as lines:
            await handled(worker, large(*NAMES, "12", dnd="filter"))
        counts = {"accepted": 249, "dnd": 1, "invalid": 1}
        ((summary, lane, _),) = worker.observer.ended
        assert (JobSummary("send", "partial", "job-1", counts, 3), Lane.SEND) == (summary, lane)
        (line,) = [line for line in lines if line["event"] == "job.completed"]
        assert ("partial", "job-1", counts) == (
            line["result"],
            line["job_id"],
            {name: line[name] for name in counts},
        )

    async def test_an_urgent_job_calls_as_one(self, world: World, worker: FakeWorker) -> None:
        """Its calls are those that bulk work leaves free."""
        await decided(worker, delivery(Lane.SEND_URGENT, large()))
        assert {True} == {urgent for _, urgent in worker.gate.admitted}
        assert sent_once(world)

    async def test_a_refusal_is_its_parts_own(self, world: World, worker: FakeWorker) -> None:
        """The others are sent."""
        world.gateway.refusal, world.gateway.send_refused = PermanentError("number_refused", "no"), {LAST}
        assert Done() == await handled(worker, large())
        assert {"accepted": 200, "failed": 50} == Counter(world.outcomes().values())
        assert "partial" == worker.observer.ended[-1][0].result


class TestRounds:
    """A part that does not end in one round of attempts."""

    async def test_it_is_handed_out_and_the_others_results_are_out(
        self, world: World, worker: FakeWorker
    ) -> None:
        """It goes on from its entry; its line is its own."""
        world.gateway.refusal, world.gateway.send_refused = AWAY, {LAST}
        assert Done() == await handled(worker, large())
        assert ["job-1/1", "job-1/2"] == [one.message_id for one in world.publisher.results]
        assert ["job-1/3"] == [part.message_id for part in world.publisher.parts]
        assert {"accepted": 200} == worker.observer.ended[-1][0].counts
        world.gateway.send_refused = set()
        assert [Done()] == await parts_handled(worker)
        assert {"accepted": 250} == Counter(world.outcomes().values())
        assert sent_once(world)

    async def test_where_none_ends_all_are_handed_out(self, world: World, worker: FakeWorker) -> None:
        """The line is that of a job that was split."""
        world.gateway.refusal, world.gateway.send_refused = AWAY, set(NAMES)
        assert Done() == await handled(worker, large())
        assert 3 == len(world.publisher.parts)
        assert [] == world.publisher.results
        counts = {"recipients": 250, "parts": 3}
        assert JobSummary("send", "split", "job-1", counts) == worker.observer.ended[-1][0]

    async def test_its_rounds_begin_on_the_queue(self, world: World, worker: FakeWorker) -> None:
        """Given up, it is a dead letter of its own, as any part; the job is none."""
        world.gateway.refusal, world.gateway.send_refused = AWAY, {LAST}
        assert Done() == await handled(worker, large())
        (part,) = world.publisher.parts
        last = await decided(worker, part_delivery(part, attempts=len(worker.delays)))
        assert isinstance(last, DeadLetter)
        assert {"accepted": 200, "failed": 50} == Counter(world.outcomes().values())
        world.publisher.parts.clear()
        assert Done() == await handled(worker, large(), redelivered=True)
        assert [] == world.publisher.parts

    async def test_a_lost_reply_is_a_doubt_of_its_part_alone(self, world: World, worker: FakeWorker) -> None:
        """It is reported, and nobody is sent to twice."""
        world.gateway.script, world.gateway.lost = [OutcomeUncertainError("reply_lost", "lost")], True
        assert Done() == await handled(worker, large())
        assert {"accepted": 150, "uncertain": 100} == Counter(world.outcomes().values())
        assert [] == world.publisher.parts
        assert sent_once(world)

    async def test_a_job_whose_lookups_were_given_up(self, world: World, worker: FakeWorker) -> None:
        """Nobody is sent to; the results are published here, and the job is a dead letter, also once more."""
        job, last = large(dnd="filter"), len(worker.delays)
        for redelivered in (False, True):
            world.gateway.dnd_script = [AWAY] * 99
            decision = await handled(worker, job, attempts=last, redelivered=redelivered)
            assert isinstance(decision, DeadLetter)
        assert {"failed": 250} == Counter(world.outcomes().values())
        assert ([], []) == (world.gateway.calls, world.publisher.parts)
        assert 6 == len(world.publisher.results)
        assert 3 == len(set(world.publisher.results))


class TestOutage:
    """Something is away while parts are under way."""

    async def test_the_others_end_and_the_job_comes_again(self, world: World, worker: FakeWorker) -> None:
        """Then the one that was kept from its call is sent, and nobody twice."""
        nth_admission_fails(worker, 2)
        assert Requeue("gateway_away") == await handled(worker, large())
        before = set(world.publisher.results)
        assert 0 < len(before) < 3
        assert [] == world.publisher.parts
        worker.gate.on_admit = None
        assert Done() == await handled(worker, large(), redelivered=True)
        assert 3 == len(set(world.publisher.results))
        assert before < set(world.publisher.results)
        assert sent_once(world)

    async def test_a_stop_gives_back_what_was_not_begun(self, world: World, worker: FakeWorker) -> None:
        """Another worker sends it; what was under way is recorded and published first."""
        world.gateway.latency = 1.0
        coming = iter(range(1000))

        async def admit() -> None:
            if next(coming):
                raise GatewayAwayError("worker_stopping", "the worker stops")

        worker.gate.on_admit = admit
        assert Requeue("worker_stopping") == await handled(worker, large())
        assert 1 == len(world.publisher.results)
        other = FakeWorker(world, share_above=1000, coalesce=worker.coalesce)
        assert Done() == await handled(other, large(), redelivered=True)
        assert 3 == len(set(world.publisher.results))
        assert sent_once(world)

    async def test_a_result_that_is_not_confirmed_comes_again(self, world: World, worker: FakeWorker) -> None:
        """The same one, with all others."""
        world.publisher.failures = 1
        assert isinstance(await handled(worker, large()), Requeue)
        assert Done() == await handled(worker, large(), redelivered=True)
        assert 3 == len(set(world.publisher.results))
        assert {"accepted": 250} == Counter(world.outcomes().values())
        assert sent_once(world)

    async def test_a_part_that_cannot_be_handed_out_brings_the_job_back(
        self, world: World, worker: FakeWorker
    ) -> None:
        """It has been neither sent nor given to anybody."""
        world.gateway.refusal, world.gateway.send_refused = AWAY, {FIRST, LAST}
        world.publisher.part_failures = 1
        assert isinstance(await handled(worker, large()), Requeue)
        world.gateway.send_refused = set()
        assert Done() == await handled(worker, large(), redelivered=True)
        assert {"accepted": 250} == Counter(world.outcomes().values())
        assert sent_once(world)

    @pytest.mark.parametrize("nth", range(1, 7))
    async def test_a_ledger_that_is_away_makes_no_doubles(
        self, world: World, worker: FakeWorker, nth: int
    ) -> None:
        """At any claim or record; a reply waits for it."""
        world.ledger.before = Failing("swap", {nth})
        await handled(worker, large())
        assert Done() == await handled(worker, large(), redelivered=True)
        assert {"accepted": 250} == Counter(world.outcomes().values())
        assert sent_once(world)


class TestAgain:
    """The job is delivered once more."""

    async def test_what_is_done_is_only_published(self, world: World, worker: FakeWorker) -> None:
        """It does not wait for the gateway."""
        await handled(worker, large())
        admitted = len(worker.gate.admitted)
        assert Done() == await handled(worker, large(), redelivered=True)
        assert admitted == len(worker.gate.admitted)
        assert {2} == set(Counter(world.publisher.results).values())

    async def test_after_a_death_between_two_parts(self, world: World, worker: FakeWorker) -> None:
        """The done part's result comes again, the others are sent."""
        nth_admission_fails(worker, 1)
        task = asyncio.ensure_future(handled(worker, large()))
        await settled()
        assert isinstance(await task, Requeue)
        other = FakeWorker(world, share_above=1000, coalesce=worker.coalesce)
        assert Done() == await handled(other, large(), redelivered=True)
        assert 3 == len(set(world.publisher.results))
        assert sent_once(world)

    async def test_another_workers_call_is_waited_for(self, world: World, worker: FakeWorker) -> None:
        """The one that was cut off goes on; its reply is nobody's loss."""
        world.gateway.latency = 5.0
        first = asyncio.ensure_future(worker.dispatch()(delivery(Lane.SEND, large())))
        await settled()
        other = FakeWorker(world, share_above=1000, coalesce=worker.coalesce)
        second = other.dispatch()(delivery(Lane.SEND, large(), redelivered=True))
        await world.clock.run(asyncio.gather(first, second))
        assert {"accepted": 250} == Counter(world.outcomes().values())
        assert sent_once(world)

    async def test_calls_of_a_dead_worker_are_doubts(self, world: World, worker: FakeWorker) -> None:
        """All of them when the lease is over, at the same time; the rest is sent."""
        world.gateway.latency = 1e9
        dead = asyncio.ensure_future(worker.dispatch()(delivery(Lane.SEND, large())))
        await settled()
        begun, calls = world.clock.elapsed(), list(world.gateway.calls)
        world.gateway.latency = 0.0
        other = FakeWorker(world, share_above=1000, coalesce=worker.coalesce)
        assert Done() == await handled(other, large(), redelivered=True)
        assert world.clock.elapsed() - begun < LEASE + 2
        assert {name for call in calls for name in call} == {
            name for name, outcome in world.outcomes().items() if outcome == "uncertain"
        }
        assert sent_once(world)
        dead.cancel()

    async def test_a_part_on_the_queue_meets_the_job(self, world: World, worker: FakeWorker) -> None:
        """Handed out, and then the job comes again: one of the two sends, both publish the same."""
        world.gateway.refusal, world.gateway.send_refused = AWAY, {LAST}
        await handled(worker, large())
        (part,) = world.publisher.parts
        world.gateway.send_refused, world.gateway.latency = set(), 1.0
        dispatch = worker.dispatch()
        both = (dispatch(part_delivery(part)), dispatch(delivery(Lane.SEND, large(), redelivered=True)))
        await world.clock.run(asyncio.gather(*both))
        assert 3 == len(set(world.publisher.results))
        assert sent_once(world)


class TestPlaces:
    """How much one worker sends by itself."""

    async def test_a_job_for_which_there_is_no_place_is_handed_out(
        self, world: World, worker: FakeWorker
    ) -> None:
        """After a while; the next one has the place of the first when that is done."""
        worker.room, worker.patience = 1000, 0.0
        world.gateway.latency = 5.0
        dispatch = worker.dispatch()
        jobs = (dispatch(delivery(Lane.SEND, large(job_id=f"job-{number}"))) for number in (1, 2))
        await world.clock.run(asyncio.gather(*jobs))
        assert {"job-1"} == {body["job_id"] for body in world.bodies}
        assert ["job-2/1", "job-2/2", "job-2/3"] == [part.message_id for part in world.publisher.parts]
        await world.clock.run(dispatch(delivery(Lane.SEND, large(job_id="job-3"))))
        assert {"job-1", "job-3"} == {body["job_id"] for body in world.bodies}

    async def test_an_urgent_job_waits_for_no_bulk_job(self, world: World, worker: FakeWorker) -> None:
        """Their places are their own."""
        worker.room = 1000
        world.gateway.latency = 5.0
        dispatch = worker.dispatch()
        bulk = asyncio.ensure_future(dispatch(delivery(Lane.SEND, large(job_id="bulk"))))
        await settled()
        world.gateway.latency = 0.0
        await world.clock.run(dispatch(delivery(Lane.SEND_URGENT, large(job_id="urgent"))))
        assert {"urgent"} == {body["job_id"] for body in world.bodies}
        await world.clock.run(bulk)

    async def test_few_recipients_need_none(self, world: World, worker: FakeWorker) -> None:
        """A job of one call goes at once."""
        worker.room, worker.patience = 1000, 0.0
        world.gateway.latency = 5.0
        dispatch = worker.dispatch()
        jobs = [
            dispatch(delivery(Lane.SEND, large())),
            dispatch(delivery(Lane.SEND, large(FIRST, job_id="x"))),
        ]
        await world.clock.run(asyncio.gather(*jobs))
        assert [] == world.publisher.parts
        assert {"job-1", "x"} == {body["job_id"] for body in world.bodies}


class TestCancelled:
    """The end of the drain, with calls under way."""

    async def test_no_record_is_cut_in_two(self, world: World) -> None:
        """One part waits for its reply, the others have theirs and write it down."""
        worker = FakeWorker(world, share_above=1000)
        replies, records = asyncio.Event(), asyncio.Event()
        calls = iter(range(10))

        async def first_two_replies() -> None:
            if next(calls) == 2:
                await replies.wait()

        async def slow_record(name: str) -> None:
            if name == "swap" and len(world.gateway.calls) == 3:
                await records.wait()

        world.gateway.before_send = first_two_replies
        task = asyncio.ensure_future(worker.dispatch()(delivery(Lane.SEND, large())))
        world.ledger.before = slow_record
        await settled()
        stop = stopping(task)
        await settled()
        assert not task.done()
        records.set()
        await stop
        assert task.cancelled()
        replies.set()
        world.ledger.before = world.gateway.before_send = None
        assert Done() == await handled(FakeWorker(world, share_above=1000), large(), redelivered=True)
        assert {"accepted": 200, "uncertain": 50} == Counter(world.outcomes().values())
