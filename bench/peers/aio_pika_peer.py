"""``python -m bench.peers.aio_pika_peer aiohttp|httpx``: plain aio-pika, tuned by hand.

Each message is a task of its own, so the confirms of many results are awaited at once.
"""

import asyncio
import json
import sys

import aio_pika
import uvloop
from aio_pika.abc import AbstractIncomingMessage, AbstractRobustConnection

from bench.peers.http_calls import aiohttp_call, httpx_call
from bench.peers.work import (
    AMQP,
    CONNECTIONS,
    JOBS,
    JOBS_ARGUMENTS,
    PREFETCH,
    RESULTS,
    URGENT,
    Call,
    results_of,
)

URGENT_SHARE = 20


async def _consume(connection: AbstractRobustConnection, name: str, prefetch: int, call: Call) -> None:
    incoming, outgoing = await connection.channel(), await connection.channel()
    await incoming.set_qos(prefetch_count=prefetch)
    arguments = JOBS_ARGUMENTS if name == JOBS else {}
    queue = await incoming.declare_queue(name, durable=True, arguments=arguments)

    async def work(message: AbstractIncomingMessage) -> None:
        results = await results_of(json.loads(message.body), call)
        sent = [
            outgoing.default_exchange.publish(
                aio_pika.Message(json.dumps(result).encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT),
                routing_key=RESULTS,
            )
            for result in results
        ]
        await asyncio.gather(*sent)
        await message.ack()

    await queue.consume(work)


async def _main(client: str) -> None:
    make = aiohttp_call if client == "aiohttp" else httpx_call
    connection = await aio_pika.connect_robust(AMQP)
    await _consume(connection, JOBS, PREFETCH, make(CONNECTIONS)[0])
    await _consume(connection, URGENT, URGENT_SHARE, make(URGENT_SHARE)[0])
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(sys.argv[1]))
