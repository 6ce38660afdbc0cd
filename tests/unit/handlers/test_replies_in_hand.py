# ruff: noqa: E501 - the table
"""A worker that holds a reply never lets go of it, whatever the ledger says or lacks.

All ways out of the region between "the gateway answered" and "recorded and published", by reading
`part_work`, `record`, `calls`, `shared_calls` and `completion`. `Mishaps` does those that the ledger is
behind, `TestStops` those of a cancellation:

| the way out | what happens there | test |
| --- | --- | --- |
| the record is refused, the entry is gone | it is written anew | `gone` |
| ... it is back at "opened" | the plan and the outcome are written over it | `opened` |
| ... it is back at its plan, without the claim | the call is done in it | `unclaimed` |
| ... it was settled, released or claimed by another | the ids are a revision, or beside the other's | `taken over`, and `test_late_replies.TestLateReplies` |
| ... it is another job's | published from memory, the entry is left alone | `another job` |
| ... it is a newer release's | published from memory as a revision, left alone | `newer` |
| ... nobody can read it | written anew | `damaged` |
| ... its key holds another program's value | published from memory | `foreign` |
| the store is away for long | waited for, the ids in hand | `away` |
| the store fails with an error that is none of ours | published from memory | `crash` |
| a cancellation with the reply, in the same turn of the loop | recorded | `test_with_the_reply` |
| a cancellation while it is recorded | recorded | `test_while_it_is_recorded` |
| a cancellation while the store is away | published from memory, acknowledged | `test_while_the_ledger_is_away` |
| a joint call: its record fails for one, for all, in the halves | each job goes on by itself, as above | `jointly`, `TestJointCalls` |
| the second call's claim finds no entry, or no store | what the first brought is written anew | `TestSeveralCalls` |
| a round is over, the gateway is away, the result is not confirmed | what is known is written anew, then the job leaves | `TestLeaving` |
| a part of a large job leaves while others have ended | their entries and the plan are written anew | `TestLargeJobs` |
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.support.deadline import DEADLINE
from tests.support.fake_worker import FakeWorker, World, delivery, numbers, part_delivery, send_job, stopping
from tests.support.fakes import settled
from worker.domain.entry import Entry, release
from worker.domain.entry_codec import decode, encode
from worker.domain.errors import (
    EntryUnusableError,
    GatewayAwayError,
    LedgerUnavailableError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
)
from worker.domain.messages import Delay, Disposition, Done, Lane, Requeue
from worker.domain.verdict import after_lease
from worker.ports import Stored

ONE, TWO, THREE = numbers(3)
AWAY = TransientError("gateway_unreachable", "connection refused")
LOST = OutcomeUncertainError("reply_lost", "lost")
Change = Callable[[World], Awaitable[None]]


def entries(world: World) -> dict[str, Stored]:
    """What the store holds."""
    return {key: held.stored for key, held in world.ledger._inner._entries.items()}


async def change_each(world: World, change: Callable[[Entry], Entry | bytes]) -> None:
    """Set every entry that is being called for to what *change* makes of it, with a token of its own."""
    held = entries(world)
    world.ledger.forget()
    for key, stored in held.items():
        entry = decode(stored.state)
        under_way = b'"calling"' in stored.state
        new = change(entry) if under_way else entry
        state = new if isinstance(new, bytes) else encode(new)
        token = f"{stored.token}-changed" if under_way else stored.token
        await world.ledger._inner.swap(key, expected=None, new=Stored(token, state))


def unclaimed(entry: Entry) -> Entry:
    """The plan before its first claim."""
    index = next(i for i, call in enumerate(entry.part.calls) if call.attempts)
    return release(entry, index, went_out=False)


class Mishaps:
    """What may happen to the ledger between the claim and the record."""

    async def gone(self, world: World) -> None:
        """FLUSHALL."""
        world.ledger.forget()

    async def opened(self, world: World) -> None:
        """An old state of a job that was opened before it was planned."""
        await change_each(world, lambda entry: Entry(entry.fingerprint))

    async def unclaimed(self, world: World) -> None:
        """A replica that has not heard of the claim."""
        await change_each(world, unclaimed)

    async def taken_over(self, world: World) -> None:
        """Another worker took the call for lost."""
        await change_each(world, lambda entry: after_lease(entry, 0, repeatable=False))

    async def another_job(self, world: World) -> None:
        """Somebody else's job has the id by now."""
        await change_each(world, lambda _: Entry("another content"))

    async def newer(self, world: World) -> None:
        """A worker of the next release was at it."""
        await change_each(world, lambda _: b'{"v":2,"f":"x"}')

    async def damaged(self, world: World) -> None:
        """Nothing that a release ever wrote."""
        await change_each(world, lambda _: b"\x00damaged")

    async def foreign(self, world: World) -> None:
        """The key is another program's."""

        async def refuse(_name: str) -> None:
            raise EntryUnusableError("ledger_foreign_entry", "made to fail")

        world.ledger.before = refuse

    async def away(self, world: World) -> None:
        """A minute without the store."""
        since = world.clock.elapsed()

        async def fail(_name: str) -> None:
            if world.clock.elapsed() < since + 60:
                raise LedgerUnavailableError("ledger_away", "made to fail")

        world.ledger.before = fail

    async def away_and_empty(self, world: World) -> None:
        """The store comes back without its entries."""
        await self.away(world)
        world.ledger.forget()

    async def crash(self, world: World) -> None:
        """A mistake of ours, or of a library."""

        async def break_down(name: str) -> None:
            if name == "swap":
                world.ledger.before = None
                raise RuntimeError("a mistake")

        world.ledger.before = break_down


