"""What handlers and ports report lands in the metrics."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.support.fakes import FakeClock, FakeGateway, FakeLedger, settled
from tests.support.scraped import Scrape
from worker.domain.errors import LedgerUnavailableError
from worker.domain.messages import (
    DeadLetter,
    Delay,
    Delivery,
    Done,
    JobSummary,
    Lane,
    Requeue,
)
from worker.metrics import Metrics
from worker.observing import (
    LedgerSizeWatch,
    LoopWatch,
    MeasuredLedger,
    MetricsObserver,
    PublishMetrics,
)
from worker.ports import Command, Stored, Swap, TextMessage

TEXT = TextMessage("hello", unicode=False, sender=None, params={})


@dataclass
class Scene:
    """Metrics, what reports to them, and a look at them."""

    metrics: Metrics = field(default_factory=Metrics)
    clock: FakeClock = field(default_factory=FakeClock)

    @property
    def observer(self) -> MetricsObserver:
        """What handlers report to."""
        return MetricsObserver(self.metrics, self.clock)

    def delivery(self, *, age: float | None = 0.0, attempts: int = 0, redelivered: bool = False) -> Delivery:
        """A job that was published *age* seconds ago."""
        published = None if age is None else self.clock.now() - timedelta(seconds=age)
        return Delivery(
            Lane.SEND, b"", "send", attempts=attempts, published_at=published, redelivered=redelivered
        )

    def value(self, name: str, **labels: str) -> float | None:
        """What a scrape says now."""
        return Scrape(self.metrics.text().decode()).value(f"iton_worker_{name}", **labels)

    def count(self, name: str, **labels: str) -> float | None:
        """How often a histogram was told something."""
        return self.value(f"{name}_count", **labels)


@pytest.fixture
def scene() -> Scene:
    """Fresh metrics."""
    return Scene()


class TestObserver:
    """Jobs."""

    def test_the_wait_in_the_queue_is_measured(self, scene: Scene) -> None:
        """From the producer's timestamp to the taking."""
        scene.observer.job_taken(scene.delivery(age=7))
        assert 7 == scene.value("queue_wait_seconds_sum", lane="send")
        assert 0 == scene.value("redeliveries_total")

    @pytest.mark.parametrize(("age", "attempts"), [(None, 0), (7, 1)])
    def test_a_wait_that_is_none_of_the_queues_is_not_measured(
        self, scene: Scene, age: float | None, attempts: int
    ) -> None:
        """Nobody knows since when, or it waited for another attempt."""
        scene.observer.job_taken(scene.delivery(age=age, attempts=attempts))
        assert 0 == scene.count("queue_wait_seconds", lane="send")

    def test_a_producer_whose_clock_runs_ahead_makes_no_negative_wait(self, scene: Scene) -> None:
        """Clocks that differ count as no time."""
        scene.observer.job_taken(scene.delivery(age=-5))
        assert 0 == scene.value("queue_wait_seconds_sum", lane="send")
        assert 1 == scene.count("queue_wait_seconds", lane="send")

    def test_a_redelivery_is_counted(self, scene: Scene) -> None:
        """By the broker's flag."""
        scene.observer.job_taken(scene.delivery(redelivered=True))
        assert 1 == scene.value("redeliveries_total")

    def test_a_job_that_ended_is_counted_and_measured(self, scene: Scene) -> None:
        """The job, its recipients, its calls, its time in here and since its publication."""
        summary = JobSummary("send", "partial", "1", {"accepted": 2, "dnd": 1}, calls=3)
        scene.observer.job_ended(scene.delivery(age=9), summary, seconds=0.5)
        assert 1 == scene.value("jobs_total", kind="send", result="partial")
        assert 2 == scene.value("recipients_total", outcome="accepted")
        assert 1 == scene.value("recipients_total", outcome="dnd")
        assert 0.5 == scene.value("job_seconds_sum", lane="send")
        assert 9 == scene.value("end_to_end_seconds_sum", lane="send")
        assert 3 == scene.value("send_calls_sum")

    @pytest.mark.parametrize("result", ["split", "delayed", "returned"])
    def test_a_job_without_a_result_yet_has_no_end_to_end_time(self, scene: Scene, result: str) -> None:
        """Nor recipients: its parts, or its next round, will tell."""
        summary = JobSummary("send", result, "1", {"recipients": 500, "parts": 5})
        scene.observer.job_ended(scene.delivery(age=9), summary, seconds=0.5)
        assert 1 == scene.value("jobs_total", kind="send", result=result)
        assert 0 == scene.count("end_to_end_seconds", lane="send")
        assert (1 if result == "split" else 0) == scene.count("job_seconds", lane="send")
        assert 0 == scene.count("send_calls")
        assert None is scene.value("recipients_total", outcome="other")

    def test_only_what_goes_back_counts_as_requeued(self, scene: Scene) -> None:
        """Copies are counted where they are confirmed."""
        for disposition in (Done(), Requeue("x"), DeadLetter("not_json", ""), Delay(5, "x")):
            scene.observer.disposed(disposition)
        assert 1 == scene.value("retries_total", kind="requeue")
        assert 0 == scene.value("retries_total", kind="delay")
        assert 0 == scene.value("dead_letters_total", reason="not_json")

    def test_the_rest_is_passed_on(self, scene: Scene) -> None:
        """Repeated calls, revisions, balances, company, cache."""
        scene.observer.retried(Command.SEND)
        scene.observer.revised()
        scene.observer.credits_seen(FakeGateway(scene.clock).balance)
        scene.observer.call_shared(Command.DND, 4)
        scene.observer.dnd_cached(hits=2, misses=1)
        assert 1 == scene.value("retries_total", kind="call")
        assert 1 == scene.value("revisions_total")
        assert 1000 == scene.value("credits_remaining")
        assert 4 == scene.value("gateway_call_jobs_sum", command="check_DNDnumber")
        assert 2 == scene.value("dnd_cache_total", result="hit")


