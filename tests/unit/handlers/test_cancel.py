"""Cancel jobs: what the request is answered, and what becomes of its target."""

import asyncio
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from schemas import CancelStatus
from tests.support.fake_worker import MARGIN, FakeWorker, World, delivery, numbers, part_delivery, send_job
from tests.support.fakes import Failing
from worker.domain.api_entry import api_key
from worker.domain.entry import Entry
from worker.domain.entry_codec import encode
from worker.domain.errors import GatewayAwayError, OutcomeUncertainError, TransientError
from worker.domain.hours import Hours
from worker.domain.messages import DeadLetter, Delay, Disposition, Done, Hold, Lane, Requeue, Schedule
from worker.ports import Stored

ONE, TWO = numbers(2)
MANY = numbers(250)
LOST = OutcomeUncertainError("reply_lost", "lost")


@pytest.fixture
def world() -> World:
    """Provide ledger, gateway, broker and clock."""
    return World()


@pytest.fixture(params=[False, True], ids=["alone", "jointly"])
def worker(world: World, request: pytest.FixtureRequest) -> FakeWorker:
    """Provide a worker whose jobs call by themselves, and one whose jobs share calls."""
    return FakeWorker(world, coalesce=request.param)


async def decided(worker: FakeWorker, lane: Lane, job: object, **properties: Any) -> Disposition:  # noqa: ANN401 - of a delivery
    """What the worker decides on, time passing as it must."""
    task = asyncio.ensure_future(worker.dispatch()(delivery(lane, job, **properties)))
    await worker.world.clock.run(task)
    return task.result()


async def sent(worker: FakeWorker, *names: str, **fields: Any) -> Disposition:  # noqa: ANN401 - of a job
    """Have a send job carried out, and the parts that it hands out."""
    found = await decided(worker, Lane.SEND, send_job(*names, **fields))
    await parts_sent(worker)
    return found


async def parts_sent(worker: FakeWorker) -> None:
    """Carry out the parts that wait on their queue."""
    parts, worker.world.publisher.parts = worker.world.publisher.parts, []
    for part in parts:
        task = asyncio.ensure_future(worker.dispatch()(part_delivery(part)))
        await worker.world.clock.run(task)


async def cancelled(worker: FakeWorker, target: str = "job-1", job_id: str = "stop-1") -> str:
    """Ask for a stop; return the status of the answer."""
    await decided(worker, Lane.CANCEL, {"job_id": job_id, "target": target})
    return str(worker.world.bodies[-1]["status"])


def outcomes(world: World) -> dict[str, str]:
    """The outcome of each recipient."""
    return {
        one["recipient"]: one["outcome"]
        for body in world.bodies
        if "recipients" in body
        for one in body["recipients"]
    }


async def away() -> None:
    """Let nobody make a call."""
    raise GatewayAwayError("gateway_away", "away")


