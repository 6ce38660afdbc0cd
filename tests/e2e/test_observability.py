"""The dashboard and the alert rules on a real Prometheus that scrapes a real worker at work."""

import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest

from scripts.find_broker import FoundBroker
from tests.support.broker import own_prefix
from tests.support.dashboard import RULES, metrics_of, queries, rules
from tests.support.line import Line, line_on, wait_settled
from tests.support.prometheus_server import PrometheusServer, prometheus_server
from tests.support.results_side import new_job_id, numbers
from tests.support.scraped import Scrape
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import Workshop, wait_until

ON_THE_DND_LIST = "919876543200"
# Panels that must show a number after any work at all; others may have had nothing to show yet.
MAIN = {
    "Sending",
    "Lanes stuck",
    "Held back",
    "Uncertain recipients",
    "Jobs waiting",
    "Workers ready",
    "Credits left",
    "Kept aside",
    "Jobs ended",
    "Recipients by outcome",
    "From publication to result",
    "Wait in the queue",
    "Work on a job",
    "Calls",
    "Duration of calls",
    "Numbers in a call",
    "Operations",
    "Publishes",
    "Confirms",
    "CPU",
    "Memory",
}


class Scene:
    """A worker that has done a job of each kind, and the Prometheus that watched it.

    Attributes:
        line: the worker and what is around it.
        prometheus: scrapes the worker once a second.
    """

    def __init__(self, line: Line, prometheus: PrometheusServer) -> None:
        self.line = line
        self.prometheus = prometheus

    def scrape(self) -> Scrape:
        """Read ``/metrics`` of the worker."""
        return Scrape(self.line.worker.get("/metrics")[1])

    def work(self) -> None:
        """A job of each kind and lane, large and small, one of which is rejected; wait for their ends."""
        sends = {"recipients": numbers(20), "text": "timed"}
        jobs = [self._published("send", sends) for _ in range(5)]
        jobs += [self._published("send.urgent", sends) for _ in range(5)]
        jobs.append(self._published("send", {"recipients": [ON_THE_DND_LIST, *numbers(3)], "text": "small"}))
        jobs.append(self._published("status", {"message_ids": ["ffffffffffffffffffffffff"]}))
        jobs.append(self._published("account", {}))
        large = [self.line.producer.send(numbers(count, start=5), f"to {count}") for count in (150, 250)]
        self.line.producer.publish(b"this is no job")
        for job in jobs:
            self.line.collector.one(job)
        for job in large:
            self.line.collector.whole(job)
        wait_settled(self.line)

    def _published(self, key: str, fields: Mapping[str, object]) -> str:
        """Publish a job with a timestamp, as producers should; return its id."""
        job_id = new_job_id()
        self.line.producer.publish({"job_id": job_id, **fields}, key, timestamp=int(time.time()))
        return job_id

    def wait_scraped(self) -> None:
        """Wait until Prometheus has seen the end of the work, and queues have been looked at."""
        seen = 'sum(rate(iton_worker_recipients_total{outcome="accepted"}[1m]))'
        wait_until(lambda: (self.prometheus.value(seen) or 0) > 0, "Prometheus saw the work")
        counted = 'iton_worker_queue_messages{queue="send"} >= 0'
        wait_until(lambda: self.prometheus.value(counted) is not None, "the queues were looked at")