class TestCalls:
    """What metrics learn of a call."""

    def test_dnd_answers_are_counted(self, scene: Scene) -> None:
        """Listed, clear, and those of whom the reply says nothing."""
        scene.metrics.dnd.count_answers(4, {"1": True, "3": False, "4": False})
        said = {word: scene.value("dnd_answers_total", answer=word) for word in ("listed", "clear", "silent")}
        assert {"listed": 1, "clear": 2, "silent": 1} == said


class TestPublishMetrics:
    """Confirms, returns and failures."""

    def test_confirms_are_counted_and_timed(self, scene: Scene) -> None:
        """By exchange; parts go to a queue."""
        publishes = PublishMetrics(scene.metrics)
        publishes.confirmed("send", 0.5)
        publishes.confirmed("parts", 0.25)
        assert 1 == scene.value("publishes_total", exchange="send", result="confirmed")
        assert 1 == scene.value("publishes_total", exchange="parts", result="confirmed")
        assert 2 == scene.count("publisher_confirm_seconds")
        assert 0.75 == scene.value("publisher_confirm_seconds_sum")

    def test_a_refusal_is_counted_each_time_and_when_it_is_given_up(self, scene: Scene) -> None:
        """And is no confirm."""
        publishes = PublishMetrics(scene.metrics)
        publishes.refused("send", "failed")
        publishes.refused("send", "failed")
        publishes.given_up("send", "failed")
        assert 3 == scene.value("publishes_total", exchange="send", result="failed")
        assert 0 == scene.count("publisher_confirm_seconds")

    def test_a_copy_counts_for_what_it_is(self, scene: Scene) -> None:
        """A dead letter by its reason, a delay as another round."""
        publishes = PublishMetrics(scene.metrics)
        publishes.dead_lettered("not_json")
        publishes.delayed()
        assert 1 == scene.value("dead_letters_total", reason="not_json")
        assert 1 == scene.value("retries_total", kind="delay")


def _away() -> Callable[[str], Awaitable[None]]:
    async def fail(_: str) -> None:
        raise LedgerUnavailableError("ledger_gone", "made to fail")

    return fail


class TestMeasuredLedger:
    """Times and failures."""

    async def test_operations_are_timed(self, scene: Scene) -> None:
        """Each by its name."""
        ledger = MeasuredLedger(FakeLedger(scene.clock), scene.metrics)
        stored = Stored("a", b"1")
        assert await ledger.swap("key", expected=None, new=stored)
        assert stored == await ledger.load("key")
        await ledger.renew(["key"])
        assert 1 == scene.count("ledger_seconds", operation="renew")
        assert 1 == scene.count("ledger_seconds", operation="swap")
        assert 1 == scene.count("ledger_seconds", operation="load")
        assert 0 == scene.value("ledger_failures_total", operation="load")

    async def test_swaps_together_are_one_operation(self, scene: Scene) -> None:
        """Timed and, where some of them failed, counted once."""
        inner = FakeLedger(scene.clock)
        ledger = MeasuredLedger(inner, scene.metrics)
        swaps = [Swap(f"key-{number}", None, Stored("a", b"1")) for number in range(3)]
        assert [True] * 3 == list(await ledger.swap_many(swaps))
        assert 1 == scene.count("ledger_seconds", operation="swap")
        assert 0 == scene.value("ledger_failures_total", operation="swap")
        inner.before = _away()
        assert {LedgerUnavailableError} == {type(answer) for answer in await ledger.swap_many(swaps)}
        assert 2 == scene.count("ledger_seconds", operation="swap")
        assert 1 == scene.value("ledger_failures_total", operation="swap")

    async def test_a_failure_is_counted_and_raised(self, scene: Scene) -> None:
        """It took its time as well."""
        inner = FakeLedger(scene.clock)
        inner.before = _away()
        with pytest.raises(LedgerUnavailableError):
            await MeasuredLedger(inner, scene.metrics).load("key")
        assert 1 == scene.value("ledger_failures_total", operation="load")
        assert 1 == scene.count("ledger_seconds", operation="load")


@dataclass
class Store:
    """Holds so many entries, or is away."""

    holds: int | None = None
    away: bool = False

    async def entries(self) -> int | None:
        """Tell, or fail."""
        if self.away:
            raise LedgerUnavailableError("ledger_gone", "made to fail")
        return self.holds

    async def size(self) -> int | None:
        """Tell a kilobyte an entry."""
        return None if self.holds is None else 1000 * self.holds


class TestWatches:
    """What is looked at every so often."""

    async def test_the_ledgers_size_is_shown(self, scene: Scene) -> None:
        """And NaN, which equals nothing, once nobody knows it."""
        store = Store(holds=12)
        watch = LedgerSizeWatch(store, scene.metrics, scene.clock)
        await watch.look()
        assert (12, 12_000) == (scene.value("ledger_entries"), scene.value("ledger_bytes"))
        store.away = True
        await watch.look()
        assert math.isnan(scene.value("ledger_entries") or 0)
        assert math.isnan(scene.value("ledger_bytes") or 0)

    async def test_a_late_timer_is_lag(self, scene: Scene) -> None:
        """The process was stopped, or too busy."""
        looking = asyncio.ensure_future(LoopWatch(scene.metrics, scene.clock).look())
        await settled()
        scene.clock.leap(3.5)
        await scene.clock.advance(0)
        await looking
        assert 2.5 == pytest.approx(scene.value("loop_lag_seconds_sum"), abs=0.01)
