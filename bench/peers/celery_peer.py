"""``celery -A bench.peers.celery_peer worker``; as a program it publishes stdin's jobs."""

import json
import sys
from typing import Any

import requests
from celery import Celery

from bench.peers.http_calls import result_with_requests
from bench.peers.work import AMQP, RESULTS

QUEUE = "bench.celery"
app = Celery("bench", broker=AMQP)
app.conf.update(
    task_default_queue=QUEUE,
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=4,
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
)
session = requests.Session()  # one a process: the pool is made after the fork, on the first call


@app.task(name="work")
def work(job: dict[str, Any]) -> None:
    """Acknowledged when it returns; the result is a task for whoever wants it."""
    app.send_task("record", args=[result_with_requests(session, job)], queue=RESULTS)


if __name__ == "__main__":
    with app.producer_or_acquire() as producer:
        for line in sys.stdin:
            work.apply_async(args=[json.loads(line)], producer=producer)
