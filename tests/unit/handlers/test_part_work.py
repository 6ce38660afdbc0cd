"""One part's way to its outcomes, with everything that may happen on it."""

import asyncio
from datetime import timedelta

import pytest

from tests.support.fake_worker import LEASE, FakeWorker, World, handled, numbers, send_job, started
from tests.support.fakes import START, Failing, Pausing, settled
from worker.domain.errors import (
    AccountError,
    AccountTrouble,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
)
from worker.domain.messages import DeadLetter, Delay, Done, Requeue
from worker.ports import Stored

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


class TestReplies:
    """What the gateway answers decides the outcomes."""

    async def test_ids_make_recipients_accepted(self, world: World, worker: FakeWorker) -> None:
        """One call, one result, the ids of the reply."""
        assert Done() == await handled(worker, send_job(ONE, TWO))
        assert {ONE: "id-0", TWO: "id-1"} == world.ids()
        assert [(ONE, TWO)] == world.gateway.calls

    async def test_a_number_missing_from_the_reply_is_uncertain(
        self, world: World, worker: FakeWorker
    ) -> None:
        """The others are accepted."""
        world.gateway.script = [{ONE: "a"}]
        await handled(worker, send_job(ONE, TWO))
        assert {ONE: "accepted", TWO: "uncertain"} == world.outcomes()
        assert "partial" == world.bodies[0]["status"]

    async def test_every_id_of_a_number_is_published(self, world: World, worker: FakeWorker) -> None:
        """Also again, when the job is: from the ledger."""
        world.gateway.script = [{ONE: ("a", "b", "c"), TWO: "d"}]
        for _ in range(2):
            await handled(worker, send_job(ONE, TWO))
        assert world.bodies[0] == world.bodies[1]
        first, second = world.bodies[0]["recipients"]
        assert ("a", ["b", "c"]) == (first["message_id"], first["earlier_message_ids"])
        assert {"recipient": TWO, "outcome": "accepted", "message_id": "d"} == second

    async def test_a_refusal_fails_with_the_gateways_words(self, world: World, worker: FakeWorker) -> None:
        """And is not tried again."""
        world.gateway.script = [PermanentError("sender_refused", "Invalid Sender ID")]
        assert Done() == await handled(worker, send_job(ONE))
        assert {"code": "sender_refused", "detail": "Invalid Sender ID"} == world.bodies[0]["recipients"][0][
            "error"
        ]
        assert 1 == len(world.gateway.calls)

    async def test_a_lost_reply_is_uncertain_and_not_repeated(self, world: World, worker: FakeWorker) -> None:
        """What may have gone out is never sent again by itself."""
        world.gateway.script = [LOST]
        world.gateway.lost = True
        assert Done() == await handled(worker, send_job(ONE))
        assert {ONE: "uncertain"} == world.outcomes()
        assert {ONE: 1} == world.gateway.times_sent

    async def test_what_was_not_sent_is_sent_again(self, world: World, worker: FakeWorker) -> None:
        """After a wait."""
        world.gateway.script = [AWAY, AWAY]
        assert Done() == await handled(worker, send_job(ONE))
        assert {ONE: "accepted"} == world.outcomes()
        assert 3 == len(world.gateway.calls)

    async def test_each_call_of_a_job_has_its_own_fate(self, world: World, worker: FakeWorker) -> None:
        """A refused call does not fail the next."""
        world.gateway.per_call = 1
        world.gateway.script = [PermanentError("number_refused", "no"), None]
        await handled(worker, send_job(ONE, TWO))
        assert {ONE: "failed", TWO: "accepted"} == world.outcomes()

    async def test_an_account_error_is_repeated_until_it_works(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Where it is the account's, it does not use up attempts."""
        refused = AccountError("credentials_refused", "wrong", trouble=AccountTrouble.CREDENTIALS)
        refused.counts = False
        world.gateway.script = [refused] * 20
        assert Done() == await handled(worker, send_job(ONE))
        assert {ONE: "accepted"} == world.outcomes()

    async def test_one_that_is_the_jobs_own_ends_the_round(self, world: World, worker: FakeWorker) -> None:
        """With the gateway's words, when its rounds are used up."""
        refused = AccountError(
            "credentials_refused", "HTTP 403: Forbidden", trouble=AccountTrouble.CREDENTIALS
        )
        world.gateway.script = [refused] * 20
        assert Delay(5, "credentials_refused") == await handled(worker, send_job(ONE))
        last = await handled(worker, send_job(ONE), attempts=4)
        assert isinstance(last, DeadLetter)
        assert {ONE: "failed"} == world.outcomes()
        assert "HTTP 403: Forbidden" in world.bodies[0]["recipients"][0]["error"]["detail"]


class TestRounds:
    """What does not work now is tried later, up to a point."""

    async def test_attempts_used_up_lead_to_a_delay(self, world: World, worker: FakeWorker) -> None:
        """Without any result."""
        world.gateway.script = [AWAY] * 3
        assert Delay(5, "gateway_unreachable") == await handled(worker, send_job(ONE))
        assert [] == world.publisher.results

    async def test_the_next_round_goes_on(self, world: World, worker: FakeWorker) -> None:
        """From what the ledger knows."""
        world.gateway.script = [AWAY] * 3
        await handled(worker, send_job(ONE))
        assert Done() == await handled(worker, send_job(ONE), attempts=1, first_seen=START)
        assert {ONE: 1} == world.gateway.times_sent

    async def test_after_the_last_round_the_job_fails(self, world: World, worker: FakeWorker) -> None:
        """With a result, and a dead letter."""
        world.gateway.script = [AWAY] * 3
        disposition = await handled(worker, send_job(ONE), attempts=2, first_seen=START)
        assert isinstance(disposition, DeadLetter)
        assert "retries_exhausted" == disposition.reason
        assert {ONE: "failed"} == world.outcomes()

    async def test_after_the_last_round_a_call_that_may_have_gone_out_stays_uncertain(
        self, world: World, worker: FakeWorker
    ) -> None:
        """A repeat that could not be made does not undo the first call."""
        world.gateway.script = [LOST, AWAY, AWAY]
        await handled(worker, send_job(ONE, on_uncertain="resend"), attempts=2, first_seen=START)
        assert {ONE: "uncertain"} == world.outcomes()

    async def test_age_ends_the_rounds_too(self, world: World, worker: FakeWorker) -> None:
        """However few they were."""
        world.gateway.script = [AWAY] * 3
        first_seen = START - timedelta(days=2)
        disposition = await handled(worker, send_job(ONE), attempts=1, first_seen=first_seen)
        assert isinstance(disposition, DeadLetter)


class TestResend:
    """Jobs that prefer a double to a doubt."""

    async def test_a_lost_reply_is_repeated(self, world: World, worker: FakeWorker) -> None:
        """Until one comes."""
        world.gateway.script = [LOST, LOST]
        assert Done() == await handled(worker, send_job(ONE, on_uncertain="resend"))
        assert {ONE: "accepted"} == world.outcomes()
        assert 3 == len(world.gateway.calls)

    async def test_the_number_of_calls_is_limited(self, world: World, worker: FakeWorker) -> None:
        """Then it is uncertain."""
        world.gateway.script = [LOST] * 9
        await handled(worker, send_job(ONE, on_uncertain="resend"))
        assert {ONE: "uncertain"} == world.outcomes()
        assert 3 == len(world.gateway.calls)

    async def test_calls_that_did_not_go_out_do_not_count(self, world: World) -> None:
        """Three of them and two lost ones leave one to go."""
        worker = FakeWorker(world, attempts=9)
        world.gateway.script = [AWAY, LOST, AWAY, AWAY, LOST]
        await handled(worker, send_job(ONE, on_uncertain="resend"))
        assert {ONE: "accepted"} == world.outcomes()
        assert 6 == len(world.gateway.calls)

    async def test_nothing_is_repeated_after_the_jobs_time(self, world: World, worker: FakeWorker) -> None:
        """An expired job whose call may have gone out is uncertain, not expired."""
        world.gateway.script = [LOST]
        world.gateway.latency = 20
        until = (START + timedelta(seconds=10)).isoformat()
        await handled(worker, send_job(ONE, on_uncertain="resend", expires_at=until))
        assert {ONE: "uncertain"} == world.outcomes()
        assert 1 == len(world.gateway.calls)

    async def test_time_passing_between_two_calls_leaves_it_uncertain(
        self, world: World, worker: FakeWorker
    ) -> None:
        """The check before the repeat does not forget the call before it."""
        world.gateway.script = [LOST]
        worker.gate.on_admit = Leaps(world, 0.0, 60.0)
        until = (START + timedelta(seconds=10)).isoformat()
        await handled(worker, send_job(ONE, on_uncertain="resend", expires_at=until))
        error = world.bodies[0]["recipients"][0]["error"]
        assert {ONE: "uncertain"} == world.outcomes()
        assert "reply_lost" == error["code"]


class Leaps:
    """A hook during which the process stands still for a while: so many seconds each time, then none."""

    def __init__(self, world: World, *seconds: float) -> None:
        self._world = world
        self._seconds = list(seconds)

    async def __call__(self, _name: str = "") -> None:
        """Stand still."""
        if self._seconds:
            self._world.clock.leap(self._seconds.pop(0))


class TestExpiry:
    """A job's time is checked right before the call."""

    async def test_a_job_that_waited_too_long_at_the_gate_is_not_sent(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Its recipients are expired."""
        worker.gate.on_admit = Leaps(world, 60.0)
        until = (START + timedelta(seconds=10)).isoformat()
        assert Done() == await handled(worker, send_job(ONE, expires_at=until))
        assert {ONE: "expired"} == world.outcomes()
        assert [] == world.gateway.calls
        assert not worker.gate.permits[0].made

    async def test_a_claim_that_took_until_after_the_jobs_time_is_taken_back(
        self, world: World, worker: FakeWorker
    ) -> None:
        """A ledger that takes a second can be what makes it late."""
        world.ledger.after = Leaps(world, 1.5)
        until = (START + timedelta(seconds=1)).isoformat()
        assert Done() == await handled(worker, send_job(ONE, expires_at=until))
        assert {ONE: "expired"} == world.outcomes()
        assert [] == world.gateway.calls


class TestFreezes:
    """A worker that stood still finds out before it acts."""

    async def test_a_freeze_between_claim_and_call_takes_the_claim_back(
        self, world: World, worker: FakeWorker
    ) -> None:
        """And starts over: one call, nothing uncertain."""
        world.ledger.after = Leaps(world, 300.0)
        assert Done() == await handled(worker, send_job(ONE))
        assert {ONE: "accepted"} == world.outcomes()
        assert [False, True] == [permit.made for permit in worker.gate.permits]
        assert {ONE: 1} == world.gateway.times_sent

    async def test_what_another_settled_meanwhile_is_not_sent(self, world: World, worker: FakeWorker) -> None:
        """Frozen after its claim, resumed after the take-over: no call, the same result again."""
        world.ledger.after = paused = Pausing(name="swap")
        task = started(worker, send_job(ONE))
        await paused.reached.wait()
        assert Done() == await handled(FakeWorker(world), send_job(ONE))
        paused.go_on.set()
        await world.clock.run(task)
        assert [] == world.gateway.calls
        assert {ONE: "uncertain"} == world.outcomes()
        assert world.bodies[0] == world.bodies[1]

    async def test_a_freeze_before_the_claim_loses_the_race(self, world: World, worker: FakeWorker) -> None:
        """Another worker sent it; nobody gets it twice."""
        worker.gate.on_admit = paused = Pausing()
        task = started(worker, send_job(ONE))
        await paused.reached.wait()
        await handled(FakeWorker(world), send_job(ONE))
        paused.go_on.set()
        await world.clock.run(task)
        assert {ONE: 1} == world.gateway.times_sent
        assert world.publisher.results[0] == world.publisher.results[1]


class TestSlowLedger:
    """A store that takes its time for every operation."""

    @pytest.mark.parametrize("seconds", [0.1, 2.2, 4.9])
    async def test_it_is_sent_by_while_the_lease_allows(
        self, world: World, worker: FakeWorker, seconds: float
    ) -> None:
        """The claim is older than it would be, and still holds for a call that takes its whole time."""
        world.ledger.before = Slow(world, seconds)
        assert Done() == await handled(worker, send_job(ONE))
        assert {ONE: "id-0"} == world.ids()
        assert ([True], 0) == ([permit.made for permit in worker.gate.permits], worker.gate.ledger_failures)

    async def test_one_that_is_slower_pauses_the_sends(self, world: World, worker: FakeWorker) -> None:
        """Its claims are taken back, nothing is sent, and it is not asked in a hot loop."""
        world.ledger.before = slow = Slow(world, 6.0)
        task = started(worker, send_job(ONE))
        await world.clock.advance(60)
        assert [] == world.gateway.calls
        assert worker.gate.ledger_failures >= 1
        assert slow.asked <= 11
        slow.seconds = 0.1
        await world.clock.run(task)
        assert {ONE: 1} == world.gateway.times_sent

    async def test_only_its_writes_may_be_slow(self, world: World, worker: FakeWorker) -> None:
        """They are what counts."""
        world.ledger.before = Slow(world, 4.0, name="swap")
        assert Done() == await handled(worker, send_job(ONE), redelivered=True)
        assert {ONE: 1} == world.gateway.times_sent

    async def test_a_freeze_of_the_worker_is_no_slow_ledger(self, world: World, worker: FakeWorker) -> None:
        """It happens once, and pauses nothing."""
        world.ledger.after = Leaps(world, 300.0)
        assert Done() == await handled(worker, send_job(ONE))
        assert 0 == worker.gate.ledger_failures


class Slow:
    """A hook that takes so many seconds, of each operation or of those called *name*."""

    def __init__(self, world: World, seconds: float, *, name: str = "") -> None:
        self._world = world
        self._name = name
        self.seconds = seconds
        self.asked = 0

    async def __call__(self, name: str) -> None:
        """Take the time."""
        if self._name in {"", name}:
            self.asked += 1
            await self._world.clock.sleep(self.seconds)


class TestTakeOver:
    """A call whose caller does not come back."""

    async def test_the_lease_is_waited_out(self, world: World, worker: FakeWorker) -> None:
        """Then the recipients are uncertain, and nothing is sent again."""
        world.gateway.before_send = paused = Pausing()
        task = started(worker, send_job(ONE))
        await paused.reached.wait()
        before = world.clock.elapsed()
        assert Done() == await handled(FakeWorker(world), send_job(ONE))
        assert LEASE == pytest.approx(world.clock.elapsed() - before, abs=0.01)
        assert {ONE: "uncertain"} == world.outcomes()
        assert "worker_lost" == world.bodies[0]["recipients"][0]["error"]["code"]
        task.cancel()
        await asyncio.wait({task})

    async def test_a_call_that_ends_meanwhile_is_not_taken_over(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Whoever waits publishes the caller's outcome."""
        world.gateway.latency = 10
        first, second = started(worker, send_job(ONE)), started(FakeWorker(world), send_job(ONE))
        await world.clock.run(asyncio.wait({first, second}))
        assert {ONE: 1} == world.gateway.times_sent
        assert world.publisher.results[0] == world.publisher.results[1]
        assert {ONE: "accepted"} == world.outcomes()

    async def test_a_clock_that_is_behind_does_not_prolong_the_wait(
        self, world: World, worker: FakeWorker
    ) -> None:
        """A start that lies in the future is waited for one lease at the most."""
        world.gateway.before_send = paused = Pausing()
        task = started(worker, send_job(ONE))
        await paused.reached.wait()
        world.clock.step_wall(-3600)
        before = world.clock.elapsed()
        await handled(FakeWorker(world), send_job(ONE))
        assert LEASE == pytest.approx(world.clock.elapsed() - before, abs=0.01)
        task.cancel()
        await asyncio.wait({task})

    @pytest.mark.parametrize("step", [-3600.0, 3600.0])
    async def test_with_a_clock_of_the_store_no_machines_own_counts(
        self, world: World, worker: FakeWorker, step: float
    ) -> None:
        """A call is taken over when its lease is over by the clock that all workers share."""

        def store_time() -> float:
            return 1_700_000_000.0 + world.clock.elapsed()

        worker.store_time = store_time
        world.gateway.before_send = paused = Pausing()
        task = started(worker, send_job(ONE))
        await paused.reached.wait()
        world.clock.leap(10.0)
        world.clock.step_wall(step)
        before = world.clock.elapsed()
        await handled(FakeWorker(world, store_time=store_time), send_job(ONE))
        assert LEASE - 10.0 == pytest.approx(world.clock.elapsed() - before, abs=0.01)
        task.cancel()
        await asyncio.wait({task})

    async def test_a_clock_that_is_ahead_has_no_call_repeated_before_its_time_is_over(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Where the clocks disagree, a call that looks old may be under way."""
        world.gateway.before_send = paused = Pausing()
        task = started(worker, send_job(ONE, on_uncertain="resend"))
        await paused.reached.wait()
        world.clock.step_wall(3600)
        before = world.clock.elapsed()
        await handled(FakeWorker(world), send_job(ONE, on_uncertain="resend"))
        assert LEASE == pytest.approx(world.clock.elapsed() - before, abs=0.01)
        task.cancel()
        await asyncio.wait({task})

    async def test_a_repeatable_call_is_made_again(self, world: World, worker: FakeWorker) -> None:
        """Where the job asked for it."""
        world.gateway.before_send = paused = Pausing()
        task = started(worker, send_job(ONE, on_uncertain="resend"))
        await paused.reached.wait()
        await handled(FakeWorker(world), send_job(ONE, on_uncertain="resend"))
        assert {ONE: "accepted"} == world.outcomes()
        task.cancel()
        await asyncio.wait({task})


class TestLedgerAway:
    """Nothing is sent without the ledger, and no id is lost with it."""

    async def test_a_job_goes_back_when_it_cannot_be_opened(self, world: World, worker: FakeWorker) -> None:
        """And the intake of sends pauses."""
        world.ledger.before = Failing("swap", {0})
        assert Requeue("ledger_away") == await handled(worker, send_job(ONE), redelivered=True)
        assert [] == world.gateway.calls
        assert 1 == worker.gate.ledger_failures

    async def test_a_claim_that_failed_sends_nothing(self, world: World, worker: FakeWorker) -> None:
        """The job goes back."""
        world.ledger.before = Failing("swap", {0})
        assert Requeue("ledger_away") == await handled(worker, send_job(ONE))
        assert [] == world.gateway.calls
        assert Done() == await handled(worker, send_job(ONE))
        assert {ONE: "accepted"} == world.outcomes()

    async def test_a_claim_whose_answer_was_lost_is_taken_back(
        self, world: World, worker: FakeWorker
    ) -> None:
        """No call followed it, so nobody may take its reply for lost."""
        world.ledger.after = Failing("swap", {0})
        assert Requeue("ledger_away") == await handled(worker, send_job(ONE))
        before = world.clock.elapsed()
        assert Done() == await handled(worker, send_job(ONE))
        assert {ONE: "accepted"} == world.outcomes()
        assert before == world.clock.elapsed()

    async def test_a_claim_that_was_taken_back_is_no_call(self, world: World, worker: FakeWorker) -> None:
        """It does not count for a job whose calls are limited: three are still to go."""
        job = send_job(ONE, on_uncertain="resend")
        world.ledger.after = Failing("swap", {0})
        assert Requeue("ledger_away") == await handled(worker, job)
        world.gateway.script = [LOST, LOST]
        assert Done() == await handled(worker, job)
        assert {ONE: "accepted"} == world.outcomes()
        assert 3 == len(world.gateway.calls)

    async def test_a_reply_waits_for_it(self, world: World, worker: FakeWorker) -> None:
        """For as long as it takes, the ids in hand."""
        world.ledger.before = Failing("swap", set(range(1, 30)))
        assert Done() == await handled(worker, send_job(ONE))
        assert {ONE: "id-0"} == world.ids()
        assert worker.gate.ledger_failures > 20

    async def test_a_record_whose_answer_was_lost_stands(self, world: World, worker: FakeWorker) -> None:
        """It is found again and published once."""
        world.ledger.after = Failing("swap", {1})
        assert Done() == await handled(worker, send_job(ONE))
        assert {ONE: "id-0"} == world.ids()
        assert "revision" not in world.bodies[0]


class TestStops:
    """A worker that is told to stop leaves nothing in doubt that it knows."""

    async def test_a_stop_during_the_claim_takes_it_back(self, world: World, worker: FakeWorker) -> None:
        """Another worker sends at once."""
        world.ledger.after = paused = Pausing(name="swap")
        task = started(worker, send_job(ONE))
        await paused.reached.wait()
        task.cancel()
        await settled()
        paused.go_on.set()
        await asyncio.wait({task})
        assert task.cancelled()
        assert Done() == await handled(FakeWorker(world), send_job(ONE))
        assert {ONE: "accepted"} == world.outcomes()

    async def test_a_stop_while_a_claim_is_taken_back_lets_it_end(
        self, world: World, worker: FakeWorker
    ) -> None:
        """The claim's answer was lost; another worker sends at once."""
        world.ledger.after = Failing("swap", {0})
        world.ledger.before = paused = Pausing(name="swap", skip=1)
        task = started(worker, send_job(ONE))
        await paused.reached.wait()
        task.cancel()
        await settled()
        paused.go_on.set()
        await asyncio.wait({task})
        assert task.cancelled()
        assert Done() == await handled(FakeWorker(world), send_job(ONE))
        assert {ONE: "accepted"} == world.outcomes()

    async def test_a_stop_during_the_record_lets_it_end(self, world: World, worker: FakeWorker) -> None:
        """The ids are in the ledger, for another worker to publish."""
        world.ledger.before = paused = Pausing(name="swap", skip=1)
        task = started(worker, send_job(ONE))
        await paused.reached.wait()
        task.cancel()
        await settled()
        paused.go_on.set()
        await asyncio.wait({task})
        assert task.cancelled()
        assert Done() == await handled(FakeWorker(world), send_job(ONE))
        assert {ONE: "id-0"} == world.ids()
        assert {ONE: 1} == world.gateway.times_sent

    async def test_a_stop_during_the_call_leaves_it_to_the_lease(
        self, world: World, worker: FakeWorker
    ) -> None:
        """The reply is lost, and that is what the result says."""
        world.gateway.before_send = paused = Pausing()
        task = started(worker, send_job(ONE))
        await paused.reached.wait()
        task.cancel()
        await asyncio.wait({task})
        assert Done() == await handled(FakeWorker(world), send_job(ONE))
        assert {ONE: "uncertain"} == world.outcomes()


class TestPublishing:
    """Results are published before the delivery is done with."""

    async def test_a_result_that_was_not_confirmed_sends_the_job_back(
        self, world: World, worker: FakeWorker
    ) -> None:
        """The next round publishes the same."""
        world.publisher.failures = 1
        assert Requeue("not_confirmed") == await handled(worker, send_job(ONE))
        assert Done() == await handled(worker, send_job(ONE))
        assert {ONE: 1} == world.gateway.times_sent

    async def test_a_repeat_of_the_job_publishes_the_same_result(
        self, world: World, worker: FakeWorker
    ) -> None:
        """Byte for byte, under the same id."""
        await handled(worker, send_job(ONE, "12"))
        await handled(worker, send_job(ONE, "12"), message_id="another")
        assert world.publisher.results[0] == world.publisher.results[1]
        assert {ONE: 1} == world.gateway.times_sent


class TestUnreadableEntries:
    """One entry that cannot be read stops its own job only."""

    async def test_its_job_goes_back_without_a_pause(self, world: World, worker: FakeWorker) -> None:
        """A newer release may read it."""
        await world.ledger.swap("job-1", expected=None, new=Stored("t", b"\x00damaged"))
        assert Requeue("ledger_unreadable") == await handled(worker, send_job(ONE))
        assert 0 == worker.gate.ledger_failures