MISHAPS = [name for name in vars(Mishaps) if not name.startswith("_")]
WAYS = ["alone", "jointly", "part here", "part handed out"]


class Way:
    """A job on its way, with its calls made in one of several manners."""

    def __init__(self, kind: str) -> None:
        self.world = World()
        self.kind = kind
        self.worker = FakeWorker(
            self.world, coalesce=kind == "jointly", share_above=1000 if kind == "part here" else 100
        )
        self.dispatch = self.worker.dispatch()
        self.names = numbers(101) if kind.startswith("part") else (ONE, TWO)

    async def started(self) -> "list[asyncio.Task[Disposition]]":
        """Deliveries that are being worked on."""
        first = asyncio.ensure_future(self.dispatch(delivery(Lane.SEND, send_job(*self.names))))
        if self.kind != "part handed out":
            return [first]
        await self.world.clock.run(first)
        return [
            asyncio.ensure_future(self.dispatch(part_delivery(one))) for one in self.world.publisher.parts
        ]

    async def to_its_end(self) -> list[Disposition]:
        """Carry it out, time passing as it must."""
        tasks = await self.started()
        for task in tasks:
            await self.world.clock.run(task)
        return [task.result() for task in tasks]

    def once_answered(self, mishap: Change, *, calls: int | None = None) -> None:
        """Have *mishap* happen with all calls under way: every claim is written, no reply is there."""
        left = calls or (2 if self.kind.startswith("part") else 1)
        all_are_there = asyncio.Event()

        async def happen() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.world.gateway.before_send = None
                await mishap(self.world)
                all_are_there.set()
            await all_are_there.wait()

        self.world.gateway.before_send = happen

    def published_all(self) -> bool:
        """Whether each number was sent to once, and its id was published."""
        given = {name: ids[0] for name, ids in self.world.gateway.given.items()}
        return set(self.world.gateway.times_sent.values()) == {1} and given == self.world.ids()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Provide each manner in turn."""
    return Way(request.param)


class TestLedger:
    """Whatever the ledger says or lacks when the reply is there."""

    @pytest.mark.row(
        "forgets/anything",
        "every state of the entry, alone, jointly and in parts; every cancellation",
        "one text, its ids published",
    )
    @pytest.mark.parametrize("mishap", MISHAPS)
    async def test_the_text_goes_out_once_and_its_ids_are_published(self, way: Way, mishap: str) -> None:
        """And the delivery is acknowledged."""
        way.once_answered(getattr(Mishaps(), mishap))
        assert {Done()} == set(await way.to_its_end())
        assert set(way.names) == set(way.world.gateway.times_sent)
        assert way.published_all()

    @pytest.mark.parametrize("mishap", ["gone", "opened", "unclaimed", "damaged", "away", "away_and_empty"])
    async def test_a_repeat_of_the_job_is_answered_alike(self, way: Way, mishap: str) -> None:
        """The ledger has learnt it."""
        way.once_answered(getattr(Mishaps(), mishap))
        await way.to_its_end()
        sent = list(way.world.gateway.sent)
        before = {(one.message_id, one.body) for one in way.world.publisher.results}
        way.world.publisher.parts.clear()
        assert {Done()} == set(await way.to_its_end())
        assert sent == way.world.gateway.sent
        assert before == {(one.message_id, one.body) for one in way.world.publisher.results}

    @pytest.mark.parametrize("mishap", ["another_job", "newer"])
    async def test_what_is_others_is_left_alone(self, way: Way, mishap: str) -> None:
        """Nothing of ours is written there."""
        await_state: list[dict[str, bytes]] = []

        async def happen(world: World) -> None:
            before = set(entries(world).items())
            await getattr(Mishaps(), mishap)(world)
            await_state.append({k: v.state for k, v in set(entries(world).items()) - before})

        way.once_answered(happen)
        await way.to_its_end()
        held = {key: stored.state for key, stored in entries(way.world).items()}
        assert await_state[0].items() <= held.items()

    async def test_a_reply_without_every_number_is_not_repeated_either(self, way: Way) -> None:
        """The number that it leaves out may have been sent to."""
        reply = {name: f"id-{name}" for name in way.names if name != way.names[1]}
        way.world.gateway.script = [reply, reply]
        way.once_answered(Mishaps().unclaimed)
        await way.to_its_end()
        assert {1} == set(way.world.gateway.times_sent.values())
        assert reply == way.world.ids()
        assert "uncertain" == way.world.outcomes()[way.names[1]]

    @pytest.mark.parametrize("mishap", ["gone", "opened", "unclaimed", "another_job"])
    async def test_a_lost_reply_is_not_forgotten_either(self, way: Way, mishap: str) -> None:
        """The text may have gone out."""
        way.world.gateway.script, way.world.gateway.lost = [LOST, LOST], True
        way.once_answered(getattr(Mishaps(), mishap))
        assert {Done()} == set(await way.to_its_end())
        assert {1} == set(way.world.gateway.times_sent.values())
        assert {"uncertain"} == set(way.world.outcomes().values())


class TestStops:
    """The end of a drain."""

    async def test_with_the_reply(self, way: Way) -> None:
        """In the same turn of the loop: recorded, for the next worker to publish."""
        way.world.gateway.latency = 5.0
        tasks = await way.started()
        await settled()
        asyncio.get_running_loop().call_soon(lambda: stopping(*tasks))
        way.world.clock.leap(5.0)
        for _, _, wake in way.world.clock._sleepers:
            if not wake.done():
                wake.set_result(None)
        await asyncio.wait(tasks)
        await self._found_by_the_next(way)

    async def test_while_it_is_recorded(self, way: Way) -> None:
        """The record is finished."""
        tasks = await way.started()
        go_on = asyncio.Event()

        async def pause(name: str) -> None:
            if name == "swap" and way.world.gateway.given:
                await go_on.wait()

        way.world.ledger.before = pause
        await settled()
        for task in tasks:
            task.cancel()
        await settled()
        go_on.set()
        await asyncio.wait(tasks)
        way.world.ledger.before = None
        await self._found_by_the_next(way)

    async def _found_by_the_next(self, way: Way) -> None:
        given = {name: ids[0] for name, ids in way.world.gateway.given.items()}
        other = Way(way.kind)
        other.world, other.worker.world = way.world, way.world
        other.dispatch = other.worker.dispatch()
        way.world.publisher.parts.clear()
        await other.to_its_end()
        assert given.items() <= way.world.ids().items()
        assert {1} == set(way.world.gateway.times_sent.values())

    @pytest.mark.row("forgets/anything")
    async def test_while_the_ledger_is_away(self, way: Way) -> None:
        """Published without a record. The ledger's claim stays: no repeat sends it again."""
        way.once_answered(Mishaps().away)
        tasks = await way.started()
        await settled()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert way.published_all()
        if way.kind != "part here":
            assert {Done()} == {task.result() for task in tasks}

    async def test_while_the_ledger_hangs(self, way: Way) -> None:
        """Within the time that a stop has: a record that does not end must not cost the results theirs."""

        async def hang(_name: str) -> None:
            await asyncio.Event().wait()

        async def hangs(world: World) -> None:
            world.ledger.before = hang

        way.once_answered(hangs)
        tasks = await way.started()
        await settled()
        assert {False} == {task.done() for task in tasks}
        await stopping(*tasks, within=1.0)
        assert way.published_all()
        await asyncio.wait(tasks)  # a large job tries for two seconds more to have its plan in the ledger

    async def test_twice(self, way: Way) -> None:
        """A second signal does not make it let go."""
        way.once_answered(Mishaps().away)
        tasks = await way.started()
        await settled()
        for _ in range(3):
            for task in tasks:
                task.cancel()
            await settled()
        await asyncio.wait(tasks)
        assert way.published_all()

    async def test_without_a_reply(self, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
        """The call is left to the lease, and nobody waits for it."""
        for module in ("finishing", "send.part_work"):
            monkeypatch.setattr(f"worker.handlers.{module}.LAST_STEP", 2 * DEADLINE)
        way.world.gateway.latency = 500.0
        tasks = await way.started()
        await settled()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=DEADLINE)
        assert [True] * len(tasks) == [task.cancelled() for task in tasks]


