"""Send jobs: who is sent to, and how a large job is cut."""

import asyncio
import json
from datetime import timedelta

import pytest

from tests.support.fake_worker import FakeWorker, World, delivery, numbers, part_delivery, send_job
from tests.support.fakes import START, Failing
from worker.domain.errors import OutcomeUncertainError, PermanentError, TransientError
from worker.domain.messages import DeadLetter, Delay, Disposition, Done, Lane, Requeue

ONE, TWO, THREE = numbers(3)
AWAY = TransientError("gateway_unreachable", "connection refused")


@pytest.fixture
def world() -> World:
    """Provide ledger, gateway, broker and clock."""
    return World()


@pytest.fixture(params=[False, True], ids=["alone", "jointly"])
def worker(world: World, request: pytest.FixtureRequest) -> FakeWorker:
    """Provide a worker whose jobs call by themselves, and one whose jobs share calls."""
    return FakeWorker(world, coalesce=request.param)


async def handled(
    worker: FakeWorker, job: object, lane: Lane = Lane.SEND, **properties: object
) -> Disposition:
    """What the worker decides on, time passing as it must."""
    task = asyncio.ensure_future(worker.dispatch()(delivery(lane, job, **properties)))
    await worker.world.clock.run(task)
    return task.result()


async def parts_handled(worker: FakeWorker) -> None:
    """Handle every part that waits on the parts queue, once."""
    parts, worker.world.publisher.parts = worker.world.publisher.parts, []
    for part in parts:
        task = asyncio.ensure_future(worker.dispatch()(part_delivery(part)))
        await worker.world.clock.run(task)
        assert Done() == task.result()


class TestDnd:
    """The DND list."""

    @pytest.mark.parametrize(
        ("fields", "filtered"),
        [
            ({}, True),
            ({"category": "promotional"}, True),
            ({"category": "service"}, False),
            ({"category": "transactional"}, False),
            ({"category": "transactional", "dnd": "filter"}, True),
            ({"category": "promotional", "dnd": "skip"}, False),
        ],
    )
    async def test_the_jobs_word_goes_before_its_category(
        self, world: World, worker: FakeWorker, fields: dict[str, str], *, filtered: bool
    ) -> None:
        """Listed ones are not sent to where the filter applies."""
        world.gateway.dnd = {ONE}
        job = {key: value for key, value in send_job(ONE, TWO).items() if key != "dnd"}
        await handled(worker, {**job, **fields})
        assert ("dnd" if filtered else "accepted") == world.outcomes()[ONE]
        assert filtered is bool(world.gateway.dnd_calls)

    async def test_silence_is_no_leave(self, world: World, worker: FakeWorker) -> None:
        """A number that the reply leaves out is not sent to."""
        world.gateway.unnamed = {ONE}
        await handled(worker, send_job(ONE, TWO, dnd="filter"))
        assert {ONE: "dnd_unverified", TWO: "accepted"} == world.outcomes()
        assert [(TWO,)] == world.gateway.calls

    async def test_one_bad_number_does_not_fail_the_others(self, world: World, worker: FakeWorker) -> None:
        """A refused batch is halved until the number is found."""
        names = numbers(90)
        world.gateway.refusal = PermanentError("number_refused", "bad number")
        world.gateway.dnd_refused = {names[37]}
        world.gateway.dnd = {names[5]}
        await handled(worker, send_job(*names, dnd="filter"))
        outcomes = world.outcomes()
        assert ("dnd_unverified", "dnd") == (outcomes.pop(names[37]), outcomes.pop(names[5]))
        assert {"accepted"} == set(outcomes.values())
        assert len(world.gateway.dnd_calls) < 20

    async def test_another_refusal_is_not_halved(self, world: World, worker: FakeWorker) -> None:
        """Nobody is sent to."""
        world.gateway.refusal = PermanentError("rejected_by_gateway", "no")
        world.gateway.dnd_refused = {ONE}
        await handled(worker, send_job(ONE, TWO, dnd="filter"))
        assert {ONE: "dnd_unverified", TWO: "dnd_unverified"} == world.outcomes()
        assert 1 == len(world.gateway.dnd_calls)

    @pytest.mark.parametrize("error", [AWAY, OutcomeUncertainError("reply_lost", "x")])
    async def test_while_it_is_down_the_job_waits(
        self, world: World, worker: FakeWorker, error: TransientError
    ) -> None:
        """And after the last round nobody is sent to."""
        world.gateway.dnd_script = [error] * 3
        assert Delay(5, error.code) == await handled(worker, send_job(ONE, dnd="filter"))
        world.gateway.dnd_script = [error] * 3
        last = await handled(worker, send_job(ONE, dnd="filter"), attempts=2, first_seen=START)
        assert isinstance(last, DeadLetter)
        assert {ONE: "failed"} == world.outcomes()
        assert [] == world.gateway.calls


