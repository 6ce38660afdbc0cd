"""Api jobs: claimed, called once, recorded, published; only a GET is repeated."""

import asyncio
import base64
import json
from typing import Any

import pytest

from schemas.strict_json import MAX_BODY_BYTES
from tests.support.fake_web import ApiWorker, FakeWebApi, api_job, web_reply
from tests.support.fake_worker import LEASE, World, delivery, stopping
from worker.domain.api_entry import api_key, decode
from worker.domain.errors import (
    GatewayAwayError,
    LedgerUnavailableError,
    OutcomeUncertainError,
    TransientError,
    WorkerError,
)
from worker.domain.messages import DeadLetter, Delay, Disposition, Done, Lane, Requeue
from worker.domain.replay import Replay
from worker.domain.web_verdict import WebReply
from worker.ports import Stored

LOST = OutcomeUncertainError("reply_lost", "the reply was lost (ReadError)")
REFUSED = TransientError("gateway_unreachable", "the Web API cannot be reached: refused")


@pytest.fixture
def world() -> World:
    """What the workers share."""
    return World()


@pytest.fixture
def web() -> FakeWebApi:
    """The Web API."""
    return FakeWebApi()


@pytest.fixture
def worker(world: World, web: FakeWebApi) -> ApiWorker:
    """One process."""
    return ApiWorker(world, web)


async def handled(worker: ApiWorker, job: object, **properties: Any) -> Disposition:  # noqa: ANN401 - of a delivery
    """Let a worker process, just started, carry out *job*."""
    task = asyncio.ensure_future(worker.dispatch()(delivery(Lane.API, job, **properties)))
    await worker.world.clock.run(task)
    return await task


class TestDone:
    """The usual way."""

    async def test_the_reply_is_the_result(self, world: World, web: FakeWebApi, worker: ApiWorker) -> None:
        """One call, one result."""
        web.script = [web_reply(201, {"id": "7"})]
        assert await handled(worker, api_job(metadata={"a": 1}), correlation_id="c") == Done()
        assert world.bodies == [
            {
                "job_id": "key-1",
                "status": "done",
                "http_status": 201,
                "reply": {"id": "7"},
                "metadata": {"a": 1},
            }
        ]
        assert (
            world.last.routing_key,
            world.last.message_id,
            world.last.type,
            world.last.correlation_id,
        ) == (*("api.done", "key-1/1", "api.result.v1", "c"),)
        [call] = web.calls
        assert (call.method, call.path, call.content_type) == ("POST", "credentials/gcm", "application/json")
        assert json.loads(call.content or b"") == {"key": "AIza-secret"}

    async def test_a_form_is_sent_as_multipart(self, web: FakeWebApi, worker: ApiWorker) -> None:
        """Fields and files."""
        file = {"name": "certificate", "filename": "shop.p12", "content_type": "application/x-pkcs12"}
        files = [{**file, "data": base64.b64encode(b"\x00\xff").decode()}]
        await handled(worker, api_job(json=None, fields={"name": "shop"}, files=files))
        [call] = web.calls
        assert (call.content_type or "").startswith("multipart/form-data; boundary=")
        assert b"\x00\xff" in (call.content or b"")

    async def test_the_same_job_again_is_answered_from_the_ledger(
        self, world: World, web: FakeWebApi, worker: ApiWorker
    ) -> None:
        """With the same message id and body; not even a GET is made again."""
        for job in (api_job(), api_job(job_id="get", method="GET", json=None)):
            web.calls.clear()
            assert [await handled(worker, job) for _ in range(3)] == [Done()] * 3
            assert len(web.calls) == 1
            one, other, third = world.publisher.results[-3:]
            assert (
                (one.body, one.message_id) == (other.body, other.message_id) == (third.body, third.message_id)
            )

    async def test_the_same_id_with_other_content_is_a_conflict(
        self, world: World, web: FakeWebApi, worker: ApiWorker
    ) -> None:
        """The first job is untouched; a key in another order is the same content."""
        await handled(worker, api_job())
        disposition = await handled(worker, api_job(json={"key": "another"}))
        assert isinstance(disposition, DeadLetter)
        assert disposition.reason == "job_id_conflict"
        assert world.bodies[-1]["errors"][0]["type"] == "job_id_conflict"
        assert await handled(worker, dict(reversed(api_job().items()))) == Done()
        assert len(web.calls) == 1

    async def test_a_send_job_of_the_same_id_is_another_job(self, world: World, worker: ApiWorker) -> None:
        """A job id identifies within its kind."""
        await handled(worker, api_job(job_id="one"))
        assert "one" not in world.ledger.keys
        assert "api/one" in world.ledger.keys

    async def test_jobs_at_the_same_time_call_once(
        self, world: World, web: FakeWebApi, worker: ApiWorker
    ) -> None:
        """Two workers, or two deliveries of one."""
        other = ApiWorker(world, web)
        one = worker.dispatch()
        tasks = [
            asyncio.ensure_future(dispatch(delivery(Lane.API, api_job())))
            for dispatch in (one, one, other.dispatch())
        ]
        await world.clock.run(asyncio.gather(*tasks))
        assert [task.result() for task in tasks] == [Done()] * 3
        assert len(web.calls) == 1
        assert len({result.body for result in world.publisher.results}) == 1