class TestAnswers:
    """What the request is told."""

    async def test_a_job_that_has_not_come_is_cancelled_when_it_comes(
        self, world: World, worker: FakeWorker
    ) -> None:
        """The request may overtake its target. Nobody is looked up or called."""
        assert "recorded" == await cancelled(worker)
        assert Done() == await sent(worker, ONE, "12", dnd="filter")
        assert {ONE: "cancelled", "12": "invalid"} == outcomes(world)
        assert ("send.cancelled", []) == (world.last.routing_key, world.gateway.calls)
        assert {"code": "cancelled", "detail": "the job was cancelled before it could be sent"} == (
            world.bodies[-1]["recipients"][0]["error"]
        )

    async def test_the_result_has_the_contracts_form(self, world: World, worker: FakeWorker) -> None:
        """Properties as those of every result."""
        job = {"job_id": "stop-1", "target": "job-1", "metadata": {"a": None}}
        await decided(worker, Lane.CANCEL, job, reply_to="q", traceparent="t")
        assert {**job, "status": "recorded"} == world.bodies[-1]
        found = world.last
        assert ("cancel", "cancel.recorded", "stop-1/1") == (
            found.exchange, found.routing_key, found.message_id,
        )  # fmt: skip
        assert ("cancel.result.v1", "stop-1", "q", "t") == (
            found.type, found.correlation_id, found.reply_to, found.traceparent,
        )  # fmt: skip

    @pytest.mark.parametrize("names", [(ONE,), ("12",), MANY], ids=["sent", "unsent", "large"])
    async def test_it_is_too_late_once_everybody_has_an_outcome(
        self, world: World, worker: FakeWorker, names: tuple[str, ...]
    ) -> None:
        """The results are out, and stay as they are."""
        await sent(worker, *names)
        before = outcomes(world)
        assert "too_late" == await cancelled(worker)
        await sent(worker, *names)
        assert before == outcomes(world)
        assert "cancelled" not in before.values()

    @pytest.mark.parametrize("status", list(CancelStatus))
    async def test_the_same_request_gets_the_same_answer(
        self, world: World, worker: FakeWorker, status: CancelStatus
    ) -> None:
        """Whatever has become of the target by then."""
        if status is CancelStatus.TOO_LATE:
            await sent(worker, ONE)
        first = await cancelled(worker)
        await sent(worker, ONE)
        assert [status.value] * 2 == [first, await cancelled(worker)]
        one, *_, other = (found for found in world.publisher.results if found.exchange == "cancel")
        assert one == other

    async def test_a_second_request_is_recorded_or_too_late(self, worker: FakeWorker) -> None:
        """As its target is by then."""
        assert "recorded" == await cancelled(worker)
        assert "recorded" == await cancelled(worker, job_id="stop-2")
        await sent(worker, ONE)
        assert "too_late" == await cancelled(worker, job_id="stop-3")

    async def test_the_id_is_the_first_requests(self, world: World, worker: FakeWorker) -> None:
        """Another target under it is a conflict, and is not touched."""
        await cancelled(worker, "job-1")
        assert "rejected" == await cancelled(worker, "job-2")
        assert ["job_id_conflict"] == [error["type"] for error in world.bodies[-1]["errors"]]
        await sent(worker, ONE, job_id="job-2")
        assert {ONE: "accepted"} == outcomes(world)

    async def test_an_id_identifies_within_its_kind(self, world: World, worker: FakeWorker) -> None:
        """A request and a send job may have the same."""
        await sent(worker, ONE, job_id="same")
        assert "recorded" == await cancelled(worker, "job-1", job_id="same")
        await sent(worker, TWO)
        assert {ONE: "accepted", TWO: "cancelled"} == outcomes(world)
        assert "too_late" == await cancelled(worker, "same", job_id="stop-2")

    @pytest.mark.parametrize(
        ("job", "loc"),
        [
            ({"job_id": "a", "target": "a"}, ["target"]),
            ({"job_id": "a", "target": "stop-0"}, ["target"]),
            ({"job_id": "a"}, ["target"]),
            ({"job_id": "a", "target": None}, ["target"]),
            ({"job_id": "a", "target": ""}, ["target"]),
            ({"job_id": "a", "target": "job-1/1"}, ["target"]),
            ({"job_id": "a", "target": "b" * 129}, ["target"]),
            ({"job_id": "a", "target": 7}, ["target"]),
            ({"job_id": "a", "target": ["b"]}, ["target"]),
            ({"job_id": "a", "target": "b", "targets": ["c"]}, ["targets"]),
            ({"job_id": "a b", "target": "b"}, ["job_id"]),
            ({"target": "b"}, ["job_id"]),
        ],
    )
    async def test_what_can_stop_nothing_is_rejected(
        self, world: World, worker: FakeWorker, job: dict[str, object], loc: list[str]
    ) -> None:
        """By the field; the message is a dead letter as well."""
        await cancelled(worker, "anything", job_id="stop-0")
        assert isinstance(await decided(worker, Lane.CANCEL, job), DeadLetter)
        assert ("cancel.rejected", loc) == (world.last.routing_key, world.bodies[-1]["errors"][0]["loc"])

    async def test_an_api_job_is_no_send_job(self, world: World, worker: FakeWorker) -> None:
        """As far as the ledger knows it."""
        await world.ledger.swap(api_key("call-1"), expected=None, new=Stored("t", b"{}"))
        assert "rejected" == await cancelled(worker, "call-1")


