"""Workers of one test beside a broker that is harmed: every look at it is a connection of its own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pika.exceptions

from tests.support.results_side import Result, new_job_id, open_channel
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import WorkerProcess, Workshop, wait_until

PLAIN = "919876543210"
RECOVERY = 30.0
# Large jobs go over the queue of parts: that is the broker's.
SETTINGS = {"WORKER_RETRY_DELAYS": "1", "WORKER_SHARE_ABOVE": "100", "LOG_LEVEL": "debug"}
_AWAY = (pika.exceptions.AMQPError, OSError)


class Stage:
    """Starts workers, publishes jobs, collects results from the queue of those that nobody asked for.

    Args:
        url: of a broker that the test itself uses; workers may have another way to it.
        workshop: starts the workers.
        gateway: the stand-in.
    """

    def __init__(self, url: str, workshop: Workshop, gateway: SimulatorProcess) -> None:
        self.url = url
        self.prefix = workshop.prefix
        self.gateway = gateway
        self._workshop = workshop
        self._results: list[Result] = []

    def ready(self, **settings: object) -> WorkerProcess:
        """Start a worker and wait until it is ready."""
        return self._workshop.start(**{**SETTINGS, **settings}).wait_ready()

    def send(self, *recipients: str, key: str = "send", **fields: object) -> str:
        """Publish a send job without DND lookup, text equal to its id; wait for a broker that takes it."""
        job_id = new_job_id()
        job = {"job_id": job_id, "recipients": recipients or (PLAIN,), "text": job_id, "category": "service"}
        body = json.dumps(job | fields).encode()
        wait_until(lambda: self._published(key, body), "the broker takes the job")
        return job_id

    def _published(self, key: str, body: bytes) -> bool:
        with suppress(*_AWAY), open_channel(self.url) as channel:
            persistent = pika.BasicProperties(delivery_mode=2)
            channel.basic_publish(f"{self.prefix}.jobs", key, body, persistent, mandatory=True)
            return True
        return False

    def job_in_call(self, seconds: float = 2.0) -> str:
        """Publish a job and return it while the gateway has carried its call out and keeps the reply back."""
        self.gateway.fault(command="sendSMS", latency=seconds, when="after", times=1)
        job = self.send()
        wait_until(lambda: self.gateway.sends(job), "the call is carried out")
        return job

    def results(self, job_id: str | None = None) -> list[Result]:
        """Return what has arrived so far, of one job or of all."""
        with suppress(*_AWAY):
            self._collect()
        return [one for one in self._results if job_id in {None, one.job_id}]

    def wait_result(self, job_id: str, within: float = RECOVERY) -> Result:
        """Wait for the first result of a job."""
        wait_until(lambda: self.results(job_id), f"a result of {job_id}", within)
        return self.results(job_id)[0]

    def check_whole(self, job: str) -> None:
        """The job was sent once and its result has the gateway's id; the next one goes through at once."""
        result = self.wait_result(job)
        (sent,) = self.gateway.sends(job)
        assert {PLAIN: sent["ids"][0]} == result.ids
        assert "send.accepted" == self.wait_result(self.send()).key
        assert {result.raw} == {one.raw for one in self.results(job)}
        assert (0, 0) == (int(self.gateway.state()["sent"]["repeats"]), self.ready_in("dead"))

    def ready_in(self, name: str) -> int:
        """Count the messages that wait in ``<prefix>.<name>``."""
        with open_channel(self.url) as channel:
            return int(channel.queue_declare(f"{self.prefix}.{name}", passive=True).method.message_count)

    def _collect(self) -> None:
        queue = f"{self.prefix}.results.unrouted"
        with open_channel(self.url) as channel:
            # A quorum queue that is just recovering answers this one, and keeps a get waiting.
            while channel.queue_declare(queue, passive=True).method.message_count:
                method, properties, body = channel.basic_get(queue)
                while method is not None:
                    self._keep(method.exchange, method.routing_key, properties, body)
                    channel.basic_ack(method.delivery_tag)
                    method, properties, body = channel.basic_get(queue)

    def _keep(self, exchange: str, key: str, properties: pika.BasicProperties, body: bytes) -> None:
        name = exchange.removeprefix(f"{self.prefix}.")
        parsed: dict[str, Any] = json.loads(body)
        self._results.append(Result(name, key, properties, parsed, body))


@contextmanager
def stage_on(url: str, workshop: Workshop, gateway: SimulatorProcess) -> Iterator[Stage]:
    """Provide a stage; no worker outlives the block."""
    try:
        yield Stage(url, workshop, gateway)
    finally:
        workshop.close()