class TestSeveralCalls:
    """A job whose recipients do not fit into one URL: ids of the first call are in hand at the second."""

    @pytest.fixture(params=["alone", "jointly"])
    def two(self, request: pytest.FixtureRequest) -> Way:
        """Provide a job of two calls."""
        way = Way(request.param)
        way.world.gateway.per_call = 1
        return way

    @pytest.mark.parametrize("mishap", ["gone", "opened", "away", "away_and_empty", "damaged"])
    async def test_the_first_is_not_made_again(self, two: Way, mishap: str) -> None:
        """Though the second finds no trace of it."""
        happened: list[bool] = []

        async def between() -> None:
            if two.world.gateway.given and not happened:
                happened.append(True)
                await getattr(Mishaps(), mishap)(two.world)
                if mishap in {"opened", "damaged"}:
                    await self._set_back(two.world, mishap)

        two.worker.gate.on_admit = between
        assert [Done()] == await two.to_its_end()
        assert happened
        assert two.published_all()

    async def _set_back(self, world: World, mishap: str) -> None:
        for key, stored in entries(world).items():
            state = encode(Entry(decode(stored.state).fingerprint)) if mishap == "opened" else b"\x00"
            await world.ledger._inner.swap(key, expected=stored.token, new=Stored("back", state))

    async def test_what_is_left_of_a_job_without_an_entry_is_not_sent(self, two: Way) -> None:
        """Nothing can be claimed in another job's entry: the rest fails, and says why."""

        async def between() -> None:
            if two.world.gateway.given:
                two.world.ledger.forget()
                other = Stored("x", encode(Entry("another content")))
                await two.world.ledger._inner.swap("job-1", expected=None, new=other)

        two.worker.gate.on_admit = between
        assert [Done()] == await two.to_its_end()
        assert {ONE: "accepted", TWO: "failed"} == two.world.outcomes()
        assert {ONE: 1} == two.world.gateway.times_sent