class TestTrouble:
    """Of the ledger, the broker, the worker."""

    async def test_without_the_ledger_the_request_waits(self, world: World, worker: FakeWorker) -> None:
        """In its queue, and nothing is said."""
        world.ledger.before = Failing("swap", {0})
        assert Requeue("ledger_away") == await decided(
            worker, Lane.CANCEL, {"job_id": "stop-1", "target": "job-1"}
        )
        assert ([], 1) == (world.publisher.results, worker.gate.ledger_failures)
        assert "recorded" == await cancelled(worker)

    async def test_one_that_is_not_confirmed_comes_again(self, world: World, worker: FakeWorker) -> None:
        """The answer is in the ledger by then, and does not change."""
        world.publisher.failures = 1
        job = {"job_id": "stop-1", "target": "job-1"}
        assert Requeue("not_confirmed") == await decided(worker, Lane.CANCEL, job)
        await sent(worker, ONE)
        assert "recorded" == await cancelled(worker)

    @pytest.mark.row(
        "stopped/half-marked",
        "the worker with the request dies, or its ledger goes, between the marks of a job and of its parts",
        "the request comes again and goes on; the answer is `recorded`, also if all have ended by then",
    )
    @pytest.mark.parametrize("names", [(ONE,), MANY], ids=["small", "large"])
    @pytest.mark.parametrize("at", range(8))
    async def test_one_that_is_cut_off_goes_on(
        self, world: World, worker: FakeWorker, names: tuple[str, ...], at: int
    ) -> None:
        """Also where all that it has stopped has ended meanwhile: it says that it did."""
        worker.share_above = 1000
        worker.gate.on_admit = away
        await sent(worker, *names)
        world.ledger.before = Failing("swap", {at})
        job = {"job_id": "stop-1", "target": "job-1"}
        await decided(worker, Lane.CANCEL, job)
        world.ledger.before = worker.gate.on_admit = None
        assert Done() == await decided(worker, Lane.CANCEL, job, redelivered=True)
        assert "recorded" == world.bodies[-1]["status"]
        await sent(worker, *names)
        assert dict.fromkeys(names, "cancelled") == outcomes(world)
        assert [] == world.gateway.calls

    @pytest.mark.parametrize("key", ["job-1", "cancel/stop-1"])
    async def test_a_damaged_entry_gets_some_rounds_and_then_a_failure(
        self, world: World, worker: FakeWorker, key: str
    ) -> None:
        """Of the target, or of the request itself."""
        await world.ledger.swap(key, expected=None, new=Stored("t", b"nonsense"))
        job = {"job_id": "stop-1", "target": "job-1"}
        assert Delay(5, "ledger_unreadable") == await decided(worker, Lane.CANCEL, job)
        assert Delay(30, "ledger_unreadable") == await decided(worker, Lane.CANCEL, job, attempts=1)
        last = await decided(worker, Lane.CANCEL, job, attempts=2)
        assert isinstance(last, DeadLetter)
        assert ("cancel.failed", "retries_exhausted") == (world.last.routing_key, last.reason)
        assert "job-1" == world.bodies[-1]["target"]

    async def test_what_a_newer_release_wrote_is_left_to_one(self, world: World, worker: FakeWorker) -> None:
        """However often it comes."""
        await world.ledger.swap("job-1", expected=None, new=Stored("t", b'{"v":99,"f":"x"}'))
        job = {"job_id": "stop-1", "target": "job-1"}
        assert Requeue("ledger_unreadable") == await decided(worker, Lane.CANCEL, job, attempts=2)


