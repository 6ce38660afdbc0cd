"""A producer of jobs and a consumer of results, as other teams write them, through an independent client."""

import json
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Self

import pika
from pika.adapters.blocking_connection import BlockingChannel

from tests.support.deadline import DEADLINE
from tests.support.worker_process import wait_until

Letter = tuple[str, pika.BasicProperties, bytes]
"""What was taken from a queue: routing key, properties, body."""
KINDS = ("send", "delivery", "account", "cancel", "api")
WORK_QUEUES = (
    "api",
    "send",
    "send.urgent",
    "send.parts",
    "send.urgent.parts",
    "status",
    "status.track",
    "account",
    "cancel",
)
_STEP = 0.02


@dataclass(frozen=True)
class Result:
    """One result as it arrived.

    Attributes:
        exchange: without the prefix: ``results.send``, say; empty for a copy to ``reply_to``.
        key: the routing key.
        body: the parsed JSON.
        raw: the bytes.
    """

    exchange: str
    key: str
    properties: pika.BasicProperties
    body: Mapping[str, Any]
    raw: bytes

    @property
    def job_id(self) -> str | None:
        """Of the job it belongs to."""
        return self.body.get("job_id")

    @property
    def outcomes(self) -> dict[str, str]:
        """Outcome by recipient."""
        return {entry["recipient"]: entry["outcome"] for entry in self.body["recipients"]}

    @property
    def ids(self) -> dict[str, str]:
        """Message id by accepted recipient."""
        accepted = (entry for entry in self.body["recipients"] if entry["outcome"] == "accepted")
        return {entry["recipient"]: entry["message_id"] for entry in accepted}


@contextmanager
def open_channel(url: str) -> Iterator[BlockingChannel]:
    """Open a connection of its own and give its channel, confirms on."""
    with closing(pika.BlockingConnection(_parameters(url))) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


def _parameters(url: str) -> pika.URLParameters:
    parameters = pika.URLParameters(url)
    parameters.heartbeat = 0  # nobody serves the connection between two calls
    return parameters


