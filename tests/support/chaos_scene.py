"""Workers, a broker and a gateway of one test, in which any of them may be away at any time."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pika.exceptions

from tests.support.chaos_gateway import LocalGateway
from tests.support.chaos_process import ForkedWorker
from tests.support.chaos_steps import Moment
from tests.support.deadline import DEADLINE
from tests.support.results_side import WORK_QUEUES, open_channel
from tests.support.worker_process import wait_until, worker_environment

PLAIN = "919876543210"
_AWAY = (pika.exceptions.AMQPError, OSError)


@dataclass(frozen=True)
class Arrived:
    """One result.

    Attributes:
        at: when it was published, whole seconds since the epoch.
    """

    key: str
    message_id: str
    body: Mapping[str, Any]
    at: int = 0

    @property
    def job_id(self) -> str:
        """Of its job."""
        return str(self.body["job_id"])

    @property
    def revision(self) -> int:
        """1 unless a late reply changed it."""
        return int(self.body.get("revision") or 1)

    @property
    def outcomes(self) -> dict[str, str]:
        """Outcome by recipient."""
        return {entry["recipient"]: entry["outcome"] for entry in self.body["recipients"]}

    @property
    def ids(self) -> dict[str, str]:
        """Message id by accepted recipient."""
        entries = self.body["recipients"]
        return {one["recipient"]: one["message_id"] for one in entries if one["outcome"] == "accepted"}


class Scene:
    """What a test of trouble needs. Each look at the broker is a connection of its own.

    Args:
        amqp_url: of the broker itself; a worker may be given another way to it.
        prefix: of all names.
        gateway: the stand-in.
        folder: of logs and of the SQLite ledger.
    """

    def __init__(self, amqp_url: str, prefix: str, gateway: LocalGateway, folder: Path) -> None:
        self.amqp_url = amqp_url
        self.prefix = prefix
        self.gateway = gateway
        self.folder = folder
        self.workers: list[ForkedWorker] = []
        self._arrived: list[Arrived] = []

    def worker(self, *, moment: Moment | None = None, gathers: int = 0, **settings: Any) -> ForkedWorker:  # noqa: ANN401 - any value has a text
        """Start a worker; *settings* are environment variables."""
        env = worker_environment(
            amqp_url=self.amqp_url,
            prefix=self.prefix,
            gateway_url=self.gateway.url,
            folder=self.folder,
            **{"ITON_TIMEOUT": 3, "WORKER_RETRY_DELAYS": "1,2,3", "LOG_LEVEL": "debug", **settings},
        )
        name = f"worker-{len(self.workers)}"
        worker = ForkedWorker(env, self.folder, name=name, moment=moment, gathers=gathers)
        self.workers.append(worker)
        return worker

    def ready(self, *, moment: Moment | None = None, gathers: int = 0, **settings: Any) -> ForkedWorker:  # noqa: ANN401 - as above
        """Start a worker and wait until it is ready."""
        return self.worker(moment=moment, gathers=gathers, **settings).wait_ready()

    def send(self, *recipients: str, key: str = "send", text: str = "", **fields: Any) -> str:  # noqa: ANN401 - any JSON
        """Publish a send job and return its id; it needs no DND lookup unless *fields* say so."""
        job_id = str(fields.pop("job_id", "") or secrets.token_hex(6))
        job = {"job_id": job_id, "recipients": recipients or (PLAIN,), "text": text or job_id}
        self.publish({"category": "service", **job, **fields}, key)
        return job_id

    def publish(self, job: Mapping[str, object], key: str) -> None:
        """Publish a job, confirmed."""
        with open_channel(self.amqp_url) as channel:
            channel.basic_publish(f"{self.prefix}.jobs", key, json.dumps(job).encode(), mandatory=True)

    def results(self, job_id: str | None = None) -> list[Arrived]:
        """Return what has arrived so far, of one job or of all."""
        # One by one: what was acknowledged must not be forgotten with a broker that dies before the next.
        for key, properties, body in self._drain("results.unrouted"):
            at = properties.timestamp or 0
            self._arrived.append(Arrived(key, properties.message_id or "", json.loads(body), at))
        return [one for one in self._arrived if job_id in {None, one.job_id}]

    def wait_result(
        self, job_id: str, matches: Callable[[Arrived], bool] = lambda _: True, within: float = DEADLINE
    ) -> Arrived:
        """Wait for a result of a job that matches, and return it."""

        def found() -> list[Arrived]:
            with suppress(*_AWAY):
                return [one for one in self.results(job_id) if matches(one)]
            return []

        wait_until(found, f"a result of {job_id} among {self._arrived}", within)
        return found()[0]

    def dead(self) -> list[bytes]:
        """Take the dead letters."""
        return [body for _, _, body in self._drain("dead")]

    def waiting(self) -> int:
        """Return how many jobs are in the work queues, those that a worker holds aside."""
        with open_channel(self.amqp_url) as channel:
            names = (f"{self.prefix}.{name}" for name in WORK_QUEUES)
            return sum(channel.queue_declare(name, passive=True).method.message_count for name in names)

    def repeats(self) -> int:
        """Return how many texts anybody got too often."""
        return int(self.gateway.state()["sent"]["repeats"])

    def close(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            worker.kill()

    def _drain(self, name: str) -> Iterator[tuple[str, pika.BasicProperties, bytes]]:
        """Take everything; what a broker that dies did not let us acknowledge comes again."""
        queue = f"{self.prefix}.{name}"
        with open_channel(self.amqp_url) as channel:
            # A quorum queue that is just recovering answers this one, and keeps a get waiting.
            while channel.queue_declare(queue, passive=True).method.message_count:
                method, properties, body = channel.basic_get(queue)
                while method is not None:
                    yield method.routing_key, properties, body
                    channel.basic_ack(method.delivery_tag)
                    method, properties, body = channel.basic_get(queue)


@contextmanager
def open_scene(amqp_url: str, prefix: str, gateway: LocalGateway, folder: Path) -> Iterator[Scene]:
    """Provide a scene; none of its workers outlives the block."""
    scene = Scene(amqp_url, prefix, gateway, folder)
    try:
        yield scene
    finally:
        scene.close()
