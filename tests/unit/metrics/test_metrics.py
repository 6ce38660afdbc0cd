"""The metrics as a scraper reads them."""

import math
from decimal import Decimal

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
        metrics.job_settled("send", "partial")
        metrics.recipients_settled("accepted", 3)
        metrics.recipients_settled("accepted", 2)
        assert _value(metrics, "iton_worker_jobs_total", kind="send", result="partial") == 1
        assert _value(metrics, "iton_worker_recipients_total", outcome="accepted") == 5

    def test_a_call_is_in_flight_until_it_ends(self, metrics: Metrics) -> None:
        """The gauge goes up and down."""
        under_way = [1]
        metrics.calls_in_flight_from(lambda: len(under_way))
        assert _value(metrics, "iton_worker_gateway_calls_in_flight") == 1
        under_way.clear()
        assert _value(metrics, "iton_worker_gateway_calls_in_flight") == 0

    def test_a_call_is_counted_and_measured(self, metrics: Metrics) -> None:
        """By command and by what came of it."""
        metrics.call_ended("sendSMS", "uncertain", 0.3)
        labels = {"command": "sendSMS", "class": "uncertain"}
        assert _value(metrics, "iton_worker_gateway_calls_total", **labels) == 1
        assert _value(metrics, "iton_worker_gateway_call_seconds_sum", command="sendSMS") == 0.3

    def test_states_are_zero_or_one(self, metrics: Metrics) -> None:
        """Breaker, pause and consumer are switches."""
        metrics.breaker_changed("account", is_open=True)
        metrics.intake_paused("credits", paused=True)
        metrics.intake_paused("credits", paused=False)
        metrics.consumers_up_from("send.urgent", lambda: True)
        assert _value(metrics, "iton_worker_breaker_open", command="account") == 1
        assert _value(metrics, "iton_worker_intake_paused", reason="credits") == 0
        assert _value(metrics, "iton_worker_consumer_up", lane="send.urgent") == 1

    def test_times_are_measured(self, metrics: Metrics) -> None:
        """A producer whose clock runs ahead makes no negative wait."""
        metrics.job_took("send", 0.2)
        metrics.job_waited("send", -5)
        metrics.ledger_took("swap", 0.001)
        metrics.confirm_took(0.01)
        assert _value(metrics, "iton_worker_job_seconds_count", lane="send") == 1
        assert _value(metrics, "iton_worker_queue_wait_seconds_sum", lane="send") == 0
        assert _value(metrics, "iton_worker_ledger_seconds_count", operation="swap") == 1
        assert _value(metrics, "iton_worker_publisher_confirm_seconds_count") == 1

    def test_the_rest_is_counted(self, metrics: Metrics) -> None:
        """Retries, redeliveries, publishes, dead letters, revisions, strangers, credits."""
        metrics.retried("delay")
        metrics.redelivered()
        metrics.published("send", "confirmed")
        metrics.dead_lettered("not_json")
        metrics.revised()
        metrics.unasked("sendSMS", 2)
        metrics.credits_seen(Decimal("417.5"))
        assert _value(metrics, "iton_worker_retries_total", kind="delay") == 1
        assert _value(metrics, "iton_worker_redeliveries_total") == 1
        assert _value(metrics, "iton_worker_publishes_total", exchange="send", result="confirmed") == 1
        assert _value(metrics, "iton_worker_dead_letters_total", reason="not_json") == 1
        assert _value(metrics, "iton_worker_revisions_total") == 1
        assert _value(metrics, "iton_worker_unasked_total", command="sendSMS") == 2
        assert _value(metrics, "iton_worker_credits_remaining") == 417.5

    def test_the_fill_of_calls_is_measured(self, metrics: Metrics) -> None:
        """How full they are, and for how many jobs they are made."""
        metrics.call_filled("sendSMS", 100)
        metrics.call_shared("sendSMS", 7)
        assert _value(metrics, "iton_worker_gateway_call_keys_sum", command="sendSMS") == 100
        assert _value(metrics, "iton_worker_gateway_call_jobs_sum", command="sendSMS") == 7

    def test_dnd_answers_and_cache_are_counted(self, metrics: Metrics) -> None:
        """By what was said, and by where the answer was found."""
        metrics.dnd_answered(listed=1, clear=2, silent=3)
        metrics.dnd_cache(hits=4, misses=5)
        answers = {
            name: _value(metrics, "iton_worker_dnd_answers_total", answer=name)
            for name in ("listed", "clear", "silent")
        }
        assert {"listed": 1, "clear": 2, "silent": 3} == answers
        assert _value(metrics, "iton_worker_dnd_cache_total", result="hit") == 4
        assert _value(metrics, "iton_worker_dnd_cache_total", result="miss") == 5

    def test_a_strange_label_counts_as_other(self, metrics: Metrics) -> None:
        """Labels are closed sets: nothing that came from outside can become one."""
        metrics.dead_lettered("919876543210")
        assert _value(metrics, "iton_worker_dead_letters_total", reason="other") == 1
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
        metrics.redelivered()
        assert _value(Metrics(), "iton_worker_redeliveries_total") == 0
        assert b'version="1.2.3"' in metrics.text()