class TestPlans:
    """What is settled without a call."""

    async def test_invalid_ones_keep_their_spelling(self, world: World, worker: FakeWorker) -> None:
        """The result lists all in the job's order."""
        await handled(worker, send_job("12", f"+{ONE}", ONE, "98x"))
        assert ["12", ONE, "98x"] == [one["recipient"] for one in world.bodies[0]["recipients"]]
        assert {"accepted": 1, "invalid": 2} == world.bodies[0]["counts"]

    async def test_a_job_whose_time_is_over_asks_nobody(self, world: World, worker: FakeWorker) -> None:
        """No lookup, no call."""
        over = (START - timedelta(seconds=1)).isoformat()
        await handled(worker, send_job(ONE, "12", dnd="filter", expires_at=over))
        assert {ONE: "expired", "12": "invalid"} == world.outcomes()
        assert ([], []) == (world.gateway.calls, world.gateway.dnd_calls)
        assert "send.expired" == world.last.routing_key

    async def test_urgent_jobs_are_called_as_such(self, world: World, worker: FakeWorker) -> None:
        """At every door."""
        await handled(worker, send_job(ONE, dnd="filter"), Lane.SEND_URGENT)
        assert {True} == {urgent for _, urgent in worker.gate.admitted}
        assert {ONE: "accepted"} == world.outcomes()


class TestIdentity:
    """The id of a job."""

    async def test_other_content_under_the_same_id_is_a_conflict(
        self, world: World, worker: FakeWorker
    ) -> None:
        """The first job is untouched."""
        await handled(worker, send_job(ONE))
        disposition = await handled(worker, send_job(TWO))
        assert isinstance(disposition, DeadLetter)
        assert "job_id_conflict" == disposition.reason
        assert "send.rejected" == world.last.routing_key
        await handled(worker, send_job(ONE))
        assert world.publisher.results[0] == world.last
        assert {ONE: 1} == world.gateway.times_sent

    async def test_the_message_id_stands_in(self, world: World, worker: FakeWorker) -> None:
        """And identifies the job like its own."""
        job = {key: value for key, value in send_job(ONE).items() if key != "job_id"}
        await handled(worker, job, message_id="m-1")
        await handled(worker, job, message_id="m-1")
        assert {"m-1/1"} == {result.message_id for result in world.publisher.results}
        assert {ONE: 1} == world.gateway.times_sent

    async def test_without_any_id_it_is_rejected(self, world: World, worker: FakeWorker) -> None:
        """Nobody could tell a repeat."""
        job = {key: value for key, value in send_job(ONE).items() if key != "job_id"}
        assert isinstance(await handled(worker, job), DeadLetter)
        assert world.bodies[0]["job_id"] is None

    async def test_a_rejection_has_the_same_id_for_the_same_body(
        self, world: World, worker: FakeWorker
    ) -> None:
        """And another for another."""
        for body in (b"{", b"{", b"["):
            await handled(worker, body)
        first, second, third = (result.message_id for result in world.publisher.results)
        assert first == second != third


class TestAcceptance:
    """What is refused."""

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"text": "अ" * 671}, "text_too_long"),
            ({"text": "अ", "unicode": False}, "unicode_required"),
            ({"params": {"peid": "1"}}, "params_not_allowed"),
            ({"recipents": []}, "unknown_field"),
        ],
    )
    async def test_a_job_that_cannot_be_carried_out(
        self, world: World, worker: FakeWorker, fields: dict[str, object], code: str
    ) -> None:
        """Says why, and calls nobody."""
        disposition = await handled(worker, send_job(ONE, **fields))
        assert isinstance(disposition, DeadLetter)
        assert code == world.bodies[0]["errors"][0]["type"]
        assert [] == world.gateway.calls

    async def test_what_a_result_carries(self, world: World, worker: FakeWorker) -> None:
        """Metadata, encoding, segments, and where it goes."""
        job = send_job(ONE, text="अ" * 71, metadata={"a": 1}, params={"templateid": "7"})
        await handled(worker, job, reply_to="q", correlation_id="c", traceparent="t")
        body, message = world.bodies[0], world.last
        assert ({"a": 1}, "ucs2", 2, 1, 1) == (
            body["metadata"],
            body["encoding"],
            body["segments"],
            body["part"],
            body["parts"],
        )
        assert ("job-1/1", "c", "q", "t") == (
            message.message_id,
            message.correlation_id,
            message.reply_to,
            message.traceparent,
        )


