"""Names of one run's own on a RabbitMQ that others use too, and their removal."""

import secrets
from contextlib import closing

import pika

from worker.amqp.topology.values import Topology
from worker.domain.limits import DEFAULT_DELAYS, DEFAULT_TRACK_DELAYS

# Tests shorten the delays of retries, and of looks at tracked messages.
DELAYS = (1, 2, 3, *DEFAULT_DELAYS)
TRACK_DELAYS = (1, *DEFAULT_TRACK_DELAYS)


def unique_prefix(what: str) -> str:
    """Return an ``AMQP_PREFIX`` that starts with *what* and that nobody else has."""
    return f"{what}-{secrets.token_hex(5)}"


def remove_objects(url: str, prefix: str) -> None:
    """Delete the worker's exchanges and queues of *prefix* with all that they hold.

    What is not there is fine. Results queues of a consumer's own are the consumer's to delete.

    Raises:
        pika.exceptions.AMQPError: the broker cannot be reached.
    """
    topology = Topology(prefix, DELAYS, TRACK_DELAYS, ladder=True)
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        channel = connection.channel()
        for queue in topology.queues:
            channel.queue_delete(queue.name)
        for exchange in topology.exchanges:
            channel.exchange_delete(exchange.name)
