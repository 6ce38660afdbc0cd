"""Replies as other servers print them, from the wire to the published result."""

import json
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.support.line import Line
from tests.support.loop_thread import LoopThread
from tests.support.proxy_server import proxy_server
from tests.support.results_side import new_job_id
from tests.support.worker_process import Workshop

ONE, OTHER = "919876543210", "919032728149"
ODD = "{6F96-19FF}/aGVs+bG8=:1"
LOGIN = "worker:proxy-s3cret"


def entries(line: Line, *bodies: str, status: int = 200) -> list[dict[str, object]]:
    """Return what a result says of two numbers whose call is answered by *bodies*, one call each."""
    for body in bodies:
        line.gateway.fault(command="sendSMS", when="before", body=body, status=status, times=1)
    result = line.collector.one(line.producer.send([ONE, OTHER], f"words {new_job_id()}"))
    assert 1 == line.gateway.calls("sendSMS")
    found: list[dict[str, object]] = result.body["recipients"]
    return found


class TestIds:
    """Every one that came is published, and none that did not."""

    def test_a_number_under_two_ids_has_both(self, line: Line) -> None:
        """Repeated keys and numbers as Java prints them included."""
        body = f'{{"message_id": {{"N1": {ONE}, "N1": "{OTHER}", "N2": 9.1987654321E11}}}}'
        accepted = {"outcome": "accepted", "message_id": "N1"}
        assert [
            {"recipient": ONE, **accepted, "earlier_message_ids": ["N2"]},
            {"recipient": OTHER, **accepted},
        ] == entries(line, body)

    @pytest.mark.parametrize("name", ["0", "", "-1", "null", "NA"])
    def test_a_refusal_with_something_in_the_place_of_an_id(self, line: Line, name: str) -> None:
        """Is a refusal."""
        body = json.dumps({"status": "error", "message_id": name, "error": "Invalid Sender ID"})
        found = entries(line, body)
        assert ["failed"] * 2 == [one["outcome"] for one in found]
        assert all("sender_refused" in str(one["error"]) for one in found)

    def test_a_server_error_with_a_map_of_ids(self, line: Line) -> None:
        """Whom it names was taken; of the other nobody can tell."""
        first, other = entries(line, f'{{"message_id": {{"N1": "{ONE}"}}}}', status=500)
        assert {"recipient": ONE, "outcome": "accepted", "message_id": "N1"} == first
        assert "uncertain" == other["outcome"]

    def test_an_id_of_any_characters_can_be_asked_about(self, line: Line) -> None:
        """From the reply to sendSMS into a status job and to the gateway and back."""
        found = entries(line, json.dumps({"message_id": {ODD: [ONE, OTHER]}}))
        assert [ODD, ODD] == [one["message_id"] for one in found]
        statuses = {"phoneNumberWithRespectiveStatus": {ONE: "DELIVIRED"}}
        line.gateway.fault(command="message_status", when="before", body=json.dumps({ODD: statuses}), times=1)
        job_id = new_job_id()
        line.producer.publish({"job_id": job_id, "message_ids": [ODD]}, "status")
        (result,) = line.collector.whole(job_id)
        ((message),) = result.body["messages"]
        assert ("delivery.final", ODD, True) == (result.key, message["message_id"], message["found"])


class TestProxy:
    """The worker behind an egress proxy."""

    def test_jobs_go_through_it_and_its_password_nowhere_else(
        self, own_line: Callable[..., Line], workshop: Workshop
    ) -> None:
        """With a login; the gateway is asked by nobody else."""
        with closing(LoopThread("proxy")) as loop, loop.within(proxy_server(LOGIN)) as proxy:
            line = own_line(LOG_LEVEL="debug", WORKER_GATEWAY_PROXY=f"http://{LOGIN}@127.0.0.1:{proxy.port}")
            result = line.collector.one(line.producer.send([ONE], "through the proxy"))
            assert {ONE: "accepted"} == result.outcomes
            assert proxy.heads
            assert all(head.startswith(b"GET http://127.0.0.1:") for head in proxy.heads)
            assert 0 == line.worker.terminate()
        assert "proxy-s3cret" not in line.worker.output()
        assert workshop.workers == [line.worker]