class TestLeaving:
    """A job that leaves this worker unfinished, with ids in the ledger that has lost them meanwhile."""

    @pytest.fixture
    def two(self) -> Way:
        """Provide a job of two calls."""
        way = Way("alone")
        way.world.gateway.per_call = 1
        return way

    async def _again(self, two: Way, **properties: object) -> Disposition:
        task = asyncio.ensure_future(
            two.dispatch(delivery(Lane.SEND, send_job(*two.names), redelivered=True, **properties))
        )
        await two.world.clock.run(task)
        return task.result()

    async def test_to_a_delay_queue(self, two: Way) -> None:
        """The next round sends the rest."""
        two.world.gateway.script = [None, AWAY, AWAY, AWAY]
        two.worker.gate.on_admit = self._emptied(two, at=4)
        assert [Delay(5, AWAY.code)] == await two.to_its_end()
        assert Done() == await self._again(two, attempts=1)
        assert two.published_all()

    async def test_back_to_its_queue(self, two: Way) -> None:
        """As long as the gateway is away."""

        async def held() -> None:
            if two.world.gateway.given:
                two.world.ledger.forget()
                two.worker.gate.on_admit = None
                raise GatewayAwayError("gateway_away", "made to fail")

        two.worker.gate.on_admit = held
        assert [Requeue("gateway_away")] == await two.to_its_end()
        assert Done() == await self._again(two)
        assert two.published_all()

    @pytest.mark.parametrize("kind", ["alone", "jointly", "part here"])
    async def test_with_a_result_that_is_not_confirmed(self, kind: str) -> None:
        """The next delivery publishes it."""
        way = Way(kind)

        async def emptied() -> None:
            if way.world.publisher.failures:
                way.world.ledger.forget()

        way.world.publisher.failures, way.world.publisher.before = 1, emptied
        dispositions = await way.to_its_end()
        assert Requeue("not_confirmed") in dispositions
        way.world.publisher.before = None
        assert {Done()} == set(await way.to_its_end())
        assert way.published_all()

    def _emptied(self, two: Way, *, at: int) -> Callable[[], Awaitable[None]]:
        seen: list[bool] = []

        async def count() -> None:
            seen.append(True)
            if len(seen) == at:
                # Behind the claim of the last attempt nothing but the release is to come.
                two.world.gateway.before_send = self._forget(two)

        return count

    def _forget(self, two: Way) -> Callable[[], Awaitable[None]]:
        async def forget() -> None:
            two.world.gateway.before_send = None
            two.world.ledger.forget()

        return forget


