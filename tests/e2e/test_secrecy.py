"""No credential anywhere but in the request to ITON (contract, promise 6)."""

import sys
from base64 import b64encode
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from html import escape
from urllib.parse import quote, quote_plus

import pytest

from tests.support.line import Line, line_on, wait_settled
from tests.support.results_side import new_job_id
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import PASSWORD, USERNAME, Workshop, wait_until

TOKEN = "token-9f31c7"
ONE, OTHER = "919876543210", "919123454321"
TEXT = "Ihr Geheimnis ist 4711"
IN_BASE64 = b64encode(PASSWORD.encode()).decode()
SECRETS = sorted(
    {USERNAME, PASSWORD, TOKEN, quote(PASSWORD), quote_plus(PASSWORD), quote(PASSWORD, safe=""), IN_BASE64}
    | {quote(PASSWORD).lower(), escape(PASSWORD)}
)
# Everything that logs, as loud as it can be, before the worker sets up its own logs and after.
LOUD = """
import logging, sys
from worker.bootstrap.process import run_worker
from worker.cli.terminal import start_logs
from worker.settings import load_settings
settings = load_settings()
start_logs(settings)
for name in ("", "httpx", "httpcore", "aiohttp", "asyncio", "aio_pika", "aiormq", "pamqp"):
    logging.getLogger(name).setLevel(logging.DEBUG)
sys.exit(run_worker(settings))
"""


SETTINGS = {
    "LOG_LEVEL": "debug",
    "ITON_API_TOKEN": TOKEN,
    "ITON_TIMEOUT": 1,
    "WORKER_RETRY_ATTEMPTS": 2,
    "WORKER_BREAKER_FAILURES": 1000,
    "WORKER_DRAIN_TIMEOUT": 1,
}


class TestSecrecy:
    """Everything that leaves the process but the requests."""

    @pytest.mark.parametrize("libraries_too", [False, True], ids=["debug", "httpx at debug"])
    def test_nothing_that_leaves_the_process_names_a_credential(
        self,
        workshop: Workshop,
        gateway: SimulatorProcess,
        libraries_too: bool,  # noqa: FBT001 - a row
    ) -> None:
        """Through good calls, refusals, lost replies, rejections and a wrong password.

        Logs and metrics hold neither phone numbers nor texts either.
        """
        command = [sys.executable, "-c", LOUD] if libraries_too else []
        worker = workshop.start_in(workshop.environment(**SETTINGS), command).wait_ready()
        with ExitStack() as stack:
            messages = _messages(line_on(stack, workshop, gateway))
        shown = [worker.get("/metrics")[1], worker.get("/readyz")[1]]
        assert 0 == worker.terminate()
        shown.append(worker.output())
        assert ("aiormq" in shown[-1]) >= libraries_too
        assert [] == _leaks([*messages, *shown], SECRETS)
        assert [] == _leaks(shown, [ONE, ONE[2:], OTHER, OTHER[2:], TEXT, quote(TEXT), quote_plus(TEXT)])

    def test_a_result_shows_the_refused_number_and_the_log_none(self, own_line: Callable[..., Line]) -> None:
        """Its producer must be able to tell which one it was; that of somebody else is masked."""
        line = own_line(LOG_LEVEL="debug")
        stranger = "919000000001"
        body = f"Invalid mobile number {OTHER[2:]} and {stranger}"
        line.gateway.fault(command="sendSMS", status=400, body=body)
        result = line.collector.one(line.producer.send([ONE, OTHER], TEXT))
        assert {f"HTTP 400: Invalid mobile number {OTHER[2:]} and 91********01"} == {
            entry["error"]["detail"] for entry in result.body["recipients"]
        }
        assert [] == _leaks([line.worker.output()], [ONE, ONE[2:], OTHER, OTHER[2:], stranger])


def _leaks(texts: Iterable[str], secrets: Iterable[str]) -> list[str]:
    """Return where one of *secrets* is shown, with what stands around it."""
    return [_around(text, one) for text in texts for one in secrets if one in text]


def _messages(line: Line) -> list[str]:
    """Let jobs go through every fate; return all messages that came of it."""
    faults: list[dict[str, object]] = [
        {},
        {"kind": "drop", "when": "after"},
        {"kind": "hang", "when": "after"},
        {"kind": "html"},
        {"status": 500},
        {"status": 400, "body": f"Bad request for {USERNAME} with {PASSWORD}"},
        {"status": 400, "body": f"Bad: {quote(PASSWORD).lower()} {escape(PASSWORD)} {IN_BASE64}"},
        {"status": 302, "headers": {"Location": "/elsewhere"}},
        {"kind": "truncated"},
        {"kind": "oversized", "size": 4 << 20},
        {"kind": "binary"},
    ]
    jobs = []
    for fault in faults:
        if fault:
            line.gateway.fault(command="sendSMS", times=1, **fault)
        jobs.append(line.producer.send([ONE, OTHER], TEXT))
        line.collector.one(jobs[-1])
    line.gateway.clear_faults()
    line.producer.publish(b"not a job")
    line.collector.wait_for(lambda one: one.job_id is None, "the rejection")
    for key, fields in (("status", {"message_ids": ["a" * 24]}), ("account", {})):
        line.gateway.fault(command="message_status" if key == "status" else key, status=400, times=1)
        job_id = new_job_id()
        line.producer.publish({"job_id": job_id, **fields}, key)
        line.collector.one(job_id)
    line.gateway.clear_faults()
    wait_settled(line)
    letters = [f"{key} {properties} {body!r}" for key, properties, body in line.queues.drain("dead")]
    assert letters
    line.gateway.change(password="another")
    line.producer.send([ONE], TEXT)
    wait_until(lambda: line.worker.get("/readyz")[0] == 503, "paused")
    return letters + [f"{one.key} {one.properties} {one.raw.decode()}" for one in line.collector.all]


def _around(text: str, secret: str) -> str:
    at = text.index(secret)
    return text[max(0, at - 150) : at + 50]
