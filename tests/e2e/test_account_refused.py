"""An account that is refused or empty, a gateway that is down: work stops and goes on, nothing is burnt."""

import json
from collections.abc import Callable

import pytest

from tests.support.line import Line, wait_settled
from tests.support.results_side import numbers
from tests.support.worker_process import PASSWORD, WorkerProcess, wait_until

ONE = "919876543210"
WITHIN = 10.0
"""Seconds after which work goes on once everything works again (contract, promise 7)."""
"""Seconds after which work goes on once everything works again (contract, promise 7)."""


def says(worker: WorkerProcess, cause: str) -> bool:
    """Whether /readyz is 503 and names *cause*."""
    status, body = worker.get("/readyz")
    return status == 503 and cause in json.loads(body)["reasons"]


class TestRefusedAccount:
    """A wrong password, or no credits, is a pause and never a dead letter."""

    @pytest.mark.parametrize(
        ("spoilt", "mended", "cause"),
        [
            ({"password": "another"}, {"password": PASSWORD}, "credentials"),
            ({"balance": 0}, {"balance": 1000}, "credits"),
        ],
        ids=["password", "credits"],
    )
    def test_jobs_wait_and_go_on_by_themselves(
        self,
        own_line: Callable[..., Line],
        spoilt: dict[str, object],
        mended: dict[str, object],
        cause: str,
    ) -> None:
        """503 with the reason meanwhile; every job is sent once afterwards."""
        line = own_line()
        line.gateway.change(**spoilt)
        jobs = [line.producer.send([number], "paused") for number in numbers(5)]
        wait_until(lambda: says(line.worker, cause), f"/readyz says {cause}")
        assert [] == line.queues.drain("dead")
        assert [] == line.collector.all
        line.gateway.change(**mended)
        for job in jobs:
            assert "send.accepted" == line.collector.one(job, within=WITHIN).key
        line.worker.wait_ready()
        assert dict.fromkeys(numbers(5), 1) == line.gateway.times("paused")
        wait_settled(line)
        assert [] == line.queues.drain("dead")

    @pytest.mark.parametrize("status", [401, 403])
    def test_http_401_and_403_are_the_same(self, own_line: Callable[..., Line], status: int) -> None:
        """Whatever the body says."""
        line = own_line()
        line.gateway.fault(command="all", status=status)
        job = line.producer.send([ONE], "unauthorised")
        wait_until(lambda: says(line.worker, "credentials"), "/readyz says credentials")
        assert 0 == line.queues.count("dead")
        line.gateway.clear_faults()
        assert "send.accepted" == line.collector.one(job, within=WITHIN).key
        assert {ONE: 1} == line.gateway.times("unauthorised")
        wait_settled(line)
        assert 0 == line.queues.count("dead")

    def test_a_refusal_that_quotes_such_words_from_the_text_stops_nothing(
        self, own_line: Callable[..., Line]
    ) -> None:
        """The job fails by itself; the next one is sent."""
        line = own_line()
        text = "Dear Ann, your account is suspended."
        line.gateway.fault(command="sendSMS", status=400, body="Invalid text: your account is suspended")
        refused = line.collector.one(line.producer.send([ONE], text))
        assert "rejected_by_gateway" == refused.body["recipients"][0]["error"]["code"]
        assert line.worker.is_ready()
        line.gateway.clear_faults()
        assert "send.accepted" == line.collector.one(line.producer.send([ONE], "next")).key

    def test_it_is_noticed_without_a_job(self, own_line: Callable[..., Line]) -> None:
        """A worker that starts with a wrong password is not ready, and alive."""
        line = own_line()
        line.gateway.change(password="another")
        line.worker.terminate()
        late = line.workshop.start()
        wait_until(lambda: says(late, "credentials"), "/readyz says credentials")
        assert 200 == late.get("/livez")[0]


class TestGatewayDown:
    """Nobody answers at ITON_BASE_URL."""

    def test_jobs_wait_ready_or_not(self, own_line: Callable[..., Line]) -> None:
        """/readyz stays 200; results come within 10 s of the gateway's return, each message once."""
        line = own_line()
        line.gateway.stop()
        jobs = [line.producer.send([number], "down") for number in numbers(20)]
        wait_until(lambda: line.worker.log_lines("circuit.changed"), "the circuit opens")
        assert line.worker.is_ready()
        assert [] == line.collector.all
        line.gateway.start()
        for job in jobs:
            assert "send.accepted" == line.collector.one(job, within=WITHIN).key
        assert dict.fromkeys(numbers(20), 1) == line.gateway.times("down")
        wait_settled(line)
        assert 0 == line.queues.count("dead")

    def test_a_dnd_endpoint_that_is_down_lets_nothing_through(self, own_line: Callable[..., Line]) -> None:
        """While it is down the job waits; exempt jobs are sent."""
        line = own_line()
        line.gateway.fault(command="check_DNDnumber", status=503)
        waiting = line.producer.send([ONE], "promotional")
        exempt = line.producer.send([ONE], "service", category="service")
        assert "send.accepted" == line.collector.one(exempt).key
        assert [] == line.collector.of(waiting)
        assert {} == line.gateway.times("promotional")
        line.gateway.clear_faults()
        assert "send.accepted" == line.collector.one(waiting, within=WITHIN).key