class TestJointCalls:
    """Several jobs in one call."""

    async def _done(self, worker: FakeWorker, names: tuple[str, ...]) -> list[Disposition]:
        dispatch = worker.dispatch()
        jobs = [send_job(name, job_id=f"job-{at}") for at, name in enumerate(names)]
        tasks = [asyncio.ensure_future(dispatch(delivery(Lane.SEND, one))) for one in jobs]
        await worker.world.clock.run(asyncio.wait(tasks))
        return [task.result() for task in tasks]

    @pytest.mark.parametrize("mishap", MISHAPS)
    async def test_every_job_keeps_its_ids(self, mishap: str) -> None:
        """Each by itself."""
        way = Way("jointly")
        way.once_answered(getattr(Mishaps(), mishap))
        assert {Done()} == set(await self._done(way.worker, numbers(5)))
        assert way.published_all()

    @pytest.mark.parametrize("mishap", ["gone", "opened", "unclaimed", "damaged", "away_and_empty"])
    async def test_so_it_is_in_the_halves_after_a_refusal(self, mishap: str) -> None:
        """Those that are innocent are sent, once."""
        way = Way("jointly")
        gateway = way.world.gateway
        gateway.refusal, gateway.send_refused = PermanentError("number_refused", "no"), {THREE}
        way.once_answered(getattr(Mishaps(), mishap))
        assert {Done()} == set(await self._done(way.worker, numbers(5)))
        assert way.published_all()
        assert {"failed"} == {way.world.outcomes()[THREE]}

    async def test_one_that_was_cancelled_is_recorded_all_the_same(self) -> None:
        """Its entry was lost meanwhile."""
        way = Way("jointly")
        way.world.gateway.latency = 5.0
        way.once_answered(Mishaps().gone)
        (task,) = await way.started()
        await settled()
        task.cancel()
        await asyncio.wait({task})
        await way.world.clock.advance(10.0)
        assert {ONE, TWO} == {
            one.recipient
            for stored in entries(way.world).values()
            for one in decode(stored.state).part.outcomes()
            if one.message_id
        }


class TestLargeJobs:
    """A large job that goes back while some of its parts have ended."""

    async def test_parts_that_ended_are_written_anew(self) -> None:
        """And the plan: the next worker sends the rest."""
        way = Way("part here")
        gate = way.worker.gate

        async def held() -> None:
            if len(gate.admitted) == 1:
                way.world.ledger.forget()
                gate.on_admit = None
                raise GatewayAwayError("gateway_away", "made to fail")

        gate.on_admit = held
        assert [Requeue("gateway_away")] == await way.to_its_end()
        assert 100 == len(way.world.gateway.sent)
        # Another DND answer, or none, must not make another plan of it.
        assert {Done()} == set(await way.to_its_end())
        assert 101 == len(way.world.gateway.sent)
        assert way.published_all()