class TestLargeJobs:
    """More than a hundred distinct recipients."""

    async def test_parts_hold_each_recipient_once(self, world: World, worker: FakeWorker) -> None:
        """Calls are packed, and those that are not sent to have parts of their own."""
        names = numbers(250)
        world.gateway.dnd = set(names[::3])
        job = send_job(*names, "12", dnd="filter")
        assert Done() == await handled(worker, job)
        await parts_handled(worker)
        assert sorted([*names, "12"]) == sorted(
            one["recipient"] for body in world.bodies for one in body["recipients"]
        )
        assert 2 == len(world.gateway.calls)
        assert {len(world.bodies)} == {body["parts"] for body in world.bodies}
        assert list(range(1, 4)) == [body["part"] for body in world.bodies]

    async def test_a_hundred_recipients_are_one_part(self, world: World, worker: FakeWorker) -> None:
        """Repeats do not count."""
        await handled(worker, send_job(*numbers(100), *numbers(100)))
        assert [] == world.publisher.parts
        assert 1 == len(world.bodies)

    async def test_nothing_is_published_before_the_plan_is_recorded(
        self, world: World, worker: FakeWorker
    ) -> None:
        """A ledger that fails then leaves no part behind."""
        world.ledger.before = Failing("swap", {0})
        assert Requeue("ledger_away") == await handled(worker, send_job(*numbers(101)))
        assert [] == world.publisher.parts

    async def test_a_repeat_publishes_the_same_cut(self, world: World, worker: FakeWorker) -> None:
        """Although the DND list says something else by now; a crash while handing out does not matter."""
        names = numbers(150)
        job = send_job(*names, dnd="filter")
        world.gateway.dnd = set(names[:20])
        world.publisher.part_failures = 1
        assert isinstance(await handled(worker, job), Requeue)
        before = list(world.publisher.parts)
        world.gateway.dnd = set(names[60:])
        assert Done() == await handled(worker, job)
        assert {part.body for part in before} <= {part.body for part in world.publisher.parts}
        await parts_handled(worker)
        assert 130 == sum(world.gateway.times_sent.values())
        assert {1} == set(world.gateway.times_sent.values())

    async def test_parts_that_come_twice_are_sent_once(self, world: World, worker: FakeWorker) -> None:
        """And publish the same result again."""
        await handled(worker, send_job(*numbers(101)))
        twice = list(world.publisher.parts)
        await parts_handled(worker)
        world.publisher.parts = twice
        await parts_handled(worker)
        results = world.publisher.results
        assert results[: len(twice)] == results[len(twice) :]
        assert {1} == set(world.gateway.times_sent.values())

    async def test_a_part_that_is_delivered_again_does_not_wait_for_the_gateway(
        self, world: World, worker: FakeWorker
    ) -> None:
        """What it lacks may be its result alone."""
        await handled(worker, send_job(*numbers(101)))
        part = world.publisher.parts[0]
        await parts_handled(worker)
        admitted = len(worker.gate.admitted)
        await worker.dispatch()(part_delivery(part, redelivered=True))
        assert admitted == len(worker.gate.admitted)
        assert part.message_id == world.last.message_id

    async def test_parts_keep_the_jobs_lane_and_properties(self, world: World, worker: FakeWorker) -> None:
        """An urgent job's parts are urgent."""
        await handled(worker, send_job(*numbers(101)), Lane.SEND_URGENT, reply_to="q", correlation_id="c")
        part = world.publisher.parts[1]
        assert (Lane.SEND_URGENT_PARTS, "job-1/2", "c", "q", "send.urgent") == (
            part.lane,
            part.message_id,
            part.correlation_id,
            part.reply_to,
            part.routing_key,
        )

    @pytest.mark.parametrize(
        "body",
        [b"", b"{}", b"[]", b"\xff", b"[" * 100_000, b'{"v":1,"brief":{},"number":1,"parts":1,"plan":[]}'],
    )
    async def test_garbage_on_the_parts_queue_is_rejected(
        self, world: World, worker: FakeWorker, body: bytes
    ) -> None:
        """With a result and a dead letter."""
        assert isinstance(await handled(worker, body, Lane.SEND_PARTS), DeadLetter)
        assert "send.rejected" == world.last.routing_key

    async def test_a_plan_that_does_not_fit_together_is_garbage_too(
        self, world: World, worker: FakeWorker
    ) -> None:
        """A recipient without a call and without an outcome."""
        await handled(worker, send_job(*numbers(101)))
        order = json.loads(world.publisher.parts[0].body)
        order["plan"] = [["1", "2"], [], [[["1"], "ready", 0, 0.0, []]]]
        assert isinstance(await handled(worker, order, Lane.SEND_PARTS), DeadLetter)
