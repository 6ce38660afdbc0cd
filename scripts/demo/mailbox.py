"""Jobs out, results in: what a producer and a consumer do, with a plain AMQP client."""

import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties

from schemas import (
    CONTENT_TYPE,
    AccountResult,
    AnyJob,
    AnyResult,
    DeliveryResult,
    JobKey,
    ResultKind,
    SendResult,
    jobs_exchange,
    read_result,
    results_exchange,
)
from scripts.demo.campaign import Outcomes
from scripts.demo.failure import DemoError

ResultT = TypeVar("ResultT", SendResult, DeliveryResult, AccountResult)


class Mailbox:
    """A queue for every result under *prefix*, and a way to publish jobs. One thread.

    Attributes:
        completed: by job, the monotonic second at which its last result so far came.
    """

    def __init__(self, url: str, prefix: str) -> None:
        self._prefix = prefix
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        self._channel.confirm_delivery()
        self._results: dict[str, AnyResult] = {}
        self.completed: dict[str, float] = {}
        self._consume()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection.is_open:
            self._connection.close()

    def publish(self, key: JobKey, job: AnyJob) -> None:
        """Publish *job*; back when the broker has it on a queue."""
        properties = BasicProperties(content_type=CONTENT_TYPE, delivery_mode=2)
        self._channel.basic_publish(
            jobs_exchange(self._prefix), key.value, job.to_json(), properties, mandatory=True
        )

    def wait(self, is_done: Callable[[], bool], *, seconds: float, each: Callable[[], None]) -> None:
        """Take results until *is_done*; *each* is called after every look.

        Raises:
            TimeoutError: it took longer than *seconds*.
        """
        deadline = time.monotonic() + seconds
        while not is_done():
            if time.monotonic() > deadline:
                raise TimeoutError
            self._connection.process_data_events(time_limit=0.05)
            each()
        each()

    def rest(self, seconds: float) -> None:
        """Take results for *seconds*; the connection's heartbeats go on."""
        if seconds > 0:
            self._connection.sleep(seconds)

    def outcomes(self) -> Outcomes:
        """Return every recipient's outcome of jobs that carry a template's name."""
        return {
            (str(result.metadata["template"]), one.recipient): one
            for result in self._of(SendResult)
            if "template" in result.metadata
            for one in result.recipients
        }

    def parts(self, job_id: str) -> list[SendResult]:
        """Return the parts of a send job that have come."""
        return [result for result in self._of(SendResult) if result.job_id == job_id]

    def counts(self, job_id: str) -> Counter[str]:
        """Add up a job's outcomes."""
        total: Counter[str] = Counter()
        for part in self.parts(job_id):
            total.update({outcome.value: count for outcome, count in part.counts.items()})
        return total

    def delivery(self, job_id: str) -> list[DeliveryResult]:
        """Return the parts of a status job that have come."""
        return [result for result in self._of(DeliveryResult) if result.job_id == job_id]

    def balance(self, job_id: str) -> AccountResult | None:
        """Return the result of an account job, if it has come."""
        return next((result for result in self._of(AccountResult) if result.job_id == job_id), None)

    def _of(self, model: type[ResultT]) -> list[ResultT]:
        return [result for result in self._results.values() if isinstance(result, model)]

    def _consume(self) -> None:
        queue = self._channel.queue_declare("", exclusive=True).method.queue
        for kind in ResultKind:
            self._channel.queue_bind(queue, results_exchange(kind, self._prefix), "#")
        self._channel.basic_consume(queue, self._take, auto_ack=True)

    def _take(
        self, _: BlockingChannel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        """Results may come twice, with the same message_id: the second changes nothing."""
        kind = ResultKind(method.routing_key.partition(".")[0])
        result = read_result(kind, body)
        if result.status in {"rejected", "failed"} and not isinstance(result, SendResult):
            raise DemoError(f"The worker refused a job: {body.decode()}")
        if str(properties.message_id) in self._results:
            return
        self._results[str(properties.message_id)] = result
        self.completed[str(result.job_id)] = time.monotonic()
