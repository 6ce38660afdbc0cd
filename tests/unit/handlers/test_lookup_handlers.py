"""Status and account jobs, the watch over the balance, and what they share."""

import asyncio
import json
from dataclasses import replace
from decimal import Decimal
from operator import itemgetter
from typing import ClassVar

import pytest
from structlog.testing import capture_logs

from tests.support.fake_worker import FakeWorker, World, delivery
from tests.support.fakes import START, FakeGate, settled
from worker.domain.errors import (
    BrokerUnavailableError,
    GatewayAwayError,
    LedgerUnavailableError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.domain.messages import (
    DeadLetter,
    Delay,
    Disposition,
    Done,
    FollowUpMessage,
    Lane,
    PartMessage,
    Requeue,
    ResultMessage,
)
from worker.handlers import parallel
from worker.handlers.credits_watch import CreditsWatch
from worker.ports import MessageReport, RecipientStatus

AWAY = TransientError("gateway_unreachable", "refused")
REFUSED = PermanentError("rejected_by_gateway", "no")
LOST = OutcomeUncertainError("reply_lost", "lost")


@pytest.fixture
def world() -> World:
    """Provide gateway, broker and clock."""
    return World()


@pytest.fixture
def worker(world: World) -> FakeWorker:
    """Provide a worker."""
    return FakeWorker(world)


async def handled(worker: FakeWorker, lane: Lane, job: object, **properties: object) -> Disposition:
    """What the worker decides on, time passing as it must."""
    task = asyncio.ensure_future(worker.dispatch()(delivery(lane, job, **properties)))
    await worker.world.clock.run(task)
    return task.result()


def report(status: str) -> MessageReport:
    """A message to one recipient."""
    return MessageReport("ITON", START, "hello", (RecipientStatus("919800000000", status, status.upper()),))


class TestStatusJobs:
    """Look-ups of message ids."""

    async def test_found_and_final(self, world: World, worker: FakeWorker) -> None:
        """The result is final."""
        world.gateway.reports = {"a": report("delivered")}
        job = {"job_id": "s-1", "message_ids": ["a", "a"], "metadata": {"x": 1}}
        assert Done() == await handled(worker, Lane.STATUS, job)
        (body,) = world.bodies
        assert ("final", 1, {"x": 1}) == (body["status"], len(body["messages"]), body["metadata"])
        assert ("delivery.final", "s-1/1") == (world.last.routing_key, world.last.message_id)

    async def test_unknown_or_not_final(self, world: World, worker: FakeWorker) -> None:
        """The result is pending."""
        world.gateway.reports = {"a": report("pending")}
        await handled(worker, Lane.STATUS, {"job_id": "s-1", "message_ids": ["a", "b"]})
        (body,) = world.bodies
        assert ["pending", True, False] == [body["status"], *(one["found"] for one in body["messages"])]

    async def test_many_ids_are_many_parts(self, world: World, worker: FakeWorker) -> None:
        """A hundred each."""
        ids = [f"m{number}" for number in range(250)]
        await handled(worker, Lane.STATUS, {"job_id": "s-1", "message_ids": ids})
        assert ids == [
            one["message_id"]
            for body in sorted(world.bodies, key=lambda body: int(body["part"]))
            for one in body["messages"]
        ]
        assert {3} == {body["parts"] for body in world.bodies}
        assert [100, 100, 50] == [len(call) for call in world.gateway.status_calls]

    @pytest.mark.parametrize("error", [AWAY, LOST])
    async def test_lookups_are_repeated(
        self, world: World, worker: FakeWorker, error: TransientError
    ) -> None:
        """A lost reply too, for it only reads; then in rounds, then given up."""
        job = {"job_id": "s-1", "message_ids": ["a"]}
        world.gateway.status_script = [error, error]
        assert Done() == await handled(worker, Lane.STATUS, job)
        world.gateway.status_script = [error] * 3
        assert Delay(5, error.code) == await handled(worker, Lane.STATUS, job)
        world.gateway.status_script = [error] * 3
        last = await handled(worker, Lane.STATUS, job, attempts=2, first_seen=START)
        assert isinstance(last, DeadLetter)
        assert ("delivery.failed", error.code) == (world.last.routing_key, world.bodies[-1]["error"]["code"])

    async def test_a_refusal_is_given_up_at_once(self, world: World, worker: FakeWorker) -> None:
        """It would be refused again."""
        world.gateway.status_script = [PermanentError("rejected_by_gateway", "no")]
        job = {"job_id": "s-1", "message_ids": ["a"]}
        assert DeadLetter("rejected_by_gateway", "no") == await handled(worker, Lane.STATUS, job)

    async def test_one_refused_id_does_not_cost_the_others_their_answers(
        self, world: World, worker: FakeWorker
    ) -> None:
        """It is reported like one that the gateway does not know, and named in no line."""
        ids = [f"m{number}" for number in range(100)]
        world.gateway.reports = dict.fromkeys(ids, report("delivered"))
        world.gateway.status_failing = {"m17": REFUSED}
        with capture_logs() as lines:
            assert Done() == await handled(worker, Lane.STATUS, {"job_id": "s-1", "message_ids": ids})
        (body,) = world.bodies
        assert ["m17"] == [one["message_id"] for one in body["messages"] if not one["found"]]
        assert ("pending", ids) == (body["status"], [one["message_id"] for one in body["messages"]])
        (line,) = [line for line in lines if line["log_level"] == "warning"]
        assert ("lookup.refused", 100, 1) == (line["event"], line["keys"], line["refused"])
        assert not any("m17" in str(line) for line in lines)
        assert {"messages": 100, "parts": 1, "refused": 1} == worker.observer.ended[0][0].counts

    async def test_a_part_of_nothing_but_refused_ids_is_refused(
        self, world: World, worker: FakeWorker
    ) -> None:
        """However many they are."""
        world.gateway.status_failing = {"a": REFUSED, "b": REFUSED}
        last = await handled(worker, Lane.STATUS, {"job_id": "s-1", "message_ids": ["a", "b"]})
        assert DeadLetter(REFUSED.code, REFUSED.detail) == last
        assert ("delivery.failed", "s-1/1") == (world.last.routing_key, world.last.message_id)

    async def test_a_bad_job_is_rejected(self, world: World, worker: FakeWorker) -> None:
        """With a result of its kind."""
        assert isinstance(await handled(worker, Lane.STATUS, {"job_id": "s-1"}), DeadLetter)
        assert "delivery.rejected" == world.last.routing_key


class TestStatusJobsOfSeveralParts:
    """Each part ends in one kind of result, and none is published before the job's last round."""

    IDS = tuple(f"m{number}" for number in range(250))
    JOB: ClassVar[dict[str, object]] = {"job_id": "s-1", "message_ids": IDS, "metadata": {"x": 1}}

    def results(self, world: World) -> list[tuple[str, str, int, int, int]]:
        """Routing key, message id, part, parts and number of messages of each result, by part."""
        return sorted(
            (
                (result.routing_key, result.message_id, body["part"], body["parts"], len(body["messages"]))
                for result, body in zip(world.publisher.results, world.bodies, strict=True)
            ),
            key=itemgetter(2),
        )

    @pytest.fixture(autouse=True)
    def known(self, world: World) -> None:
        """The gateway knows all of them."""
        world.gateway.reports = dict.fromkeys(self.IDS, report("delivered"))

    @pytest.mark.row(
        "status-parts/delayed",
        "the lookup of a part fails, with rounds left",
        "nothing is published; the job goes to the delay queue as a whole",
    )
    @pytest.mark.parametrize("error", [AWAY, LOST])
    async def test_nothing_is_published_while_another_round_is_possible(
        self, world: World, worker: FakeWorker, error: WorkerError
    ) -> None:
        """And each part once when the last one answers."""
        world.gateway.status_failing = {"m150": error}
        for attempts in (0, 1):
            delay = await handled(worker, Lane.STATUS, self.JOB, attempts=attempts, first_seen=START)
            assert isinstance(delay, Delay)
        assert [] == world.publisher.results
        world.gateway.status_failing = {}
        assert Done() == await handled(worker, Lane.STATUS, self.JOB, attempts=2, first_seen=START)
        assert [
            ("delivery.final", "s-1/1", 1, 3, 100),
            ("delivery.final", "s-1/2", 2, 3, 100),
            ("delivery.final", "s-1/3", 3, 3, 50),
        ] == self.results(world)

    async def test_in_the_last_round_the_failed_part_says_so_under_its_own_number(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Beside the answers of the others; the job is one dead letter."""
        world.gateway.status_failing = {"m150": AWAY}
        last = await handled(worker, Lane.STATUS, self.JOB, attempts=2, first_seen=START)
        assert DeadLetter(AWAY.code, AWAY.detail) == last
        assert [
            ("delivery.final", "s-1/1", 1, 3, 100),
            ("delivery.failed", "s-1/2", 2, 3, 0),
            ("delivery.final", "s-1/3", 3, 3, 50),
        ] == self.results(world)
        (failed,) = [body for body in world.bodies if body["part"] == 2]
        assert (AWAY.code, {"x": 1}) == (failed["error"]["code"], failed["metadata"])
        (summary, *_) = worker.observer.ended[-1]
        assert ("failed", {"messages": 250, "parts": 3, "failed_parts": 1}) == (
            summary.result,
            summary.counts,
        )

    async def test_every_part_may_fail(self, world: World, worker: FakeWorker) -> None:
        """Each for itself."""
        world.gateway.status_failing = dict.fromkeys(self.IDS, AWAY)
        last = await handled(worker, Lane.STATUS, self.JOB, attempts=2, first_seen=START)
        assert isinstance(last, DeadLetter)
        assert [
            ("delivery.failed", "s-1/1", 1, 3, 0),
            ("delivery.failed", "s-1/2", 2, 3, 0),
            ("delivery.failed", "s-1/3", 3, 3, 0),
        ] == self.results(world)

    @pytest.mark.row(
        "status-parts/refused",
        "the gateway refuses every id of a part",
        "the same, in the first round in which the other parts are answered",
    )
    async def test_a_refused_part_ends_the_job_in_its_first_round(
        self, world: World, worker: FakeWorker
    ) -> None:
        """It would be refused again; the others keep their answers."""
        world.gateway.status_failing = dict.fromkeys(self.IDS[200:], REFUSED)
        last = await handled(worker, Lane.STATUS, self.JOB)
        assert DeadLetter(REFUSED.code, REFUSED.detail) == last
        assert ["delivery.final", "delivery.final", "delivery.failed"] == [
            key for key, *_ in self.results(world)
        ]

    async def test_a_refused_part_waits_for_one_that_may_still_be_answered(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Nothing is published in between."""
        world.gateway.status_failing = dict.fromkeys(self.IDS[:100], REFUSED) | {"m150": AWAY}
        assert Delay(5, AWAY.code) == await handled(worker, Lane.STATUS, self.JOB)
        assert [] == world.publisher.results

    async def test_a_broker_that_is_away_sends_the_job_back(self, world: World, worker: FakeWorker) -> None:
        """What was published may come again, the same."""
        world.publisher.failures = 1
        assert isinstance(await handled(worker, Lane.STATUS, self.JOB), Requeue)


class TestAccountJobs:
    """The balance."""

    @pytest.mark.parametrize(("balance", "number"), [("417", 417), ("41.5", 41.5)])
    async def test_the_balance_is_told(
        self, world: World, worker: FakeWorker, balance: str, number: float
    ) -> None:
        """A whole number is an integer."""
        world.gateway.balance = Decimal(balance)
        assert Done() == await handled(worker, Lane.ACCOUNT, {"job_id": "a-1"})
        found = world.bodies[0]["remaining_credits"]
        assert (number, type(number)) == (found, type(found))
        assert ("account.balance", "a-1/1") == (world.last.routing_key, world.last.message_id)
        assert [Decimal(balance)] == worker.observer.balances

    async def test_it_is_tried_again_and_given_up(self, world: World, worker: FakeWorker) -> None:
        """As status jobs are."""
        world.gateway.account_script = [AWAY] * 3
        assert Delay(5, AWAY.code) == await handled(worker, Lane.ACCOUNT, {"job_id": "a-1"})
        world.gateway.account_script = [LOST] * 3
        last = await handled(worker, Lane.ACCOUNT, {"job_id": "a-1"}, attempts=2, first_seen=START)
        assert isinstance(last, DeadLetter)
        world.gateway.account_script = [PermanentError("rejected_by_gateway", "no")]
        assert isinstance(await handled(worker, Lane.ACCOUNT, {"job_id": "a-1"}), DeadLetter)
        assert ["account.failed"] * 2 == [result.routing_key for result in world.publisher.results]

    async def test_a_bad_job_is_rejected(self, world: World, worker: FakeWorker) -> None:
        """With a result of its kind."""
        assert isinstance(await handled(worker, Lane.ACCOUNT, {"job_id": "a b"}), DeadLetter)
        assert "account.rejected" == world.last.routing_key


class SlowPublisher:
    """A broker that takes nothing before *taken*.

    Attributes:
        begun: balances that were to be published.
        said: those that were.
    """

    def __init__(self, taken: asyncio.Event) -> None:
        self._taken = taken
        self.begun: list[int] = []
        self.said: list[int] = []

    async def publish_result(self, result: ResultMessage) -> None:
        """Wait."""
        balance = json.loads(result.body)["remaining_credits"]
        self.begun.append(balance)
        await self._taken.wait()
        self.said.append(balance)

    async def publish_part(self, part: PartMessage) -> None:
        """Be asked for none."""
        raise NotImplementedError(part)

    async def publish_follow_up(self, follow_up: FollowUpMessage) -> None:
        """Likewise."""
        raise NotImplementedError(follow_up)


class TestCreditsWatch:
    """A word when the balance falls."""

    def watch(self, world: World, worker: FakeWorker) -> CreditsWatch:
        """Below a hundred, every minute."""
        return CreditsWatch(
            worker.lookups,
            world.publisher,
            worker.observer,
            world.clock,
            threshold=Decimal(100),
            interval=60.0,
            draw_id=iter("abc").__next__,
        )

    async def test_it_speaks_once_for_each_fall(self, world: World, worker: FakeWorker) -> None:
        """Not again while it stays low."""
        watch = self.watch(world, worker)
        for balance in (100, 99, 5, 100, 99):
            watch.seen(Decimal(balance))
            await settled()
        assert ["account/low/a", "account/low/b"] == [one.message_id for one in world.publisher.results]
        assert (None, 99, 100) == (
            world.bodies[0]["job_id"],
            world.bodies[0]["remaining_credits"],
            world.bodies[0]["threshold"],
        )

    async def test_a_word_that_the_broker_does_not_take_keeps_it_from_no_look(
        self, world: World, worker: FakeWorker
    ) -> None:
        """It is said once, when the broker takes it; not at all, where the balance has risen meanwhile."""
        taken, watch = asyncio.Event(), self.watch(world, worker)
        publisher = SlowPublisher(taken)
        watch.publisher = publisher
        world.gateway.balance = Decimal(5)
        running = asyncio.ensure_future(watch.run())
        await world.clock.advance(200)
        assert 4 == world.gateway.account_calls
        world.gateway.balance = Decimal(500)
        await world.clock.advance(60)
        world.gateway.balance = Decimal(6)
        await world.clock.advance(60)
        taken.set()
        await world.clock.advance(200)
        assert [5, 6] == publisher.begun
        assert [6] == publisher.said
        running.cancel()
        await asyncio.wait({running})

    async def test_it_survives_whatever_is_away(self, world: World, worker: FakeWorker) -> None:
        """And speaks when it can."""
        world.gateway.balance = Decimal(5)
        world.gateway.account_script = [AWAY] * 3
        world.publisher.failures = 1
        running = asyncio.ensure_future(self.watch(world, worker).run())
        await world.clock.advance(200)
        assert not running.done()
        assert ["account.low"] == [result.routing_key for result in world.publisher.results]
        running.cancel()
        await asyncio.wait({running})


class TestDispatch:
    """Every delivery's way."""

    @pytest.mark.parametrize(
        ("error", "pauses"),
        [
            (LedgerUnavailableError("ledger_away", "x"), 1),
            (BrokerUnavailableError("not_confirmed", "x"), 0),
            (GatewayAwayError("gateway_away", "x"), 0),
        ],
    )
    async def test_what_is_away_sends_the_job_back(
        self, world: World, error: WorkerError, pauses: int
    ) -> None:
        """Only the ledger stops the intake."""

        async def fail() -> None:
            raise error

        worker = FakeWorker(world, gate=FakeGate(on_admit=fail))
        assert Requeue(error.code) == await handled(worker, Lane.ACCOUNT, {"job_id": "a-1"})
        assert pauses == worker.gate.ledger_failures
        assert [] == world.publisher.results

    async def test_one_that_lacks_a_lookup_alone_makes_way(self, world: World) -> None:
        """For those behind it that need none; that is no attempt of its own."""

        async def fail() -> None:
            raise GatewayAwayError("gateway_away", "x", lookups_alone=True)

        dispatch = replace(FakeWorker(world, gate=FakeGate(on_admit=fail)).dispatch(), aside=5)
        found = await dispatch(delivery(Lane.ACCOUNT, {"job_id": "a-1"}))
        assert Delay(5, "gateway_away", counts=False) == found

    async def test_each_delivery_is_observed_once(self, world: World, worker: FakeWorker) -> None:
        """Taken and ended, with its kind, result and lane."""
        await handled(worker, Lane.ACCOUNT, {"job_id": "a-1"})
        world.publisher.failures = 1
        await handled(worker, Lane.ACCOUNT, {"job_id": "a-2"})
        assert [("account", "balance"), ("account", "returned")] == [
            (summary.kind, summary.result) for summary, _, _ in worker.observer.ended
        ]
        assert 2 == len(worker.observer.taken)


class TestParallel:
    """Many small calls at once."""

    async def test_results_keep_the_order_and_the_limit_holds(self) -> None:
        """However long each takes."""
        under_way, most = 0, 0

        async def work(number: int) -> int:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            for _ in range(20 - number):
                await asyncio.sleep(0)
            under_way -= 1
            return number * 2

        assert [number * 2 for number in range(20)] == await parallel.each(work, range(20), limit=3)
        assert 3 == most

    async def test_the_first_error_comes_out_as_it_is(self) -> None:
        """The rest is cancelled."""
        cancelled: list[int] = []

        async def work(number: int) -> None:
            if number == 1:
                raise AWAY
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(number)
                raise

        with pytest.raises(TransientError) as error:
            await parallel.each(work, range(5), limit=3)
        assert AWAY is error.value
        assert [0, 2] == sorted(cancelled)

    async def test_a_cancellation_passes_through(self) -> None:
        """As what it is."""

        async def work(_: int) -> None:
            await asyncio.Event().wait()

        task = asyncio.ensure_future(parallel.each(work, range(5), limit=3))
        await settled()
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