class TestRefused:
    """What the Web API says no to."""

    @pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 409, 413, 422, 429, 503])
    async def test_a_post_is_failed_and_not_repeated(
        self, world: World, web: FakeWebApi, worker: ApiWorker, status: int
    ) -> None:
        """With the gateway's words."""
        web.script = [web_reply(status, words="no such thing")]
        assert await handled(worker, api_job()) == Done()
        code = "gateway_busy" if status in {429, 503} else "rejected_by_gateway"
        error = {"code": code, "detail": f"HTTP {status}: no such thing"}
        assert world.bodies == [
            {"job_id": "key-1", "status": "failed", "http_status": status, "error": error, "metadata": {}}
        ]
        assert await handled(worker, api_job()) == Done()
        assert len(web.calls) == 1

    @pytest.mark.parametrize("status", [302, 400, 401, 404])
    async def test_so_is_a_get(self, world: World, web: FakeWebApi, worker: ApiWorker, status: int) -> None:
        """To repeat it is no use."""
        web.script = [web_reply(status)]
        assert await handled(worker, api_job(method="GET", json=None)) == Done()
        assert (len(web.calls), world.bodies[-1]["status"]) == (1, "failed")

    @pytest.mark.parametrize("status", [500, 501, 502, 504, 599])
    async def test_a_fault_leaves_a_doubt(
        self, world: World, web: FakeWebApi, worker: ApiWorker, status: int
    ) -> None:
        """It may have been carried out."""
        web.script = [web_reply(status)]
        assert await handled(worker, api_job()) == Done()
        assert (world.bodies[-1]["status"], world.bodies[-1]["http_status"]) == ("uncertain", status)
        assert world.last.routing_key == "api.uncertain"
        await handled(worker, api_job())
        assert len(web.calls) == 1

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    async def test_so_does_a_lost_reply(
        self, world: World, web: FakeWebApi, worker: ApiWorker, method: str
    ) -> None:
        """Of whatever is no GET."""
        web.script = [LOST]
        assert await handled(worker, api_job(method=method)) == Done()
        assert world.bodies[-1]["status"] == "uncertain"
        assert world.bodies[-1]["error"]["code"] == "reply_lost"
        assert len(web.calls) == 1


