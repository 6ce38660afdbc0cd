"""Jobs that share calls: each has its own claim, its own answer and its own record."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from tests.support.fake_worker import FakeWorker, World, delivery, numbers, part_delivery, send_job, stopping
from tests.support.fakes import START, Failing, settled
from worker.domain.errors import (
    AccountError,
    AccountTrouble,
    GatewayAwayError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.domain.messages import DeadLetter, Delay, Disposition, Done, Lane, Requeue
from worker.domain.sent_ids import SentIds
from worker.handlers.dispatch import Dispatch
from worker.ports import Command

LOST = OutcomeUncertainError("reply_lost", "no reply")
AWAY = TransientError("gateway_unreachable", "refused")
NUMBER = PermanentError("number_refused", "Invalid mobile numbers")
EMPTY = AccountError("credits_exhausted", "none left", trouble=AccountTrouble.CREDITS)
EMPTY.counts = False


@pytest.fixture
def world() -> World:
    """Provide ledger, gateway, broker and clock; a send takes a second."""
    world = World()
    world.gateway.latency = 1.0
    return world


@pytest.fixture
def worker(world: World) -> FakeWorker:
    """Provide a worker whose jobs share calls."""
    return FakeWorker(world, coalesce=True)


def job(number: int, **fields: object) -> dict[str, object]:
    """One of many jobs to one recipient each, with the same text."""
    return send_job(numbers(200)[number], job_id=f"job-{number}", **fields)


def started(
    dispatch: Dispatch, *jobs: dict[str, object], lane: Lane = Lane.SEND
) -> "list[asyncio.Task[Disposition]]":
    """Deliveries that are worked on side by side."""
    return [asyncio.ensure_future(dispatch(delivery(lane, one))) for one in jobs]


async def done(world: World, *jobs: dict[str, object], worker: FakeWorker) -> list[Disposition]:
    """What the worker decides on each, all of them at once."""
    tasks = started(worker.dispatch(), *jobs)
    await world.clock.run(asyncio.gather(*tasks))
    return [task.result() for task in tasks]


def outcomes(world: World) -> dict[str, list[dict[str, Any]]]:
    """The recipients of each job by its latest result."""
    bodies = (json.loads(result.body) for result in world.publisher.results)
    return {body["job_id"]: body["recipients"] for body in bodies}


def words(world: World) -> dict[str, str]:
    """The outcome of each job with one recipient."""
    return {name: recipients[0]["outcome"] for name, recipients in outcomes(world).items()}


def named(which: Iterable[int], outcome: str) -> dict[str, str]:
    """So many jobs with the same outcome."""
    return {f"job-{number}": outcome for number in which}


class TestSharing:
    """Who rides with whom."""

    async def test_jobs_that_come_together_go_together(self, world: World, worker: FakeWorker) -> None:
        """One call; each job publishes its own recipients with their ids."""
        assert [Done()] * 5 == await done(world, *map(job, range(5)), worker=worker)
        assert [numbers(5)] == world.gateway.calls
        for number, name in enumerate(numbers(5)):
            expected = {"recipient": name, "outcome": "accepted", "message_id": world.gateway.given[name][0]}
            assert [expected] == outcomes(world)[f"job-{number}"]
        assert [(Command.SEND, 5)] == worker.observer.shared
        assert [(Command.SEND, False)] == worker.gate.admitted

    async def test_an_idle_worker_does_not_wait_for_company(self, world: World, worker: FakeWorker) -> None:
        """The call goes out without a second passing."""
        started(worker.dispatch(), job(0))
        await settled()
        assert [numbers(1)] == world.gateway.calls

    async def test_a_busy_one_fills_its_calls(self, world: World, worker: FakeWorker) -> None:
        """Two are under way; who comes meanwhile shares the next, which a hundred need not wait for."""
        dispatch = worker.dispatch()
        for number in range(2):
            started(dispatch, job(number))
            await settled()
        started(dispatch, *map(job, range(2, 150)))
        await settled()
        assert [1, 1, 100] == [len(call) for call in world.gateway.calls]
        await world.clock.advance(1.0)
        assert [1, 1, 100, 48] == [len(call) for call in world.gateway.calls]

    @pytest.mark.parametrize(
        "fields",
        [{"text": "another"}, {"sender": "SHOP"}, {"unicode": True}, {"params": {"templateid": "7"}}],
        ids=lambda fields: next(iter(fields)),
    )
    async def test_another_message_is_another_call(
        self, world: World, worker: FakeWorker, fields: dict[str, object]
    ) -> None:
        """Text, sender, alphabet and params must be the same."""
        await done(world, job(0), job(1, **fields), worker=worker)
        assert [1, 1] == [len(call) for call in world.gateway.calls]

    async def test_urgent_jobs_do_not_wait_with_others(self, worker: FakeWorker) -> None:
        """Their calls have slots of their own."""
        dispatch = worker.dispatch()
        started(dispatch, job(0))
        started(dispatch, job(1), lane=Lane.SEND_URGENT)
        await settled()
        assert [(Command.SEND, False), (Command.SEND, True)] == worker.gate.admitted

    async def test_two_jobs_to_one_number_are_two_calls(self, world: World, worker: FakeWorker) -> None:
        """A reply names ids by number: each job must have its own."""
        first, second = job(0), {**job(0), "job_id": "second"}
        await done(world, first, second, worker=worker)
        ids = {name: found[0]["message_id"] for name, found in outcomes(world).items()}
        assert 2 == len(set(ids.values())) == len(world.gateway.calls)

    async def test_one_id_for_the_whole_call(self, world: World, worker: FakeWorker) -> None:
        """Is the id of every job in it; each names only its own numbers."""
        world.gateway.script = [dict.fromkeys(numbers(3), "one")]
        await done(world, *map(job, range(3)), worker=worker)
        assert {(name, "one") for name in numbers(3)} == {
            (one["recipient"], one["message_id"]) for found in outcomes(world).values() for one in found
        }
        assert {1} == {len(found) for found in outcomes(world).values()}

    async def test_a_number_with_several_ids_has_them_all(self, world: World, worker: FakeWorker) -> None:
        """And nobody else has them."""
        world.gateway.script = [{numbers(2)[0]: ("a", "b"), numbers(2)[1]: "c"}]
        await done(world, job(0), job(1), worker=worker)
        ((first,), (second,)) = (outcomes(world)["job-0"], outcomes(world)["job-1"])
        assert ("a", ["b"]) == (first["message_id"], first["earlier_message_ids"])
        assert ("c", False) == (second["message_id"], "earlier_message_ids" in second)

    async def test_a_number_that_the_reply_leaves_out(self, world: World, worker: FakeWorker) -> None:
        """Is uncertain for its own job."""
        world.gateway.script = [{numbers(2)[0]: "a"}]
        await done(world, job(0), job(1), worker=worker)
        assert {"job-0": "accepted", "job-1": "uncertain"} == words(world)

    async def test_a_call_stays_below_the_limit_of_its_url(self, world: World, worker: FakeWorker) -> None:
        """Who finds no room takes the next one; no job is torn apart."""
        world.gateway.per_call = 3
        pairs = [send_job(*numbers(10)[at : at + 2], job_id=f"pair-{at}") for at in range(0, 10, 2)]
        await done(world, *pairs, worker=worker)
        assert [2] * 5 == [len(call) for call in world.gateway.calls]

    async def test_a_large_job_and_small_ones(self, world: World, worker: FakeWorker) -> None:
        """Every number gets one text."""
        large = send_job(*numbers(200)[20:190], job_id="large", dnd="skip")
        dispatch = worker.dispatch()
        await world.clock.run(asyncio.gather(*started(dispatch, large, *map(job, range(10)))))
        parts = [asyncio.ensure_future(dispatch(part_delivery(one))) for one in world.publisher.parts]
        await world.clock.run(asyncio.gather(*parts))
        assert {1} == set(world.gateway.times_sent.values())
        assert 180 == len(world.gateway.times_sent)


class TestTrouble:
    """What becomes of the others when something goes wrong."""

    async def test_a_lost_reply_is_everybodys_doubt(self, world: World, worker: FakeWorker) -> None:
        """Of exactly the jobs of that call; the one that prefers a double is sent again, alone."""
        world.gateway.script, world.gateway.lost = [LOST], True
        await done(world, job(0), job(1), job(2, on_uncertain="resend"), worker=worker)
        await done(world, job(3), worker=worker)
        assert {**named((0, 1), "uncertain"), **named((2, 3), "accepted")} == words(world)
        assert [1, 1, 2, 1] == [world.gateway.times_sent[name] for name in numbers(4)]

    async def test_ids_of_nobody_are_told_to_all_whom_the_reply_leaves_out(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Whose they are, nobody can say."""
        world.gateway.script = [SentIds({numbers(3)[0]: ("a",)}, ("b", "c"))]
        await done(world, *map(job, range(3)), worker=worker)
        assert {**named((0,), "accepted"), **named((1, 2), "uncertain")} == words(world)
        for name in ("job-1", "job-2"):
            assert "(message id b, c)" in outcomes(world)[name][0]["error"]["detail"]

    @pytest.mark.row("joint/refused", "one number of a call is refused", "its job fails, the others are sent")
    async def test_a_refused_number_fails_its_own_job(self, world: World, worker: FakeWorker) -> None:
        """The innocent ones are sent, each once, in few further calls."""
        world.gateway.refusal, world.gateway.send_refused = NUMBER, {numbers(40)[17]}
        await done(world, *map(job, range(40)), worker=worker)
        assert {**named(range(40), "accepted"), "job-17": "failed"} == words(world)
        assert (
            Counter({name: 1 for name in numbers(40) if name != numbers(40)[17]}) == world.gateway.times_sent
        )
        assert len(world.gateway.calls) <= 13

    @pytest.mark.parametrize(("jobs", "detail"), [(1, "no: 919"), (2, "no: ***")])
    async def test_a_shared_refusal_shows_no_job_another_one_s_number(
        self, world: World, worker: FakeWorker, jobs: int, detail: str
    ) -> None:
        """A job that was alone in the call sees its own."""
        refused = PermanentError("sender_refused", "no: ***")
        refused.own_detail = "no: 919"
        world.gateway.script = [refused]
        await done(world, *map(job, range(jobs)), worker=worker)
        assert [detail] * jobs == [one["error"]["detail"] for (one,) in outcomes(world).values()]

    async def test_a_refusal_with_ids_sends_nobody_again(self, world: World, worker: FakeWorker) -> None:
        """One of them was sent to, and nobody can say who."""
        refused = PermanentError("number_refused", "Invalid mobile numbers (message id a)")
        refused.names_ids = True
        world.gateway.script, world.gateway.lost = [refused], True
        await done(world, *map(job, range(3)), worker=worker)
        assert named(range(3), "uncertain") == words(world)
        assert [refused.detail] * 3 == [one["error"]["detail"] for (one,) in outcomes(world).values()]
        assert {1} == set(world.gateway.times_sent.values())

    async def test_a_refused_sender_fails_all_at_once(self, world: World, worker: FakeWorker) -> None:
        """They have it in common: nobody is asked again."""
        world.gateway.script = [PermanentError("sender_refused", "Invalid Sender ID")]
        await done(world, *map(job, range(5)), worker=worker)
        assert named(range(5), "failed") == words(world)
        assert 1 == len(world.gateway.calls)

    async def test_halves_have_their_own_errors(self, world: World, worker: FakeWorker) -> None:
        """The reply to one of them may be lost."""
        world.gateway.script, world.gateway.lost = [NUMBER, LOST], False
        await done(world, *map(job, range(4)), worker=worker)
        assert {**named((0, 1), "uncertain"), **named((2, 3), "accepted")} == words(world)

    @pytest.mark.parametrize("error", [AWAY, EMPTY])
    async def test_what_was_not_sent_is_sent_again(
        self, world: World, worker: FakeWorker, error: WorkerError
    ) -> None:
        """Every job by its own policy, and none of them twice."""
        world.gateway.script = [error]
        await done(world, *map(job, range(5)), worker=worker)
        assert named(range(5), "accepted") == words(world)
        assert {1} == set(world.gateway.times_sent.values())

    async def test_used_up_attempts_are_each_jobs_own(self, world: World, worker: FakeWorker) -> None:
        """A delay for each, a dead letter for the one in its last round."""
        world.gateway.script = [AWAY] * 99
        dispatch = worker.dispatch()
        last = asyncio.ensure_future(dispatch(delivery(Lane.SEND, job(0), attempts=2, first_seen=START)))
        other = asyncio.ensure_future(dispatch(delivery(Lane.SEND, job(1))))
        await world.clock.run(asyncio.gather(last, other))
        assert isinstance(last.result(), DeadLetter)
        assert Delay(5, AWAY.code) == other.result()
        assert {"job-0": "failed"} == words(world)

    async def test_no_leave_sends_everybody_back(self, world: World, worker: FakeWorker) -> None:
        """Nothing was claimed, nothing is sent."""

        async def stopping() -> None:
            raise GatewayAwayError("worker_stopping", "the worker stops")

        worker.gate.on_admit = stopping
        found = await done(world, *map(job, range(3)), worker=worker)
        assert [Requeue("worker_stopping")] * 3 == found
        assert [] == world.gateway.calls

    async def test_a_crash_in_the_client_is_not_waited_for(self, worker: FakeWorker) -> None:
        """Every job hears of it."""

        async def broken() -> None:
            raise RuntimeError("a mistake")

        worker.gate.on_admit = broken
        tasks = started(worker.dispatch(), *map(job, range(3)))
        await settled()
        assert ["RuntimeError"] * 3 == [type(task.exception()).__name__ for task in tasks]


