"""Whatever happens to workers, broker, ledger and gateway, in any order: the promises hold."""

import asyncio
import json
import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from structlog.testing import capture_logs

from tests.support.checked_ledger import EVERYBODY
from tests.support.fake_fleet import Fleet, Process
from tests.support.fake_worker import LEASE, numbers, send_job
from tests.support.fakes import settled
from worker.domain.errors import (
    AccountError,
    AccountTrouble,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "60"))
STEPS = int(os.environ.get("MODEL_STEPS", "40"))

WORKERS = 3
MOST_CALLS = 3  # of a job that prefers a double to a doubt
ONE, TWO, THREE, FOUR = numbers(4)
JOBS: dict[str, dict[str, Any]] = {
    "plain": send_job(ONE, TWO, "12", job_id="plain", text="plain"),
    "again": send_job(ONE, job_id="again", text="again", on_uncertain="resend"),
    "large": send_job(*numbers(101), "12", job_id="large", text="large"),
}
# The same text: with joint sends these three share calls, and a text's recipient tells whose it is.
JOINT_JOBS: dict[str, dict[str, Any]] = {
    "plain": send_job(ONE, TWO, "12", job_id="plain", text="same"),
    "again": send_job(THREE, job_id="again", text="same", on_uncertain="resend"),
    "third": send_job(FOUR, job_id="third", text="same"),
    "large": send_job(*numbers(105)[4:], "12", job_id="large", text="same"),
}


def _telling(error: WorkerError) -> WorkerError:
    """An *error* in the place of a reply that gives its ids to nobody."""
    error.names_ids = error.tells_ids = True
    return error


FAULTS: dict[str, tuple[WorkerError, bool]] = {
    "not sent": (TransientError("gateway_unreachable", "refused"), False),
    "reply lost": (OutcomeUncertainError("reply_lost", "lost"), True),
    "request lost": (OutcomeUncertainError("reply_lost", "lost"), False),
    "account": (AccountError("credits_exhausted", "none", trouble=AccountTrouble.CREDITS), False),
    "refused": (PermanentError("sender_refused", "no"), False),
    "ids of nobody": (_telling(OutcomeUncertainError("reply_unreadable", "?")), True),
    "refused with ids": (_telling(PermanentError("sender_refused", "no")), False),
}
TELLING = ("ids of nobody", "refused with ids")
WORKER = st.integers(0, WORKERS - 1)
ALONE, SHARED = (
    1000,
    100,
)  # recipients above which a worker hands parts out: the large job is sent by one, or by all