class TestRepeats:
    """What is tried again: a GET, and a call that certainly did not go out."""

    @pytest.mark.parametrize("trouble", [web_reply(429), web_reply(503), web_reply(500), LOST, REFUSED])
    async def test_a_get_is_asked_again(
        self, world: World, web: FakeWebApi, worker: ApiWorker, trouble: WebReply | WorkerError
    ) -> None:
        """It only reads."""
        web.script = [trouble, trouble, web_reply(200, [1])]
        assert await handled(worker, api_job(method="GET", json=None)) == Done()
        assert (len(web.calls), world.bodies[-1]["reply"]) == (3, [1])

    async def test_a_call_without_a_connection_is_made_again(
        self, world: World, web: FakeWebApi, worker: ApiWorker
    ) -> None:
        """Nothing was sent."""
        web.script = [REFUSED, web_reply()]
        assert await handled(worker, api_job()) == Done()
        assert (len(web.calls), world.bodies[-1]["status"]) == (2, "done")

    @pytest.mark.parametrize(
        ("trouble", "job"), [(REFUSED, api_job()), (web_reply(503), api_job(method="GET", json=None))]
    )
    async def test_rounds_end_in_a_dead_letter_without_words(
        self,
        world: World,
        web: FakeWebApi,
        worker: ApiWorker,
        trouble: WebReply | WorkerError,
        job: dict[str, object],
    ) -> None:
        """Delays first; then failed, and the gateway's words in the result alone."""
        web.script = [trouble] * 9
        rounds = [await handled(worker, job, attempts=number) for number in range(3)]
        assert [one.seconds for one in rounds[:2] if isinstance(one, Delay)] == [5, 30]
        last = rounds[2]
        assert isinstance(last, DeadLetter)
        assert (last.reason, "said" in last.detail) == ("retries_exhausted", False)
        assert (world.bodies[-1]["status"], world.bodies[-1]["error"]["code"]) == (
            "failed",
            "retries_exhausted",
        )
        # Killed before the dead letter was there.
        assert isinstance(await handled(worker, job, attempts=2), DeadLetter)
        # A repetition of the job is answered, and nothing is called any more.
        assert await handled(worker, job) == Done()
        assert len(web.calls) == 9

    async def test_a_replay_tries_once_more(self, world: World, web: FakeWebApi, worker: ApiWorker) -> None:
        """The same dead letter replayed twice counts once."""
        web.script = [REFUSED] * 3
        await handled(worker, api_job(), attempts=2)
        for _ in range(2):
            assert await handled(worker, api_job(), replay=Replay("letter-1")) == Done()
        assert (world.bodies[-1]["status"], world.bodies[-1]["revision"], len(web.calls)) == ("done", 2, 4)

    async def test_a_replay_that_the_ledger_has_forgotten(
        self, world: World, web: FakeWebApi, worker: ApiWorker
    ) -> None:
        """Nobody can tell whether it was called: nothing is."""
        replay = Replay("letter-1", known_until=world.clock.now())
        disposition = await handled(worker, api_job(), replay=replay)
        assert isinstance(disposition, DeadLetter)
        assert (disposition.reason, web.calls) == ("forgotten", [])

    async def test_in_an_outage_it_waits(self, web: FakeWebApi, worker: ApiWorker) -> None:
        """In its queue, with nothing claimed."""

        async def away() -> None:
            raise GatewayAwayError("gateway_away", "away")

        worker.gate.on_admit = away
        assert await handled(worker, api_job()) == Requeue("gateway_away")
        worker.gate.on_admit = None
        assert await handled(worker, api_job()) == Done()
        assert len(web.calls) == 1


class Killed(Exception):  # noqa: N818 - it is no error
    """The process is gone."""


class TestKilled:
    """At each step; then the message comes again, to another worker."""

    @pytest.mark.row(
        "api/at-a-write",
        "before or after each write of the ledger",
        "what was written",
        "before the claim and after the record one call and its result; in between a GET is made again, any "
        "other call is `uncertain` once its time is over",
    )
    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("number", [1, 2, 3])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_at_a_write(
        self, world: World, web: FakeWebApi, worker: ApiWorker, method: str, number: int, when: str
    ) -> None:
        """Opened, claimed, recorded: before the claim nothing was called, after the record it is known."""
        left = number

        async def kill(name: str) -> None:
            nonlocal left
            left -= name == "swap"
            if name == "swap" and not left:
                raise Killed

        setattr(world.ledger, when, kill)
        job = api_job(method=method, json=None)
        with pytest.raises(Killed):
            await handled(worker, job)
        world.ledger.before = world.ledger.after = None
        assert await handled(ApiWorker(world, web), job, redelivered=True) == Done()
        called = (number, when) >= (3, "")
        claimed = (number, when) in {(2, "after"), (3, "before")}
        doubt = method == "POST" and claimed
        assert world.bodies[-1]["status"] == ("uncertain" if doubt else "done")
        repeated = method == "GET" and called and claimed
        assert len(web.calls) == (2 if repeated else 0 if doubt and not called else 1)

    async def test_in_the_call(self, world: World, web: FakeWebApi, worker: ApiWorker) -> None:
        """The next worker waits for the end of its time, then says what it does not know."""

        async def kill() -> None:
            raise Killed

        web.before = kill
        with pytest.raises(Killed):
            await handled(worker, api_job())
        began = world.clock.elapsed()
        assert await handled(ApiWorker(world, web), api_job()) == Done()
        assert world.bodies[-1]["error"]["code"] == "worker_lost"
        assert LEASE <= world.clock.elapsed() - began <= LEASE + 1
        assert len(web.calls) == 1

    @pytest.mark.row(
        "api/before-confirm",
        "with the result published and not confirmed",
        "the record",
        "the same result again, without a call",
    )
    async def test_before_the_confirm(self, world: World, web: FakeWebApi, worker: ApiWorker) -> None:
        """The result is published again, the same."""
        world.publisher.failures = 1
        assert isinstance(await handled(worker, api_job()), Requeue)
        assert await handled(ApiWorker(world, web), api_job()) == Done()
        assert (len(web.calls), world.bodies[-1]["status"]) == (1, "done")