class TestClaims:
    """The ledger decides for each by itself."""

    async def test_all_are_claimed_before_the_call(self, world: World, worker: FakeWorker) -> None:
        """At the moment of the call each entry says `calling`."""
        seen: list[bytes] = []

        async def look() -> None:
            for number in range(3):
                stored = await world.ledger.load(f"job-{number}")
                assert stored is not None
                seen.append(stored.state)

        world.gateway.before_send = look
        await done(world, *map(job, range(3)), worker=worker)
        assert [True] * 3 == [b'"calling"' in state for state in seen]

    async def test_claims_and_records_are_written_together(self, world: World, worker: FakeWorker) -> None:
        """Two batches for a call, however many share it."""
        await done(world, *map(job, range(5)), worker=worker)
        assert [5, 5] == world.ledger.together
        assert named(range(5), "accepted") == words(world)

    async def test_a_claim_that_comes_second_stays_behind(self, world: World, worker: FakeWorker) -> None:
        """Of two workers that have the same job one sends it; who rode with it in the other goes."""

        async def overtake(name: str) -> None:
            if name == "swap" and not others:
                world.ledger.before = None
                others.extend(started(FakeWorker(world, coalesce=True).dispatch(), job(1)))
                await settled()

        others: list[asyncio.Task[Disposition]] = []
        world.ledger.before = overtake
        mine = started(worker.dispatch(), *map(job, range(3)))
        await world.clock.run(asyncio.gather(*mine))
        assert [Done()] * 4 == [task.result() for task in (*mine, *others)]
        assert [(numbers(2)[1],), (numbers(1)[0], numbers(3)[2])] == world.gateway.calls
        assert named(range(3), "accepted") == words(world)

    @pytest.mark.parametrize("side", ["before", "after"])
    async def test_records_wait_for_a_ledger_that_is_away(
        self, world: World, worker: FakeWorker, side: str
    ) -> None:
        """Also for one that may have written: each job keeps its ids until it knows."""
        setattr(world.ledger, side, Failing("swap", {4, 5}))
        await done(world, *map(job, range(3)), worker=worker)
        ids = {name: found[0]["message_id"] for name, found in outcomes(world).items()}
        assert {f"job-{at}": world.gateway.given[name][0] for at, name in enumerate(numbers(3))} == ids
        assert {1} == set(world.gateway.times_sent.values())

    async def test_a_job_that_expires_stays_behind(self, world: World, worker: FakeWorker) -> None:
        """The others go."""
        over = (START - timedelta(seconds=1)).isoformat()
        await done(world, job(0), job(1, expires_at=over), job(2), worker=worker)
        assert {**named((0, 2), "accepted"), "job-1": "expired"} == words(world)

    async def test_a_claim_that_fails_stays_behind(self, world: World, worker: FakeWorker) -> None:
        """One that may have been written all the same is taken back: its job is sent later, once."""
        world.ledger.after = Failing("swap", {1})
        tasks = started(worker.dispatch(), *map(job, range(3)))
        await world.clock.run(asyncio.gather(*tasks))
        back = [task for task in tasks if task.result() == Requeue("ledger_away")]
        assert (1, 2) == (len(back), len(world.gateway.sent))
        world.ledger.after = None
        await done(world, *map(job, range(3)), worker=worker)
        assert named(range(3), "accepted") == words(world)
        assert {1} == set(world.gateway.times_sent.values())

    async def test_a_worker_that_stood_still_calls_nobody(self, world: World, worker: FakeWorker) -> None:
        """Claims that have grown old on the way are taken back and made again."""

        async def stand_still(name: str) -> None:
            if name == "swap" and len(world.ledger.keys) == 3 and not stood:
                stood.append(True)
                world.clock.leap(60)

        stood: list[bool] = []
        world.ledger.after = stand_still
        await done(world, *map(job, range(3)), worker=worker)
        assert named(range(3), "accepted") == words(world)
        assert {1} == set(world.gateway.times_sent.values())