@pytest.fixture(scope="module")
def scene(
    broker: FoundBroker, simulator: SimulatorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """Provide the scene after its work."""
    folder = tmp_path_factory.mktemp("observability")
    simulator.reset()
    with ExitStack() as stack:
        prefix = stack.enter_context(own_prefix(broker.url))
        shop = Workshop(amqp_url=broker.url, prefix=prefix, gateway_url=simulator.url, folder=folder)
        stack.callback(shop.close)
        worker = shop.ready(WORKER_SHARE_ABOVE=200)
        server = prometheus_server(
            folder / "prometheus", target=worker.health_url.removeprefix("http://"), rules=RULES
        )
        made = Scene(line_on(stack, shop, simulator), stack.enter_context(server))
        # What was there before the first scrape is no rise.
        wait_until(lambda: made.prometheus.value("iton_worker_ready") == 1, "the first scrape")
        made.work()
        made.wait_scraped()
        yield made
    simulator.reset()


class TestMetrics:
    """The live ``/metrics``."""

    def test_whatever_dashboard_and_rules_name_is_there(self, scene: Scene) -> None:
        """Also what did not happen in this run: every series is there from the start."""
        named = set().union(*(metrics_of(expr) for _, expr in queries()))
        named |= set().union(*(metrics_of(rule["expr"]) for rule in rules()))
        assert set() == named - scene.scrape().names()

    def test_they_tell_what_was_done(self, scene: Scene) -> None:
        """By the numbers of the work."""
        scrape = scene.scrape()

        def value(name: str, **labels: str) -> float | None:
            return scrape.value(f"iton_worker_{name}", **labels)

        assert 10 * 20 + 3 + 150 + 250 == value("recipients_total", outcome="accepted")
        assert 1 == value("recipients_total", outcome="dnd")
        assert 1 == value("jobs_total", kind="send", result="split")
        assert 10 + 1 + 3 == value("jobs_total", kind="send", result="accepted")
        assert 1 == value("jobs_total", kind="status", result="pending")
        assert 1 == value("jobs_total", kind="account", result="balance")
        assert 1 == value("dead_letters_total", reason="not_json")
        assert 3 == value("job_seconds_count", lane="send.parts")
        assert 5 == value("end_to_end_seconds_count", lane="send.urgent")
        assert 1 == value("dnd_answers_total", answer="listed")
        assert 0 == value("recipients_total", outcome="uncertain")
        assert 0 == value("oldest_job_seconds")
        assert 1 == value("publisher_up")
        assert 0 < (value("gateway_calls_floor") or 0) <= (value("gateway_calls_limit") or 0)
        assert (value("ledger_seconds_count", operation="swap") or 0) >= 2 * 12
        assert (value("loop_lag_seconds_count") or 0) >= 1

    def test_no_label_grew(self, scene: Scene) -> None:
        """Every value that the worker uses belongs to its closed set."""
        assert 'other"' not in scene.scrape().text


class TestDashboard:
    """Every query of every panel, as Grafana would send it."""

    @pytest.mark.parametrize(("title", "expr"), queries())
    def test_prometheus_answers_it(self, scene: Scene, title: str, expr: str) -> None:
        """It can be read."""
        assert isinstance(scene.prometheus.query(expr), list), title

    @pytest.mark.parametrize("title", sorted(MAIN))
    def test_the_main_panels_have_something_to_show(self, scene: Scene, title: str) -> None:
        """By one of their queries: some of them yield nothing by turns. A panel that was renamed fails."""
        found = [scene.prometheus.query(expr) for name, expr in queries() if name == title]
        assert [series for one in found for series in one if math.isfinite(float(series["value"][1]))], found


class TestRules:
    """The alert rules, evaluated once a second over the worker's life."""

    def test_each_can_be_evaluated(self, scene: Scene) -> None:
        """None failed, none is missing."""
        seen = {rule["name"]: rule["health"] for rule in scene.prometheus.rules()}
        assert {rule["alert"]: "ok" for rule in rules()} == seen

    def test_a_worker_that_works_fires_only_what_is_true(self, scene: Scene) -> None:
        """One job was rejected, and the alert says so in words."""

        def firing() -> list[dict[str, object]]:
            alerts = [alert for rule in scene.prometheus.rules() for alert in rule["alerts"]]
            return [alert for alert in alerts if alert["state"] == "firing"]

        wait_until(firing, "the rejected job is told")
        (alert,) = firing()
        labels, notes = alert["labels"], alert["annotations"]
        assert isinstance(labels, dict)
        assert isinstance(notes, dict)
        assert ("ItonWorkerDeadLettersGrow", "not_json", "sms") == (
            labels["alertname"],
            labels["reason"],
            labels["namespace"],
        )
        # Of a series that began a few seconds ago Prometheus makes a little more than it has seen.
        assert re.fullmatch("Dead letters for not_json: about [1-3] in 15 minutes", notes["summary"])
        assert "--reason not_json" in notes["description"]
