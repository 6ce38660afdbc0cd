"""A reply that turns up after another worker has taken its call over: whatever ids it has are published."""

import asyncio

import pytest

from tests.support.fake_worker import LEASE, FakeWorker, World, handled, numbers, send_job, started
from tests.support.fakes import Failing, FakeGate, Pausing, settled
from worker.domain.errors import OutcomeUncertainError, PermanentError, TransientError, WorkerError
from worker.domain.messages import Disposition
from worker.domain.sent_ids import SentIds

ONE, TWO = numbers(2)
LOST = OutcomeUncertainError("reply_lost", "no reply")
AWAY = TransientError("gateway_unreachable", "connection refused")


@pytest.fixture
def world() -> World:
    """Provide ledger, gateway, broker and clock."""
    return World()


@pytest.fixture(params=[False, True], ids=["alone", "jointly"])
def worker(world: World, request: pytest.FixtureRequest) -> FakeWorker:
    """Provide a worker whose jobs call by themselves, and one whose jobs share calls."""
    return FakeWorker(world, coalesce=request.param)


def named(error: WorkerError) -> WorkerError:
    """An *error* whose words have an id that the reply gives to nobody."""
    error.detail += " (message id x)"
    error.names_ids = error.tells_ids = True
    return error


REPLIES: dict[str, SentIds | WorkerError] = {
    "left out": SentIds({}, ("x",)),
    "unreadable": named(OutcomeUncertainError("reply_unreadable", "what?")),
    "cut off": named(OutcomeUncertainError("reply_lost", "no end")),
    "refused": named(PermanentError("number_refused", "no")),
}


async def overtaken(world: World, worker: FakeWorker, job: object) -> "asyncio.Task[Disposition]":
    """Have another worker end a job while its call is under way here; return what goes on then."""
    world.gateway.before_send = paused = Pausing()
    task = started(worker, job)
    await paused.reached.wait()
    await handled(FakeWorker(world), job)
    paused.go_on.set()
    return task


async def overtaking(
    world: World, worker: FakeWorker, repeating: FakeWorker, repeat: Pausing
) -> "tuple[asyncio.Task[Disposition], asyncio.Task[Disposition]]":
    """Have a `resend` job's reply come while *repeating* is stopped by *repeat* at its next call.

    Returns:
        What goes on of the job here, and there.
    """
    job = send_job(ONE, on_uncertain="resend")
    world.gateway.before_send = first = Pausing()
    task = started(worker, job)
    await first.reached.wait()
    world.gateway.before_send = repeat
    other = started(repeating, job)
    await world.clock.advance(LEASE + 1)
    assert repeat.reached.is_set()
    first.go_on.set()
    await settled()
    repeat.go_on.set()
    return task, other


class TestLateReplies:
    """A reply that turns up after the take-over."""

    async def test_its_ids_are_a_revision(self, world: World, worker: FakeWorker) -> None:
        """Published once more under the same message id."""
        await world.clock.run(await overtaken(world, worker, send_job(ONE, TWO)))
        assert [None, 2] == [body.get("revision") for body in world.bodies]
        assert {ONE: "accepted", TWO: "accepted"} == world.outcomes()
        assert 1 == len({result.message_id for result in world.publisher.results})
        assert 1 == worker.observer.revisions

    async def test_they_wait_for_a_ledger_that_is_away(self, world: World, worker: FakeWorker) -> None:
        """The ids are nowhere else."""
        task = await overtaken(world, worker, send_job(ONE))
        world.ledger.before = Failing("load", {0, 1, 2, 4})
        await world.clock.run(task)
        assert {ONE: "accepted"} == world.outcomes()

    async def test_they_wait_for_a_broker_that_is_away(self, world: World, worker: FakeWorker) -> None:
        """The delivery belongs to the other worker, which has acknowledged it: nobody else would."""
        task = await overtaken(world, worker, send_job(ONE))
        world.publisher.failures = 20
        await world.clock.run(task)
        assert {ONE: "accepted"} == world.outcomes()
        assert 2 == world.bodies[-1]["revision"]

    async def test_a_repeat_under_way_keeps_its_own_reply(self, world: World, worker: FakeWorker) -> None:
        """The late id stands beside that of the repeat; there is no third call and no wait."""
        task, repeat = await overtaking(world, worker, FakeWorker(world), Pausing())
        await settled()
        assert repeat.done()
        await world.clock.run(task)
        assert 2 == len(world.gateway.calls)
        one = world.bodies[-1]["recipients"][0]
        assert set(world.gateway.given[ONE]) == {one["message_id"], *one["earlier_message_ids"]}

    async def test_three_replies_leave_three_ids(self, world: World) -> None:
        """Two late ones, one in time."""
        job = send_job(ONE, on_uncertain="resend")
        pauses = []
        tasks = []
        for _ in range(3):
            world.gateway.before_send = paused = Pausing()
            pauses.append(paused)
            tasks.append(started(FakeWorker(world), job))
            await world.clock.advance(LEASE + 1)
            assert paused.reached.is_set()
        for paused in pauses:
            paused.go_on.set()
            await settled()
        await world.clock.run(asyncio.wait(tasks))
        one = world.bodies[-1]["recipients"][0]
        assert set(world.gateway.given[ONE]) == {one["message_id"], *one["earlier_message_ids"]}
        assert 3 == len(world.gateway.given[ONE])

    async def test_a_repeat_that_is_no_longer_needed_is_not_made(
        self, world: World, worker: FakeWorker
    ) -> None:
        """The reply came while the repeat waited at the gate."""
        gate = FakeGate(on_admit=(held := Pausing()))
        await world.clock.run(
            asyncio.wait(await overtaking(world, worker, FakeWorker(world, gate=gate), held))
        )
        assert 1 == len(world.gateway.calls)
        assert {ONE: "accepted"} == world.outcomes()
        assert all("revision" not in body for body in world.bodies)