class SendModel(RuleBasedStateMachine):
    """Three workers at a time; a killed one is replaced. Some send large jobs by themselves, some do not."""

    jobs = JOBS
    coalesce = False

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._fleet = Fleet(self.coalesce)
        self._whose = {
            (str(job["text"]), str(name)): job_id
            for job_id, job in self.jobs.items()
            for name in job["recipients"]
        }
        self._everybody: list[Process] = []
        self._published: set[str] = set()
        self._workers: list[Process] = []

    def _new(self, share_above: int) -> Process:
        self._everybody.append(Process(self._fleet, len(self._everybody), share_above))
        return self._everybody[-1]

    def _replace(self, number: int) -> None:
        self._workers[number] = self._new(self._workers[number].share_above)

    @initialize(
        limits=st.lists(st.sampled_from([ALONE, SHARED]), min_size=WORKERS, max_size=WORKERS),
        which=st.integers(0, 3),
        overtaken=st.integers(0, 3),
    )
    def first_job(self, limits: list[int], which: int, overtaken: int) -> None:
        """There is always one; now and then its first worker is overtaken, for a done job is so no more."""
        self._workers = [self._new(limit) for limit in limits]
        self.publish(which)
        if not overtaken:
            self.overtake(0, 1)

    @rule(which=st.integers(0, 3))
    def publish(self, which: int) -> None:
        """A job comes, for the first time or once more."""
        name = sorted(self.jobs)[which % len(self.jobs)]
        self._published.add(name)
        self._fleet.publish(self.jobs[name])

    @rule(number=WORKER, which=st.integers(0, 3))
    def take(self, number: int, which: int) -> None:
        """A worker starts on one of the messages that wait."""
        if waiting := self._fleet.waiting:
            self._runner.run(self._taken(self._workers[number], which % len(waiting)))

    async def _taken(self, worker: Process, which: int) -> None:
        worker.take(self._fleet.waiting[which])
        await worker.go_on(0)

    @rule(number=WORKER, steps=st.integers(1, 12))
    def go_on(self, number: int, steps: int) -> None:
        """A worker does so many steps; the others stand still."""
        self._runner.run(self._workers[number].go_on(steps))

    @rule(number=WORKER, gone_out=st.booleans())
    def go_on_until_the_call(self, number: int, *, gone_out: bool) -> None:
        """A worker goes on until it waits for the gateway, and is left standing before or behind the send."""
        worker = self._workers[number]
        for _ in range(30):
            if not worker.in_call:
                self._runner.run(worker.go_on(1))
        if worker.in_call and gone_out:
            self._runner.run(worker.go_on(1))

    @rule(number=WORKER)
    def work_alone(self, number: int) -> None:
        """One worker takes all there is and goes on to the end; all others stand still meanwhile."""
        self._runner.run(self._alone(self._workers[number]))

    async def _alone(self, worker: Process) -> None:
        for _ in range(60):
            for kept in self._fleet.waiting:
                worker.take(kept)
            await worker.go_on(12)
            if worker.idle and not self._fleet.waiting:
                return
            if not worker.busy:
                await self._fleet.world.clock.advance(1.0)

    @rule(number=WORKER)
    def kill(self, number: int) -> None:
        """A worker dies where it stands."""
        self._workers[number].kill()
        self._replace(number)

    @rule(number=WORKER)
    def stop(self, number: int) -> None:
        """A worker is told to stop and has no time left for what is under way."""
        self._runner.run(self._workers[number].stop())
        self._replace(number)

    @rule(number=WORKER, steps=st.integers(1, 24))
    def stop_in_the_middle(self, number: int, steps: int) -> None:
        """A worker is told to stop shortly after it began on a message."""
        self.take(number, 0)
        self.go_on(number, steps)
        self.stop(number)

    @rule(number=WORKER, unconfirmed=st.integers(1, 2), fault=st.none() | st.sampled_from(TELLING))
    def overtake(self, number: int, unconfirmed: int, fault: str | None = None) -> None:
        """A worker freezes in its call for a whole lease, another one ends the job, then it goes on."""
        if fault:
            self._fleet.gateway_faults.appendleft(FAULTS[fault])
        self.take(number, 0)
        self.go_on_until_the_call(number, gone_out=True)
        self.cut_off(number)
        self.wait(LEASE + 1)
        self.work_alone((number + 1) % WORKERS)
        self._fleet.publish_faults += ["before"] * unconfirmed
        self.go_on(number, 40)

    @rule(number=WORKER)
    def deliver_to_another(self, number: int) -> None:
        """A worker is cut off in its call, and another one gets the job at once."""
        self.take(number, 0)
        self.go_on_until_the_call(number, gone_out=True)
        self.cut_off(number)
        self._runner.run(self._taken_at_once(self._workers[(number + 1) % WORKERS]))
        self.go_on(number, 12)

    async def _taken_at_once(self, worker: Process) -> None:
        for kept in self._fleet.waiting:
            worker.take(kept)
        await worker.go_on(12)

    @rule(number=WORKER)
    def cut_off(self, number: int) -> None:
        """A worker loses the broker and does not know."""
        self._fleet.give_back(self._workers[number].number)

    @rule(seconds=st.sampled_from([0.3, 3.0, LEASE + 1]))
    def wait(self, seconds: float) -> None:
        """Time passes, for those that sleep and for those that stand still."""
        self._runner.run(self._fleet.world.clock.advance(seconds))

    @rule(fault=st.sampled_from(sorted(FAULTS)))
    def gateway_fault(self, fault: str) -> None:
        """The next call ends badly."""
        self._fleet.gateway_faults.append(FAULTS[fault])

    @rule(when=st.sampled_from(["before", "after"]))
    def ledger_fault(self, when: str) -> None:
        """The ledger's next operation fails, done or not."""
        self._fleet.ledger_faults.append(when)

    @rule(when=st.sampled_from(["before", "after"]))
    def claim_fault(self, when: str) -> None:
        """The ledger fails right at a claim, done or not."""
        self._fleet.claim_faults.append(when)

    @invariant()
    def no_claim_is_left_behind(self) -> None:
        """Who lives on and does not call takes its claim back: nobody shall take its reply for lost."""
        assert set() == self._fleet.left_behind

    @invariant()
    def every_change_is_one_of_the_model(self) -> None:
        """The other model: the one that Spin checks."""
        assert self._fleet.changes.wrong == []

    @invariant()
    def no_claim_is_taken_early(self) -> None:
        """A call is its caller's until the lease is over, whoever gets the job meanwhile."""
        assert set() == self._fleet.taken_early

    @rule(when=st.sampled_from(["before", "after"]))
    def publish_fault(self, when: str) -> None:
        """The next publication is not confirmed, done or not."""
        self._fleet.publish_faults.append(when)

    def teardown(self) -> None:
        """Let everything end, then compare what came out with what was promised."""
        try:
            self._runner.run(self._to_the_end())
            self._check()
        finally:
            self._runner.close()
            EVERYBODY.made += self._fleet.changes.made

    async def _to_the_end(self) -> None:
        fleet = self._fleet
        for faults in (fleet.gateway_faults, fleet.ledger_faults, fleet.claim_faults, fleet.publish_faults):
            faults.clear()
        alive = [process for process in self._everybody if not process.dead]
        for _ in range(3000):
            for kept in self._fleet.waiting:
                self._workers[0].take(kept)
            await settled()
            if not self._fleet.queue and all(process.idle for process in alive):
                return
            if any(process.busy for process in alive):
                for process in alive:
                    await process.go_on(8)
            else:
                await self._fleet.world.clock.advance(1.0)
        raise AssertionError("the work does not come to an end")

    def _check(self) -> None:
        last = self._last_results()
        outcomes = {
            (body["job_id"], one["recipient"]): one for body in last.values() for one in body["recipients"]
        }
        self._every_recipient_has_one_outcome(last, outcomes)
        self._nobody_is_sent_to_twice()
        self._ids_are_right(outcomes)
        self._ids_of_nobody_are_told(outcomes)
        self._doubt_has_a_reason(outcomes)
        revised = {body["job_id"] for body in last.values() if "revision" in body}
        assert revised <= self._fleet.taken_over

    def _last_results(self) -> dict[str, dict[str, Any]]:
        """The newest revision of each result; of each revision there must be one body only."""
        versions: dict[tuple[str, int], bytes] = {}
        last: dict[str, dict[str, Any]] = {}
        for result in self._fleet.results:
            body = json.loads(result.body)
            revision = body.get("revision", 1)
            assert result.body == versions.setdefault((result.message_id, revision), result.body)
            if revision >= last.get(result.message_id, {}).get("revision", 1):
                last[result.message_id] = body
        return last

    def _every_recipient_has_one_outcome(
        self, last: dict[str, dict[str, Any]], outcomes: dict[tuple[str, str], dict[str, Any]]
    ) -> None:
        expected = {
            (name, spelling) for name in self._published for spelling in self.jobs[name]["recipients"]
        }
        assert expected == set(outcomes)
        assert len(outcomes) == sum(len(body["recipients"]) for body in last.values())

    def _nobody_is_sent_to_twice(self) -> None:
        for (text, name), times in Counter(self._fleet.sends).items():
            job = self._whose[text, name]
            assert times <= (MOST_CALLS if job == "again" else 1), (job, name, times)

    def _ids_are_right(self, outcomes: dict[tuple[str, str], dict[str, Any]]) -> None:
        given: dict[tuple[str, str], set[str]] = {}
        for number, text, name, message_id in self._fleet.handed:
            job = self._whose[text, name]
            given.setdefault((job, name), set()).add(message_id)
            process, published = self._everybody[number], message_id in _ids_of(outcomes[job, name])
            if process.stopped and not process.dead:
                # A late one whose result is not confirmed when its worker must end stays in the ledger.
                assert published or self._fleet.remembers(message_id), "an id was lost"
            elif not process.dead:
                assert published, "an id was not published"
        for key, one in outcomes.items():
            assert _ids_of(one) <= given.get(key, set())

    def _ids_of_nobody_are_told(self, outcomes: dict[tuple[str, str], dict[str, Any]]) -> None:
        """To all of their call without an id of their own; a worker that had to end may leave them behind."""
        for number, text, name, words in self._fleet.told:
            one, process = outcomes[self._whose[text, name], name], self._everybody[number]
            told = one["outcome"] == "accepted" or words in one["error"]["detail"]
            assert told or process.dead or (process.stopped and self._fleet.remembers(words)), words

    def _doubt_has_a_reason(self, outcomes: dict[tuple[str, str], dict[str, Any]]) -> None:
        """Without a kill, a stop in a call, a lost reply or a freeze of a lease nothing is uncertain."""
        harmed = any(process.dead or process.left for process in self._everybody)
        if harmed or self._fleet.lost:
            return
        doubted = {job for (job, _), one in outcomes.items() if one["outcome"] == "uncertain"}
        assert doubted <= self._fleet.taken_over


