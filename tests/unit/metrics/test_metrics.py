"""The metrics as a scraper reads them."""

import math

import pytest

from schemas.channels import RESULT_KIND_OF_JOB, JobKind
from tests.support.scraped import Scrape
from worker.domain.messages import Lane
from worker.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    """Fresh metrics of one process."""
    return Metrics("1.2.3")


def _value(metrics: Metrics, name: str, **wanted: str) -> float | None:
    return Scrape(metrics.text().decode()).value(name, **wanted)


class TestMetrics:
    """Each report lands in the metric that its name promises."""

    def test_jobs_and_recipients_are_counted(self, metrics: Metrics) -> None:
        """Counters rise by what was reported."""
        metrics.jobs.decided["send", "partial"].inc()
        metrics.jobs.recipients["accepted"].inc(3)
        metrics.jobs.recipients["accepted"].inc(2)
        assert _value(metrics, "iton_worker_jobs_total", kind="send", result="partial") == 1
        assert _value(metrics, "iton_worker_recipients_total", outcome="accepted") == 5

    def test_a_call_is_in_flight_until_it_ends(self, metrics: Metrics) -> None:
        """The gauge goes up and down."""
        under_way = [1]
        metrics.calls.in_flight.set_function(lambda: len(under_way))
        assert _value(metrics, "iton_worker_gateway_calls_in_flight") == 1
        under_way.clear()
        assert _value(metrics, "iton_worker_gateway_calls_in_flight") == 0

    def test_a_call_is_counted_and_measured(self, metrics: Metrics) -> None:
        """By command and by what came of it."""
        metrics.calls.ended["sendSMS", "uncertain"].inc()
        metrics.calls.took["sendSMS"].observe(0.3)
        labels = {"command": "sendSMS", "class": "uncertain"}
        assert _value(metrics, "iton_worker_gateway_calls_total", **labels) == 1
        assert _value(metrics, "iton_worker_gateway_call_seconds_sum", command="sendSMS") == 0.3

    def test_states_are_zero_or_one(self, metrics: Metrics) -> None:
        """Breaker, pause and consumer are switches."""
        metrics.standing.breaker_open["account"].set(True)
        metrics.standing.paused["credits"].set(True)
        metrics.standing.paused["credits"].set(False)
        metrics.broker.consumer_up["send.urgent"].set_function(lambda: True)
        assert _value(metrics, "iton_worker_breaker_open", command="account") == 1
        assert _value(metrics, "iton_worker_intake_paused", reason="credits") == 0
        assert _value(metrics, "iton_worker_consumer_up", lane="send.urgent") == 1

    def test_times_are_measured(self, metrics: Metrics) -> None:
        """Jobs, ledger, confirms."""
        metrics.jobs.took["send"].observe(0.2)
        metrics.ledger.took["swap"].observe(0.001)
        metrics.broker.confirm_took.observe(0.01)
        assert _value(metrics, "iton_worker_job_seconds_count", lane="send") == 1
        assert _value(metrics, "iton_worker_ledger_seconds_count", operation="swap") == 1
        assert _value(metrics, "iton_worker_publisher_confirm_seconds_count") == 1

    def test_the_rest_is_counted(self, metrics: Metrics) -> None:
        """Retries, redeliveries, publishes, dead letters, revisions, strangers, credits."""
        metrics.jobs.retries["delay"].inc()
        metrics.jobs.redeliveries.inc()
        metrics.broker.count("send", "confirmed")
        metrics.jobs.dead_letters["not_json"].inc()
        metrics.jobs.revisions.inc()
        metrics.calls.count_unasked("sendSMS", 2)
        metrics.credits.remaining.set(417.5)
        assert _value(metrics, "iton_worker_retries_total", kind="delay") == 1
        assert _value(metrics, "iton_worker_redeliveries_total") == 1
        assert _value(metrics, "iton_worker_publishes_total", exchange="send", result="confirmed") == 1
        assert _value(metrics, "iton_worker_dead_letters_total", reason="not_json") == 1
        assert _value(metrics, "iton_worker_revisions_total") == 1
        assert _value(metrics, "iton_worker_unasked_total", command="sendSMS") == 2
        assert _value(metrics, "iton_worker_credits_remaining") == 417.5

    def test_the_fill_of_calls_is_measured(self, metrics: Metrics) -> None:
        """How full they are, and for how many jobs they are made."""
        metrics.calls.keys["sendSMS"].observe(100)
        metrics.calls.jobs["sendSMS"].observe(7)
        assert _value(metrics, "iton_worker_gateway_call_keys_sum", command="sendSMS") == 100
        assert _value(metrics, "iton_worker_gateway_call_jobs_sum", command="sendSMS") == 7

    def test_dnd_answers_and_cache_are_counted(self, metrics: Metrics) -> None:
        """By what was said, and by where the answer was found."""
        for answer, count in {"listed": 1, "clear": 2, "silent": 3}.items():
            metrics.dnd.answers[answer].inc(count)
        metrics.dnd.cache["hit"].inc(4)
        metrics.dnd.cache["miss"].inc(5)
        answers = {
            name: _value(metrics, "iton_worker_dnd_answers_total", answer=name)
            for name in ("listed", "clear", "silent")
        }
        assert {"listed": 1, "clear": 2, "silent": 3} == answers
        assert _value(metrics, "iton_worker_dnd_cache_total", result="hit") == 4
        assert _value(metrics, "iton_worker_dnd_cache_total", result="miss") == 5

    def test_a_strange_label_counts_as_other(self, metrics: Metrics) -> None:
        """Labels are closed sets: nothing that came from outside can become one."""
        metrics.jobs.dead_letters["919876543210"].inc()
        metrics.jobs.dead_letters["919876543211"].inc()
        metrics.jobs.decided["send", "919876543210"].inc()
        assert _value(metrics, "iton_worker_dead_letters_total", reason="other") == 2
        assert _value(metrics, "iton_worker_jobs_total", kind="send", result="other") == 1
        assert not {"919876543210", "919876543211"} & metrics.jobs.dead_letters.keys()
        assert b"919876543210" not in metrics.text()

    def test_every_series_of_a_closed_set_is_there_from_the_start(self, metrics: Metrics) -> None:
        """A rate over the first event is not zero, and no alert waits for a series that never was."""
        scrape = Scrape(metrics.text().decode())
        jobs = scrape.series("iton_worker_jobs_total")
        results = {
            (kind, word) for kind in JobKind for word in RESULT_KIND_OF_JOB[kind].statuses if word != "low"
        }
        assert all(jobs[frozenset({("kind", kind), ("result", word)})] == 0 for kind, word in results)
        assert 0 == scrape.value(
            "iton_worker_gateway_calls_total", command="sendSMS", **{"class": "uncertain"}
        )
        waits = scrape.series("iton_worker_queue_wait_seconds_count")
        assert {frozenset({("lane", lane.value)}) for lane in Lane} == set(waits)

    def test_what_nobody_has_looked_at_is_not_zero(self, metrics: Metrics) -> None:
        """A balance of 0 would wake somebody at each start."""
        for name, labels in (("credits_remaining", {}), ("queue_messages", {"queue": "send"})):
            assert math.isnan(_value(metrics, f"iton_worker_{name}", **labels) or 0)

    def test_two_instances_do_not_share(self, metrics: Metrics) -> None:
        """Each has a registry of its own, with the version that runs."""
        metrics.jobs.redeliveries.inc()
        assert _value(Metrics(), "iton_worker_redeliveries_total") == 0
        assert b'version="1.2.3"' in metrics.text()