class TestLate:
    """A worker that was frozen in its call."""

    @pytest.mark.row(
        "api/frozen",
        "it is frozen in its call; another one reports `uncertain`",
        "the doubt, then the reply",
        "the reply is published once more, with `revision: 2`",
    )
    async def test_the_reply_is_published_once_more(
        self, world: World, web: FakeWebApi, worker: ApiWorker
    ) -> None:
        """With revision 2, and from then on it is the result."""
        arrived, goes_on = asyncio.Event(), asyncio.Event()

        async def freeze() -> None:
            arrived.set()
            await goes_on.wait()

        web.before = freeze
        frozen = asyncio.ensure_future(worker.dispatch()(delivery(Lane.API, api_job())))
        await arrived.wait()
        web.before = None
        assert await handled(ApiWorker(world, web), api_job()) == Done()
        assert world.bodies[-1]["status"] == "uncertain"
        world.publisher.failures = 1  # nobody else is left to publish it
        goes_on.set()
        await world.clock.run(frozen)
        assert (world.bodies[-1]["status"], world.bodies[-1]["revision"]) == ("done", 2)
        assert worker.observer.revisions == 1
        assert await handled(worker, api_job()) == Done()
        assert (world.bodies[-1]["revision"], len(web.calls)) == (2, 1)

    @pytest.mark.row(
        "api/claim-frozen",
        "it is frozen between claim and call",
        "the claim, then none",
        "no call follows the old claim; it claims anew",
    )
    async def test_a_claim_that_stood_still_is_not_followed_by_a_call(
        self, world: World, web: FakeWebApi, worker: ApiWorker
    ) -> None:
        """The process was stopped between claim and call: it claims anew."""
        left = 2

        async def stand_still(name: str) -> None:
            nonlocal left
            left -= name == "swap"
            if name == "swap" and not left:
                world.clock.leap(60)

        async def look() -> None:
            stored = await world.ledger.load("api/key-1")
            assert stored is not None
            assert decode(stored.state).started == world.clock.now().timestamp()

        web.before = look
        world.ledger.after = stand_still
        assert await handled(worker, api_job()) == Done()
        assert (len(web.calls), world.bodies[-1]["status"]) == (1, "done")


class TestLedgerAway:
    """Nothing is called without it, and nothing that is known gets lost."""

    async def test_before_the_claim(self, world: World, web: FakeWebApi, worker: ApiWorker) -> None:
        """The job goes back."""

        async def away(_name: str) -> None:
            raise LedgerUnavailableError("ledger_away", "away")

        world.ledger.before = away
        assert isinstance(await handled(worker, api_job()), Requeue)
        assert (web.calls, worker.gate.ledger_failures) == ([], 1)

    @pytest.mark.row(
        "api/claim-lost",
        "it lives; the ledger goes away at the claim",
        "the claim, or not",
        "the claim is taken back, the job returns: one call",
    )
    @pytest.mark.parametrize("when", ["before", "after"])
    async def test_a_claim_whose_answer_is_lost_is_taken_back(
        self, world: World, web: FakeWebApi, worker: ApiWorker, when: str
    ) -> None:
        """Whether it was written or not."""
        left = 2

        async def lose(name: str) -> None:
            nonlocal left
            left -= name == "swap"
            if name == "swap" and not left:
                raise LedgerUnavailableError("ledger_away", "away")

        setattr(world.ledger, when, lose)
        assert isinstance(await handled(worker, api_job()), Requeue)
        assert await handled(worker, api_job()) == Done()
        assert (len(web.calls), world.bodies[-1]["status"]) == (1, "done")

    async def test_a_reply_waits_for_it(self, world: World, web: FakeWebApi, worker: ApiWorker) -> None:
        """However long."""
        left = 20

        async def away(name: str) -> None:
            nonlocal left
            if web.calls and name == "swap" and left:
                left -= 1
                raise LedgerUnavailableError("ledger_away", "away")

        world.ledger.before = away
        assert await handled(worker, api_job()) == Done()
        assert (len(web.calls), world.bodies[-1]["status"]) == (1, "done")

    @pytest.mark.row(
        "api/forgotten",
        "it lives; the ledger loses the entry during the call",
        "nothing, then the record",
        "the reply is recorded anew: one call",
    )
    async def test_an_entry_that_is_gone_is_written_anew(
        self, world: World, web: FakeWebApi, worker: ApiWorker
    ) -> None:
        """The store forgot it during the call."""

        async def forget() -> None:
            world.ledger.forget()

        web.before = forget
        assert await handled(worker, api_job()) == Done()
        web.before = None
        assert await handled(worker, api_job()) == Done()
        assert (len(web.calls), world.bodies[-1]["status"]) == (1, "done")

    @pytest.mark.parametrize("state", [b"{", b'{"form": 99, "v": 99}'], ids=["damaged", "newer"])
    async def test_a_reply_is_published_whatever_stands_there(
        self, world: World, web: FakeWebApi, worker: ApiWorker, state: bytes
    ) -> None:
        """The entry became unreadable during the call: nobody could ask for the reply again."""
        key = api_key("api-1")

        async def spoil() -> None:
            there = await world.ledger.load(key)
            assert there is not None
            assert await world.ledger.swap(key, expected=there.token, new=Stored("spoilt", state))

        web.before = spoil
        assert await handled(worker, api_job(job_id="api-1")) == Done()
        assert (len(web.calls), world.bodies[-1]["status"]) == (1, "done")


