"""``python -m bench.peers.faststream_peer``: FastStream over RabbitMQ with httpx."""

from typing import Any

import uvloop
from faststream import FastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue

from bench.peers.http_calls import httpx_call
from bench.peers.work import AMQP, CONNECTIONS, JOBS, PREFETCH, RESULTS, Call, results_of

broker = RabbitBroker(AMQP, default_channel=Channel(prefetch_count=PREFETCH))
app = FastStream(broker)
calls: list[Call] = []


@app.on_startup
async def open_client() -> None:
    """The client belongs to the running loop."""
    calls.append(httpx_call(CONNECTIONS)[0])


@broker.subscriber(RabbitQueue(JOBS, durable=True))
async def work(job: dict[str, Any]) -> None:
    """Acknowledged when it returns."""
    for result in await results_of(job, calls[0]):
        await broker.publish(result, RESULTS, persist=True)


if __name__ == "__main__":
    uvloop.run(app.run())
