"""``dramatiq bench.peers.dramatiq_peer``; as a program it publishes stdin's jobs."""

import json
import sys
import threading
from typing import Any

import dramatiq
import requests
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from bench.peers.http_calls import result_with_requests
from bench.peers.work import AMQP

QUEUE, RECORDS = "bench.dramatiq", "bench.dramatiq.results"
broker = RabbitmqBroker(url=AMQP, confirm_delivery=True)
dramatiq.set_broker(broker)
own = threading.local()


def _session() -> requests.Session:
    """Return the thread's own: a session is not safe to share."""
    if not hasattr(own, "session"):
        own.session = requests.Session()
    return own.session  # type: ignore[no-any-return]


@dramatiq.actor(queue_name=RECORDS)
def record(result: dict[str, Any]) -> None:
    """Nobody runs it here: the benchmark counts its messages."""


@dramatiq.actor(queue_name=QUEUE)
def work(job: dict[str, Any]) -> None:
    """Acknowledged when it returns."""
    record.send(result_with_requests(_session(), job))


if __name__ == "__main__":
    for name in (QUEUE, RECORDS):
        broker.declare_queue(name, ensure=True)
    for line in sys.stdin:
        work.send(json.loads(line))
    broker.close()