class TestCallsUnderWay:
    """What has begun when the mark is made."""

    @pytest.mark.row(
        "stopped/frozen-claim",
        "a worker stands still between its claim and its call while the mark comes",
        "the request is answered once the claim is too old to be followed by a call, 5 s later; it is "
        "taken back then, and the recipients are `cancelled`",
    )
    async def test_it_is_answered_once_no_call_can_follow_a_claim_made_before(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Whoever stood still since then takes its claim back."""
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def hold(_name: str) -> None:
            world.ledger.after = None
            reached.set()
            await go_on.wait()

        world.ledger.after = hold
        sending = asyncio.ensure_future(worker.dispatch()(delivery(Lane.SEND, send_job(ONE))))
        await reached.wait()
        job = {"job_id": "stop-1", "target": "job-1"}
        asking = asyncio.ensure_future(FakeWorker(world).dispatch()(delivery(Lane.CANCEL, job)))
        await world.clock.advance(MARGIN - 1)
        assert [] == world.publisher.results
        await world.clock.advance(2)
        assert Done() == await asking
        assert "recorded" == world.bodies[-1]["status"]
        go_on.set()
        await world.clock.run(sending)
        assert ({ONE: "cancelled"}, []) == (outcomes(world), world.gateway.calls)

    async def _cancel_in_a_call(self, worker: FakeWorker) -> None:
        async def ask() -> None:
            worker.world.gateway.before_send = None
            other = FakeWorker(worker.world)
            job = {"job_id": "stop-1", "target": "job-1"}
            assert Done() == await other.dispatch()(delivery(Lane.CANCEL, job))

        worker.world.gateway.before_send = ask

    async def test_a_call_keeps_its_outcome(self, world: World, worker: FakeWorker) -> None:
        """It is finished and recorded; the mark stays."""
        await self._cancel_in_a_call(worker)
        await sent(worker, ONE)
        assert ["recorded", "accepted"] == [body["status"] for body in world.bodies]
        assert "too_late" == await cancelled(worker, job_id="stop-2")

    async def test_a_mark_that_comes_during_a_call_is_no_loss_of_the_ledger(self, worker: FakeWorker) -> None:
        """Nothing was there to be restored."""
        await self._cancel_in_a_call(worker)
        with capture_logs() as lines:
            await sent(worker, ONE)
        assert "entry.restored" not in [line["event"] for line in lines]

    @pytest.mark.row(
        "stopped/lost-reply",
        "the mark comes during a call whose reply is lost",
        "`uncertain`, also where the job asked for `resend`",
    )
    async def test_a_lost_reply_is_uncertain_also_where_a_repeat_was_asked_for(
        self, world: World, worker: FakeWorker
    ) -> None:
        """No call begins any more."""
        world.gateway.script, world.gateway.lost = [LOST], True
        await self._cancel_in_a_call(worker)
        await sent(worker, ONE, on_uncertain="resend")
        assert ({ONE: "uncertain"}, {ONE: 1}) == (outcomes(world), world.gateway.times_sent)

    async def test_one_that_certainly_did_not_go_out_is_cancelled(
        self, world: World, worker: FakeWorker
    ) -> None:
        """It is not tried again."""
        world.gateway.script = [TransientError("gateway_busy", "busy")]
        await self._cancel_in_a_call(worker)
        await sent(worker, ONE)
        assert ({ONE: "cancelled"}, 1) == (outcomes(world), len(world.gateway.calls))

    async def test_the_call_of_a_dead_worker_is_uncertain_once_its_time_is_over(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Also with a repeat asked for."""
        world.gateway.latency = 1e5
        job = send_job(ONE, on_uncertain="resend")
        dead = asyncio.ensure_future(worker.dispatch()(delivery(Lane.SEND, job)))
        await world.clock.advance(1)
        dead.cancel()
        await asyncio.wait({dead})
        world.gateway.latency = 0.0
        assert "recorded" == await cancelled(worker)
        await decided(FakeWorker(world), Lane.SEND, job, redelivered=True)
        assert {ONE: "uncertain"} == outcomes(world)


class TestWaitingJobs:
    """Delays, outages, replays."""

    @pytest.mark.row(
        "stopped/outage",
        "the job waits for the end of an outage",
        "`cancelled` when a look at the queue finds it, without the gateway",
    )
    async def test_in_an_outage_a_cancelled_job_needs_no_gateway(
        self, world: World, worker: FakeWorker
    ) -> None:
        """It ends when it comes round."""
        worker.gate.on_admit = away
        assert Requeue("gateway_away") == await sent(worker, ONE)
        assert "recorded" == await cancelled(worker)
        assert Done() == await decided(worker, Lane.SEND, send_job(ONE), redelivered=True)
        assert {ONE: "cancelled"} == outcomes(world)

    async def test_one_that_waits_for_its_lookups_is_stopped_too(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Its id is in the ledger, and no plan."""
        world.gateway.dnd_script = [TransientError("gateway_busy", "busy")] * 3
        assert Delay(5, "gateway_busy") == await sent(worker, ONE, dnd="filter")
        assert "recorded" == await cancelled(worker)
        assert Done() == await decided(worker, Lane.SEND, send_job(ONE, dnd="filter"), attempts=1)
        assert {ONE: "cancelled"} == outcomes(world)

    async def test_one_that_is_over_is_cancelled_all_the_same(self, world: World, worker: FakeWorker) -> None:
        """Had nobody stopped it, it might have been sent in time."""
        await cancelled(worker)
        await sent(worker, ONE, expires_at="2026-03-01T12:00:00Z")
        assert {ONE: "cancelled"} == outcomes(world)

    async def test_other_content_under_a_cancelled_id_is_a_conflict_once_the_first_has_come(
        self, world: World, worker: FakeWorker
    ) -> None:
        """The first one that comes is the job."""
        await cancelled(worker)
        await sent(worker, ONE)
        await sent(worker, TWO)
        assert "send.rejected" == world.last.routing_key
        assert ["job_id_conflict"] == [error["type"] for error in world.bodies[-1]["errors"]]


class Interruption:
    """A hook of the ledger: at its *nth* operation another worker carries a cancel job out."""

    def __init__(self, world: World, nth: int) -> None:
        self._world = world
        self._nth = nth
        self._seen = 0
        self.calls: int | None = None  # that had begun when the request was answered

    async def __call__(self, name: str) -> None:
        """Ask, at the right moment."""
        del name
        self._seen += 1
        if self._seen != self._nth:
            return
        self._world.ledger.before = None
        job = {"job_id": "stop-1", "target": "job-1"}
        assert Done() == await FakeWorker(self._world).dispatch()(delivery(Lane.CANCEL, job))
        self.calls = len(self._world.gateway.calls)


JOBS = {
    "small": ((ONE, TWO, "12"), 1000),
    "large, sent here": ((*MANY, "12"), 1000),
    "large, handed out": ((*MANY, "12"), 100),
}


class TestEveryMoment:
    """The mark comes before each step of the ledger in turn."""

    @pytest.mark.row(
        "stopped/any-moment",
        "the mark comes before any step of the ledger of a small job, or of a large one that is sent here "
        "or handed out",
        "sent and `cancelled` are everybody, nobody is both, and no call begins after the answer",
    )
    @pytest.mark.parametrize("nth", [*range(1, 15), 20, 25])
    @pytest.mark.parametrize("job", JOBS)
    @pytest.mark.parametrize("seen", [False, True], ids=["new", "seen before"])
    @pytest.mark.no_cover  # a thousand rounds of what other tests cover
    async def test_sent_and_cancelled_are_everybody(
        self, world: World, worker: FakeWorker, nth: int, job: str, *, seen: bool
    ) -> None:
        """And nobody is both. Once it is recorded no call begins, and each result is published once."""
        names, worker.share_above = JOBS[job]
        fields = send_job(*names, dnd="filter")
        world.gateway.dnd = {ONE}
        world.ledger.before = interruption = Interruption(world, nth)
        assert Done() == await decided(worker, Lane.SEND, fields, redelivered=seen)
        await parts_sent(worker)
        answers = [body["status"] for body in world.bodies if "target" in body]
        found = outcomes(world)
        assert set(names) == found.keys()
        by_ids = {name for name, _ in world.gateway.sent}
        assert by_ids == {name for name, outcome in found.items() if outcome == "accepted"}
        rest = {"cancelled", "invalid", "dnd"} if answers == ["recorded"] else {"invalid", "dnd"}
        assert {found[name] for name in found.keys() - by_ids} <= rest
        assert all(times == 1 for times in world.gateway.times_sent.values())
        if answers == ["recorded"]:
            assert interruption.calls == len(world.gateway.calls)

    async def test_a_replay_sends_nobody(self, world: World, worker: FakeWorker) -> None:
        """What was given up before the mark stays as it was."""
        entry = Entry("", cancelled="stop-1")
        await world.ledger.swap("job-1", expected=None, new=Stored("t", encode(entry)))
        await sent(worker, ONE)
        assert {ONE: "cancelled"} == outcomes(world)
        assert json.loads(world.last.body)["status"] == "cancelled"


class TestScheduledJobs:
    """Jobs that wait for their time."""

    LATER = "2026-03-01T13:00:00Z"

    async def test_one_that_is_stopped_while_it_waits_is_cancelled_when_it_comes_round(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Also if that is before its time."""
        job = send_job(ONE, send_after=self.LATER)
        assert isinstance(await decided(worker, Lane.SEND, job), Schedule)
        assert "recorded" == await cancelled(worker)
        assert Done() == await decided(worker, Lane.SEND, job, waited=True)
        assert ({ONE: "cancelled"}, []) == (outcomes(world), world.gateway.calls)

    async def test_one_that_was_stopped_before_it_came_does_not_wait(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Its result is there at once."""
        await cancelled(worker)
        assert Done() == await decided(worker, Lane.SEND, send_job(ONE, send_after=self.LATER))
        assert {ONE: "cancelled"} == outcomes(world)

    @pytest.mark.parametrize("names", [(ONE,), MANY], ids=["small", "large"])
    async def test_one_that_is_held_is_cancelled_when_it_comes_round(
        self, world: World, worker: FakeWorker, names: tuple[str, ...]
    ) -> None:
        """Before it is planned, or with a plan: no hours have to begin for it."""
        job, worker.share_above = send_job(*names, category="promotional"), 1000
        worker.gate.on_admit = away
        if len(names) > 1:
            assert isinstance(await decided(worker, Lane.SEND, job), Requeue)
        worker.gate.on_admit = None
        worker.hours = Hours.of(("06:00-11:00",), "UTC")
        assert isinstance(await decided(worker, Lane.SEND, job, redelivered=True), Hold)
        assert "recorded" == await cancelled(worker)
        assert Done() == await decided(worker, Lane.SEND, job, waited=True)
        assert (dict.fromkeys(names, "cancelled"), []) == (outcomes(world), world.gateway.calls)