def _ids_of(one: dict[str, Any]) -> set[str]:
    own = {one["message_id"]} if "message_id" in one else set()
    return own | set(one.get("earlier_message_ids", ()))


class JointSendModel(SendModel):
    """The same with jobs that share calls."""

    jobs = JOINT_JOBS
    coalesce = True

    @rule(number=WORKER)
    def take_all(self, number: int) -> None:
        """A worker starts on everything that waits, so that jobs meet."""
        self._runner.run(self._all_taken(self._workers[number]))

    async def _all_taken(self, worker: Process) -> None:
        for kept in self._fleet.waiting:
            worker.take(kept)
        await worker.go_on(0)


class TestSendModel:
    """Hypothesis looks for an order of events that breaks a promise."""

    @pytest.mark.row(
        "joint/anything",
        "kills, freezes, cuts, lost answers at every step, in any order",
        "no promise is broken",
    )
    @pytest.mark.parametrize("model", [SendModel, JointSendModel])
    def test_no_order_of_events_breaks_a_promise(self, model: type[SendModel]) -> None:
        """Kills, freezes, cuts, redeliveries, repeats, lost answers and lost replies."""
        with capture_logs():
            run_state_machine_as_test(
                model,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    phases=(Phase.generate, Phase.shrink),
                    suppress_health_check=list(HealthCheck),
                ),
            )