class TestCancelled:
    """A drain that ends while calls are under way."""

    @pytest.mark.row(
        "joint/cancelled",
        "a job of a call is cancelled",
        "its ids are recorded; whoever gets it next publishes them",
    )
    async def test_the_call_goes_on_and_its_ids_are_recorded(self, world: World, worker: FakeWorker) -> None:
        """For the cancelled job too: whoever gets it next publishes them."""
        first, second = started(worker.dispatch(), job(0), job(1))
        await settled()
        first.cancel()
        await world.clock.run(second)
        assert {"job-1": "accepted"} == words(world)
        await done(world, job(0), worker=FakeWorker(world, coalesce=True))
        assert named(range(2), "accepted") == words(world)
        assert {1} == set(world.gateway.times_sent.values())

    async def test_one_that_waits_is_not_taken_along(self, world: World, worker: FakeWorker) -> None:
        """Its entry says that nothing was sent."""
        dispatch = worker.dispatch()
        for number in range(2):
            started(dispatch, job(number))
            await settled()
        gone, stays = started(dispatch, job(2), job(3))
        await settled()
        gone.cancel()
        await world.clock.run(stays)
        assert numbers(3)[2] not in world.gateway.times_sent
        await done(world, job(2), worker=FakeWorker(world, coalesce=True))
        assert "accepted" == words(world)["job-2"]

    async def test_one_that_has_just_claimed_is_left_behind(self, world: World, worker: FakeWorker) -> None:
        """Its claim is taken back, and nobody takes its reply for lost."""
        dispatch = worker.dispatch()
        tasks: list[asyncio.Task[Disposition]] = []

        async def cancel(name: str) -> None:
            stored = await world.ledger._inner.load("job-0")
            if name == "swap" and stored and b'"calling"' in stored.state:
                stopping(tasks[0])

        world.ledger.after = cancel
        tasks += started(dispatch, job(0), job(1))
        await world.clock.run(tasks[1])
        world.ledger.after = None
        assert [(numbers(2)[1],)] == world.gateway.calls
        await done(world, job(0), worker=FakeWorker(world, coalesce=True))
        assert named(range(2), "accepted") == words(world)


class TestLateReplies:
    """A worker that comes back after its call was taken over."""

    @pytest.mark.row(
        "joint/late", "the call is taken over and its reply comes late", "revision 2 for each job"
    )
    async def test_each_job_has_its_revision(self, world: World, worker: FakeWorker) -> None:
        """By the ids of its own recipients."""
        world.gateway.latency = 100.0
        mine = started(worker.dispatch(), job(0), job(1))
        await settled()
        others = started(FakeWorker(world, coalesce=True).dispatch(), job(0), job(1))
        await world.clock.run(asyncio.gather(*others))
        assert named(range(2), "uncertain") == words(world)
        await world.clock.run(asyncio.gather(*mine))
        assert named(range(2), "accepted") == words(world)
        revisions = [json.loads(result.body).get("revision") for result in world.publisher.results]
        assert [None, None, 2, 2] == revisions
        assert {1} == set(world.gateway.times_sent.values())
