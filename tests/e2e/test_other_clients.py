"""The contract through other independent clients: Debian's amqp-tools and kombu."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from tests.support.deadline import DEADLINE
from tests.support.line import Line, wait_settled
from tests.support.results_side import new_job_id
from tests.support.worker_process import wait_until

kombu: Any = import_module("kombu")  # typed by halves
ONE, LISTED = "919876543210", "919876543200"


@pytest.fixture(scope="module", autouse=True)
def _amqp_tools() -> None:
    """Fail plainly where the tools are not there."""
    if shutil.which("amqp-publish") is None:
        pytest.fail("amqp-tools not installed. Type: sudo apt-get install -y amqp-tools", pytrace=False)


def shell(line: Line, tool: str, *options: str, body: bytes = b"") -> bytes:
    """Run one of amqp-tools against the broker and return its stdout."""
    url = line.workshop.amqp_url.removesuffix("/")
    done = subprocess.run(
        [tool, "-u", url, *options], input=body, capture_output=True, check=False, timeout=DEADLINE
    )
    assert done.stderr in {b"", b"Server provided queue name: "} or done.returncode == 0, done.stderr
    return done.stdout


def get(line: Line, queue: str) -> bytes:
    """Take one message with amqp-get, waiting for it."""
    found: list[bytes] = []

    def look() -> bool:
        found.append(shell(line, "amqp-get", "-q", queue))
        return bool(found[-1])

    wait_until(look, f"a message in {queue}")
    return found[-1]


class TestAmqpTools:
    """From a shell."""

    def test_a_job_is_published_and_its_result_consumed(self, line: Line) -> None:
        """amqp-publish in, amqp-consume out, through a queue that the shell's user bound."""
        prefix, queue = line.producer.prefix, f"shell-{new_job_id()}"
        line.producer.channel.queue_declare(queue)
        line.producer.channel.queue_bind(queue, f"{prefix}.results.send", "send.*")
        job = {"job_id": new_job_id(), "recipients": [ONE, LISTED], "text": "from the shell"}
        shell(
            line, "amqp-publish", "-e", f"{prefix}.jobs", "-r", "send", "-p", "-C", "application/json",
            body=json.dumps(job).encode(),
        )  # fmt: skip
        result = json.loads(shell(line, "amqp-consume", "-q", queue, "-c", "1", "cat"))
        line.producer.channel.queue_delete(queue)
        assert (job["job_id"], "partial") == (result["job_id"], result["status"])
        assert {"accepted": 1, "dnd": 1} == result["counts"]

    def test_a_header_and_a_reply_queue_work_from_the_shell(self, line: Line) -> None:
        """The answer is fetched with amqp-get."""
        queue = f"shell-{new_job_id()}"
        line.producer.channel.queue_declare(queue)
        job = json.dumps({"job_id": new_job_id()})
        shell(
            line, "amqp-publish", "-e", f"{line.producer.prefix}.jobs", "-r", "account", "-t", queue,
            "-H", "x-mine: 1", "-b", job,
        )  # fmt: skip
        answer = get(line, queue)
        line.producer.channel.queue_delete(queue)
        assert "balance" == json.loads(answer)["status"]

    def test_a_bad_job_is_found_among_the_dead(self, line: Line) -> None:
        """With its body as it was."""
        wait_settled(line)
        line.queues.drain("dead")
        shell(line, "amqp-publish", "-e", f"{line.producer.prefix}.jobs", "-r", "send", body=b"no {json}")
        assert b"no {json}" == get(line, f"{line.producer.prefix}.dead")


@pytest.fixture
def connection(line: Line) -> Iterator[Any]:
    """A connection of kombu's."""
    with kombu.Connection(line.workshop.amqp_url) as opened:
        yield opened


class TestKombu:
    """As Celery shops write it."""

    def test_a_job_is_published_and_its_result_consumed(
        self,
        line: Line,
        connection: Any,  # noqa: ANN401 - kombu is typed by halves
    ) -> None:
        """Kombu's own content headers are no obstacle."""
        prefix = line.producer.prefix
        results = kombu.Exchange(f"{prefix}.results.send", "topic", passive=True)
        queue = kombu.Queue(f"kombu-{new_job_id()}", results, "send.#", exclusive=True, no_ack=True)
        job = {"job_id": new_job_id(), "recipients": ["098765 43210"], "text": "via kombu ✓"}
        received: list[tuple[dict[str, Any], Any]] = []
        with connection.Consumer(queue, callbacks=[lambda body, message: received.append((body, message))]):
            with connection.Producer() as producer:
                producer.publish(
                    job,
                    exchange=f"{prefix}.jobs",
                    routing_key="send",
                    serializer="json",
                    correlation_id="kombu-1",
                    retry=False,
                )

            def arrived() -> bool:
                connection.drain_events(timeout=DEADLINE)
                return bool(received)

            wait_until(arrived, "the result")
        body, message = received[0]
        assert (job["job_id"], {ONE: "accepted"}) == (
            body["job_id"],
            {entry["recipient"]: entry["outcome"] for entry in body["recipients"]},
        )
        assert "kombu-1" == message.properties["correlation_id"]
        assert "send.accepted" == message.delivery_info["routing_key"]
