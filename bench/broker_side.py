"""What the benchmark does on the broker: publish jobs, count and read results, look what is left."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from bench.jobs import JOB_ID

PERSISTENT = pika.BasicProperties(delivery_mode=2, content_type="application/json")
METER = "bench.meter"


@dataclass(frozen=True, slots=True)
class Depth:
    """What a queue says of itself; unacknowledged messages are not counted."""

    ready: int
    consumers: int


class BrokerSide:
    """One connection, one thread."""

    def __init__(self, url: str) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(url + "?heartbeat=0"))
        self._channel = self._connection.channel()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def declare(self, *queues: str, bound_to: Iterable[str] = ()) -> None:
        """Declare durable queues, the first of them bound to everything of topic exchanges."""
        for queue in queues:
            kind = "quorum" if queue.endswith(".quorum") else "classic"
            self._channel.queue_declare(queue, durable=True, arguments={"x-queue-type": kind})
        for exchange in bound_to:
            self._channel.queue_bind(queues[0], exchange, "#")

    def publish(self, exchange: str, key: str, bodies: Iterable[bytes]) -> None:
        """Publish all; back when the broker has taken them from the connection."""
        for body in bodies:
            self._channel.basic_publish(exchange, key, body, PERSISTENT)
        self._channel.queue_declare(METER, passive=True)

    def depth(self, queue: str) -> Depth:
        """Count what is ready in *queue*; nothing where there is no such queue."""
        try:
            frame = self._channel.queue_declare(queue, passive=True)
        except ChannelClosedByBroker:
            self._channel = self._connection.channel()
            return Depth(0, 0)
        return Depth(frame.method.message_count, frame.method.consumer_count)

    def left_over(self, queues: Iterable[str], seconds: float = 5) -> dict[str, int]:
        """Wait until nobody consumes *queues* any more and return what came back or was never taken."""
        deadline = time.monotonic() + seconds
        names = list(queues)
        while any(self.depth(name).consumers for name in names) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)  # the broker puts back what was unacknowledged right after it saw the consumer go
        depths = {name: self.depth(name).ready for name in names}
        return {name: ready for name, ready in depths.items() if ready}

    def purge(self, queues: Iterable[str]) -> None:
        """Empty those of *queues* that hold something."""
        for name in queues:
            if self.depth(name).ready:
                self._channel.queue_purge(name)

    def drain(self, queue: str) -> Counter[bytes]:
        """Take all results out and count them by job."""
        found: Counter[bytes] = Counter()
        left = self.depth(queue).ready
        if not left:
            return found
        channel: BlockingChannel = self._connection.channel()
        for _, _, body in channel.consume(queue, auto_ack=True, inactivity_timeout=5):
            match = JOB_ID.search(body) if body else None
            found[match[0] if match else b"?"] += 1
            left -= 1
            if left <= 0 or body is None:
                break
        channel.cancel()
        channel.close()
        return found
