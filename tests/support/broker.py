"""The brokers that tests run against."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pika
import pytest

from scripts.broker_objects import remove_objects, unique_prefix
from scripts.debian import PackagesMissingError
from scripts.find_broker import FoundBroker, disposable_broker, find_broker
from scripts.local_broker import AS_SHIPPED, BrokerNotStartedError, NodeOptions, PrivateBroker
from tests.support.deadline import DEADLINE

FOLDER = Path(__file__).parents[2] / ".local" / "tests"
# Threads that spin for a quick start cost three times the processor for each message, and tests need it too.
_OPTIONS = NodeOptions(waiting=AS_SHIPPED)


@contextmanager
def shared_broker() -> Iterator[FoundBroker]:
    """Provide the broker of ``TEST_AMQP_URL``, else a container, else a private node.

    Where none can be had the test fails, with the remedy in one line: a skipped test proves nothing.
    """
    with _failing_plainly(), find_broker("TEST_AMQP_URL", FOLDER, options=_OPTIONS) as found:
        yield found


@contextmanager
def breakable_broker() -> Iterator[PrivateBroker]:
    """Provide a private node that a test may stop and kill."""
    with _failing_plainly(), disposable_broker(FOLDER, _OPTIONS) as node:
        yield node


def keeps_jobs(url: str) -> bool:
    """Tell whether a broker can still make a queue of jobs, take a message and hand it out.

    RabbitMQ 3.10 may come back from a SIGKILL with its log of quorum queues in ruins: whatever concerns one
    is then answered INTERNAL_ERROR, until the data is thrown away.
    """
    queue = unique_prefix("keeps")
    try:
        with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
            channel = connection.channel()
            channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
            channel.confirm_delivery()
            channel.basic_publish("", queue, b"kept", mandatory=True)
            _, _, body = next(iter(channel.consume(queue, inactivity_timeout=DEADLINE)))
            channel.cancel()
            channel.queue_delete(queue)
    except pika.exceptions.AMQPError:
        return False
    return bool(body == b"kept")


@contextmanager
def own_prefix(url: str) -> Iterator[str]:
    """Provide an ``AMQP_PREFIX`` of a test's own and delete what carries it afterwards."""
    prefix = unique_prefix("test")
    yield prefix
    remove_objects(url, prefix)


@contextmanager
def _failing_plainly() -> Iterator[None]:
    try:
        yield
    except (PackagesMissingError, BrokerNotStartedError) as error:
        pytest.fail(str(error), pytrace=False)
