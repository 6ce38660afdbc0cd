"""``taskiq worker bench.peers.taskiq_peer:broker``; as a program it publishes stdin's jobs."""

import asyncio
import json
import os
import sys
from typing import Any

import aio_pika
from taskiq import TaskiqEvents, TaskiqState
from taskiq_aio_pika import AioPikaBroker
from taskiq_aio_pika.queue import Queue, QueueType

from bench.peers.http_calls import aiohttp_call, httpx_call
from bench.peers.work import AMQP, CONNECTIONS, PREFETCH, RESULTS, Call, results_of

QUEUE = "bench.taskiq"
broker = AioPikaBroker(AMQP, qos=PREFETCH).with_queue(Queue(name=QUEUE, type=QueueType.CLASSIC))
calls: list[Call] = []


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def open_client(_: TaskiqState) -> None:
    """The client belongs to the running loop."""
    make = aiohttp_call if os.environ.get("BENCH_HTTP") == "aiohttp" else httpx_call
    calls.append(make(CONNECTIONS)[0])


@broker.task(task_name="work")
async def work(job: dict[str, Any]) -> None:
    """Acknowledged when it returns."""
    channel = broker.write_channel
    for result in await results_of(job, calls[0]):
        body = json.dumps(result).encode()
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key=RESULTS)


async def _publish() -> None:
    await broker.startup()
    jobs = [json.loads(line) for line in sys.stdin]
    for start in range(0, len(jobs), 200):
        await asyncio.gather(*(work.kiq(job) for job in jobs[start : start + 200]))
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(_publish())
