"""Api jobs through the real process."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.line import Line, wait_settled
from tests.support.results_side import Result, new_job_id
from tests.support.simulator_process import SimulatorProcess, simulator_process
from tests.support.worker_process import Workshop, wait_until

TOKEN = "token-9f31c7"
KEY = {"name": "shop", "key": "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"}
CERTIFICATE = bytes(range(256)) * 8
SETTINGS = {
    "ITON_API_TOKEN": TOKEN,
    "ITON_WEB_API_PATHS": "credentials,channels",
    "LOG_LEVEL": "debug",
}


def called(line: Line, method: str, path: str, **fields: object) -> Result:
    """Publish an api job and return its result."""
    job_id = new_job_id()
    line.producer.publish({"job_id": job_id, "method": method, "path": path, **fields}, "api")
    return line.collector.one(job_id)


class TestWebApi:
    """Credentials go in, and come back."""

    def test_what_is_uploaded_is_read_back_and_shows_nowhere_else(
        self, own_line: Callable[..., Line], gateway: SimulatorProcess
    ) -> None:
        """A certificate and a key; then what is not allowed, and what is not there."""
        gateway.change(token=TOKEN)
        line = own_line(**SETTINGS, ITON_WEB_API_URL=gateway.web_api_url)
        key = called(line, "POST", "credentials/gcm", json=KEY)
        assert ("results.api", "api.done", "api.result.v1") == (key.exchange, key.key, key.properties.type)
        data = base64.b64encode(CERTIFICATE).decode()
        file = {"name": "certificate", "filename": "shop.p12", "content_type": "application/x-pkcs12"}
        certificate = called(
            line, "POST", "credentials/apns", fields={"name": "shop"}, files=[{**file, "data": data}]
        )
        assert KEY == called(line, "GET", key.body["reply"]["path"]).body["reply"]["json"]
        read = called(line, "GET", certificate.body["reply"]["path"]).body["reply"]
        assert (read["fields"], read["files"]) == ({"name": "shop"}, [{**file, "data": data}])
        refused = [
            called(line, "GET", "credentials/gcm/99").body,
            called(line, "POST", "users", json=KEY).body,
            called(line, "POST", "credentials/%2e%2e/users", json=KEY).body,
        ]
        assert ["failed", "rejected", "rejected"] == [body["status"] for body in refused]
        assert "HTTP 404: nothing is kept there" == refused[0]["error"]["detail"]
        wait_settled(line)
        letters = line.queues.wait_letters("dead", 2)
        assert 4 + 1 == gateway.state()["web_api"]["calls"]
        shown = [line.worker.output(), line.worker.get("/metrics")[1]]
        shown += [json.dumps(properties.headers, default=str) for _, properties, _ in letters]
        for secret in (KEY["key"], data[:40], TOKEN, "shop.p12"):
            assert not [text for text in shown if secret in text]

    @pytest.mark.row(
        "api/in-the-call",
        "in the call",
        "the claim",
        "`uncertain` within `ITON_TIMEOUT` + 15 s; never called again",
    )
    def test_killed_in_the_call(self, workshop: Workshop, own_line: Callable[..., Line]) -> None:
        """Another worker says that it does not know, in time, and nothing is called twice."""
        settings = {**SETTINGS, "ITON_API_TOKEN": "any", "ITON_TIMEOUT": 3}
        settings["ITON_WEB_API_URL"] = workshop.gateway_url.partition("/ItonSMSAPI")[0] + "/web/v1/"
        line = own_line(**settings)
        line.gateway.fault(command="web_api", kind="hang", when="after")
        job = {"job_id": new_job_id(), "method": "POST", "path": "credentials/gcm", "json": KEY}
        line.producer.publish(job, "api")
        wait_until(lambda: line.gateway.state()["web_api"]["calls"] == 1, "it is called")
        line.worker.kill()
        line.gateway.clear_faults()
        workshop.ready(**settings)
        result = line.collector.one(str(job["job_id"]), within=3 + 15)
        assert ("uncertain", "worker_lost") == (result.body["status"], result.body["error"]["code"])
        line.producer.publish(job, "api")
        wait_until(lambda: len(line.collector.of(str(job["job_id"]))) == 2, "it is answered again")
        assert 1 == line.gateway.state()["web_api"]["calls"]

    @pytest.mark.row(
        "outage/web-api",
        "the Web API alone",
        "api jobs wait in their queue, SMS go on; they go on within 10 s of its end",
    )
    def test_its_outage_is_its_own(self, own_line: Callable[..., Line], tmp_path: Path) -> None:
        """Jobs wait in their queue, SMS go on; and within ten seconds of its end the jobs do."""
        with simulator_process(tmp_path) as web_api:
            settings = {**SETTINGS, "ITON_API_TOKEN": "any", "ITON_WEB_API_URL": web_api.web_api_url}
            line = own_line(**settings)
            web_api.stop()
            jobs = [new_job_id() for _ in range(20)]
            for job_id in jobs:
                job = {"job_id": job_id, "method": "POST", "path": "credentials/gcm", "json": KEY}
                line.producer.publish(job, "api")
            opened = 'iton_worker_breaker_open{command="api"} 1.0'
            wait_until(lambda: opened in line.worker.get("/metrics")[1], "its circuit is open")
            sent = line.producer.send(["919876543210"], "unhindered")
            # The outage lasts until this has come.
            assert "accepted" == line.collector.one(sent).body["status"]
            assert not [job_id for job_id in jobs if line.collector.of(job_id)]
            web_api.start()
            done = [line.collector.one(job_id, within=10).body["status"] for job_id in jobs]
            assert ["done"] * 20 == done
            assert 20 == sum(web_api.state()["web_api"]["carried_out"].values())

    def test_off_unless_it_has_an_address(self, line: Line) -> None:
        """Rejected by name, with the setting that is missing."""
        result = called(line, "GET", "credentials")
        assert "rejected" == result.body["status"]
        assert "ITON_WEB_API_URL" in result.body["errors"][0]["msg"]