class Collector:
    """Binds a queue to all result exchanges of a prefix and remembers what arrives, in a thread of its own.

    The exchanges must be there. Use as a context manager.
    """

    def __init__(self, url: str, prefix: str, *, kinds: tuple[str, ...] = KINDS, key: str = "#") -> None:
        self._url = url
        self._prefix = prefix
        self._bound = [(f"{prefix}.results.{kind}", key) for kind in kinds]
        self._results: list[Result] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._collect, daemon=True, name="collector")

    def __enter__(self) -> Self:
        """Start listening."""
        self._thread.start()
        wait_until(lambda: self._listening.is_set() or not self._thread.is_alive(), "the collector listens")
        assert self._listening.is_set(), "the collector could not bind its queue"
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop; the queue goes with the connection."""
        self._stop.set()
        self._thread.join(DEADLINE)

    def _collect(self) -> None:
        with open_channel(self._url) as channel:
            queue = channel.queue_declare("", exclusive=True).method.queue
            for exchange, key in self._bound:
                channel.queue_bind(queue, exchange, key)
            channel.basic_consume(queue, self._arrived, auto_ack=True)
            self._listening.set()
            while not self._stop.is_set():
                channel.connection.process_data_events(_STEP)

    def _arrived(
        self,
        _channel: BlockingChannel,
        method: pika.spec.Basic.Deliver,
        properties: pika.BasicProperties,
        body: bytes,
    ) -> None:
        exchange = method.exchange.removeprefix(f"{self._prefix}.")
        result = Result(exchange, method.routing_key, properties, json.loads(body), body)
        with self._lock:
            self._results.append(result)

    @property
    def all(self) -> list[Result]:
        """Everything so far, in the order of arrival."""
        with self._lock:
            return list(self._results)

    def of(self, job_id: str | None) -> list[Result]:
        """Return what has arrived for a job."""
        return [result for result in self.all if result.job_id == job_id]

    def wait_for(
        self, matches: Callable[[Result], bool], what: str, *, count: int = 1, within: float = DEADLINE
    ) -> list[Result]:
        """Wait until *count* results match and return them."""
        wait_until(
            lambda: sum(map(matches, self.all)) >= count, f"{count} results: {what}; {self._seen()}", within
        )
        return [result for result in self.all if matches(result)]

    def _seen(self) -> str:
        return f"seen at first: {dict(Counter(result.key for result in self.all))}"

    def one(self, job_id: str | None, *, within: float = DEADLINE) -> Result:
        """Wait for the first result of a job."""
        return self.wait_for(lambda result: result.job_id == job_id, f"of {job_id}", within=within)[0]

    def whole(self, job_id: str, *, within: float = DEADLINE) -> list[Result]:
        """Wait until every part of a job is there and return the parts in their order, each once."""

        def parts() -> dict[int, Result]:
            found = {result.body.get("part", 1): result for result in self.of(job_id)}
            return found if found and len(found) >= self._parts_of(found) else {}

        wait_until(parts, f"all parts of {job_id}", within)
        return [result for _, result in sorted(parts().items())]

    @staticmethod
    def _parts_of(found: Mapping[int, Result]) -> int:
        return max(int(result.body.get("parts", 1)) for result in found.values())


class Producer:
    """Publishes jobs with publisher confirms, each unroutable one an error. Use from one thread."""

    def __init__(self, url: str, prefix: str) -> None:
        self.prefix = prefix
        self._connection = pika.BlockingConnection(_parameters(url))
        self.channel = self._connection.channel()
        self.channel.confirm_delivery()

    def close(self) -> None:
        """Close the connection."""
        if self._connection.is_open:
            self._connection.close()

    def publish(self, job: object, key: str = "send", **properties: Any) -> None:  # noqa: ANN401 - as pika has them
        """Publish *job* (JSON of it; bytes as they are) with AMQP *properties*."""
        body = job if isinstance(job, bytes) else json.dumps(job).encode()
        given = pika.BasicProperties(**{"delivery_mode": 2, **properties})
        self.channel.basic_publish(f"{self.prefix}.jobs", key, body, given, mandatory=True)

    def send(self, recipients: list[str], text: str, *, urgent: bool = False, **fields: Any) -> str:  # noqa: ANN401 - any JSON
        """Publish a send job and return its id, a fresh one unless *fields* has it."""
        job_id = str(fields.pop("job_id", "") or new_job_id())
        job = {"job_id": job_id, "recipients": recipients, "text": text, **fields}
        self.publish(job, "send.urgent" if urgent else "send")
        return job_id


class Queues:
    """Looks into the queues of a prefix. Use from one thread."""

    def __init__(self, producer: Producer) -> None:
        self._channel = producer.channel
        self._prefix = producer.prefix

    def count(self, name: str) -> int:
        """Return the number of ready messages of ``<prefix>.<name>``."""
        found = self._channel.queue_declare(f"{self._prefix}.{name}", passive=True)
        return int(found.method.message_count)

    def consumers(self, name: str) -> int:
        """Return the number of consumers of ``<prefix>.<name>``."""
        found = self._channel.queue_declare(f"{self._prefix}.{name}", passive=True)
        return int(found.method.consumer_count)

    def drain(self, name: str) -> list[Letter]:
        """Take everything that is in ``<prefix>.<name>``: routing key, properties, body."""
        taken: list[Letter] = []
        while True:
            method, properties, body = self._channel.basic_get(f"{self._prefix}.{name}", auto_ack=True)
            if method is None:
                return taken
            taken.append((method.routing_key, properties, body))

    def wait_letters(self, name: str, count: int = 1, within: float = DEADLINE) -> list[Letter]:
        """Take what comes into ``<prefix>.<name>`` until that are *count* messages or more; return all.

        A result is published before its job's dead letter is: one look right after it may see nothing.
        """
        taken: list[Letter] = []

        def enough() -> bool:
            taken.extend(self.drain(name))
            return len(taken) >= count

        wait_until(enough, f"{count} messages in {name}", within)
        return taken

    def wait_dead(
        self, matches: Callable[[pika.BasicProperties, bytes], bool], within: float = DEADLINE
    ) -> Letter:
        """Take dead letters until one matches and return it; the others are gone."""
        found: list[Letter] = []

        def look() -> bool:
            found.extend(letter for letter in self.drain("dead") if matches(letter[1], letter[2]))
            return bool(found)

        wait_until(look, "the dead letter", within)
        return found[0]


def wait_message(channel: BlockingChannel, queue: str, within: float = DEADLINE) -> Letter:
    """Take the next message of *queue*, waiting for it."""
    found: list[Letter] = []

    def look() -> bool:
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        if method is not None:
            found.append((method.routing_key, properties, body))
        return bool(found)

    wait_until(look, f"a message in {queue}", within)
    return found[0]


def new_job_id() -> str:
    """Return a job id that nobody had before."""
    return f"job-{secrets.token_hex(6)}"


def numbers(count: int, start: int = 0) -> list[str]:
    """Return *count* valid numbers that the simulator finds nothing special about."""
    plain = (index for index in range(start * 100, 100_000_000) if 20 <= index % 100 < 99)
    return [f"9198{index:08d}" for index, _ in zip(plain, range(count), strict=False)]