class TestStopped:
    """A stop that comes in the middle."""

    async def test_a_reply_under_way_is_recorded(
        self, world: World, web: FakeWebApi, worker: ApiWorker
    ) -> None:
        """A record that has begun is finished."""
        recording, goes_on = asyncio.Event(), asyncio.Event()

        async def slow(name: str) -> None:
            if web.calls and name == "swap":
                recording.set()
                await goes_on.wait()

        world.ledger.before = slow
        task = asyncio.ensure_future(worker.dispatch()(delivery(Lane.API, api_job())))
        await recording.wait()
        stop = stopping(task)
        await asyncio.sleep(0)
        goes_on.set()
        await stop
        world.ledger.before = None
        assert await handled(ApiWorker(world, web), api_job()) == Done()
        assert (len(web.calls), world.bodies[-1]["status"]) == (1, "done")


class TestRejected:
    """What no call is made for."""

    @pytest.mark.parametrize(
        ("job", "code", "place"),
        [
            (api_job(path="users/1"), "path_not_allowed", ["path"]),
            (api_job(path="../credentials"), "wrong_value", ["path"]),
            (api_job(path="//evil/credentials"), "wrong_value", ["path"]),
            (api_job(method="TRACE"), "wrong_value", ["method"]),
            (api_job(fields={"a": "b"}), "wrong_value", ["fields"]),
            (api_job(json=None, files=[{"name": "a"}]), "missing", ["files", 0, "filename"]),
            (api_job(headers={"X": "y"}), "unknown_field", ["headers"]),
        ],
    )
    async def test_with_the_field_that_is_wrong(
        self,
        world: World,
        web: FakeWebApi,
        worker: ApiWorker,
        job: dict[str, object],
        code: str,
        place: list[object],
    ) -> None:
        """And a dead letter."""
        disposition = await handled(worker, job)
        assert isinstance(disposition, DeadLetter)
        assert disposition.reason == code
        assert world.bodies[-1]["status"] == "rejected"
        assert world.bodies[-1]["errors"][0]["loc"] == place
        assert world.last.routing_key == "api.rejected"
        assert web.calls == []

    async def test_by_name_where_it_is_switched_off(self, world: World, web: FakeWebApi) -> None:
        """It names the setting."""
        disposition = await handled(ApiWorker(world, web, is_on=False), api_job())
        assert isinstance(disposition, DeadLetter)
        assert "ITON_WEB_API_URL" in world.bodies[-1]["errors"][0]["msg"]
        assert world.bodies[-1]["errors"][0]["type"] == "unsupported"

    async def test_no_path_is_allowed_unless_one_is_listed(self, world: World, web: FakeWebApi) -> None:
        """Unset: none."""
        await handled(ApiWorker(world, web, allowed=()), api_job())
        assert world.bodies[-1]["errors"][0]["type"] == "path_not_allowed"
        assert web.calls == []

    async def test_five_million_bytes_fit_and_one_more_does_not(
        self, world: World, web: FakeWebApi, worker: ApiWorker
    ) -> None:
        """All files together."""
        for more, status in ((0, "done"), (1, "rejected")):
            sizes = (2_000_000, 3_000_000 + more)
            files = [
                {
                    "name": str(size),
                    "filename": "a",
                    "content_type": "image/png",
                    "data": base64.b64encode(bytes(size)).decode(),
                }
                for size in sizes
            ]
            job = api_job(job_id=f"large-{more}", json=None, files=files)
            assert len(json.dumps(job)) < MAX_BODY_BYTES
            await handled(worker, job)
            assert world.bodies[-1]["status"] == status
        assert len(web.calls) == 1