class TestLateWords:
    """A reply that turns up after the take-over and names ids of nobody: they stand in its words alone."""

    @pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
    async def test_they_are_a_revision(
        self, world: World, worker: FakeWorker, reply: SentIds | WorkerError
    ) -> None:
        """Of one who is as uncertain as before. The same job again is answered alike."""
        world.gateway.script = [reply]
        await world.clock.run(await overtaken(world, worker, send_job(ONE)))
        assert [None, 2] == [body.get("revision") for body in world.bodies]
        first, second = (body["recipients"][0] for body in world.bodies)
        assert ("uncertain", "worker_lost") == (first["outcome"], first["error"]["code"])
        assert "uncertain" == second["outcome"]
        assert second["error"]["detail"].endswith("(message id x)")
        await handled(FakeWorker(world), send_job(ONE))
        assert world.bodies[1] == world.bodies[2]

    @pytest.mark.parametrize(
        "reply", [LOST, OutcomeUncertainError("reply_unreadable", "?"), PermanentError("text_refused", "no")]
    )
    async def test_without_ids_they_are_none(
        self, world: World, worker: FakeWorker, reply: WorkerError
    ) -> None:
        """The result comes once more, the same, as after any delivery that was another's by then."""
        world.gateway.script = [reply]
        await world.clock.run(await overtaken(world, worker, send_job(ONE)))
        assert world.publisher.results[0] == world.publisher.results[-1]
        assert 0 == worker.observer.revisions

    async def test_they_wait_for_ledger_and_broker(self, world: World, worker: FakeWorker) -> None:
        """Nobody else could publish them."""
        world.gateway.script = [REPLIES["cut off"]]
        task = await overtaken(world, worker, send_job(ONE))
        world.ledger.before, world.publisher.failures = Failing("load", {0, 1, 2, 4}), 20
        await world.clock.run(task)
        assert "no end (message id x)" == world.bodies[-1]["recipients"][0]["error"]["detail"]
        assert 2 == world.bodies[-1]["revision"]

    async def test_a_repeat_that_waits_is_not_made(self, world: World, worker: FakeWorker) -> None:
        """The reply was not lost: the job ends with its words, and nothing was published before."""
        world.gateway.script = [REPLIES["unreadable"]]
        gate = FakeGate(on_admit=(held := Pausing()))
        await world.clock.run(
            asyncio.wait(await overtaking(world, worker, FakeWorker(world, gate=gate), held))
        )
        assert 1 == len(world.gateway.calls)
        assert [(None, "what? (message id x)")] * 2 == [
            (body.get("revision"), body["recipients"][0]["error"]["detail"]) for body in world.bodies
        ]

    @pytest.mark.parametrize(
        ("end", "outcome"), [(LOST, "uncertain"), (AWAY, "uncertain"), (None, "accepted")]
    )
    async def test_a_repeat_under_way_keeps_them(
        self, world: World, worker: FakeWorker, end: WorkerError | None, outcome: str
    ) -> None:
        """Until it ends, and there is no third call; an id of its own takes their place."""
        world.gateway.script = [REPLIES["cut off"], end]
        await world.clock.run(asyncio.wait(await overtaking(world, worker, FakeWorker(world), Pausing())))
        one = world.bodies[-1]["recipients"][0]
        assert (outcome, 2) == (one["outcome"], len(world.gateway.calls))
        assert ("(message id x)" in str(one.get("error"))) is (outcome == "uncertain")
