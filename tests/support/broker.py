"""The brokers that tests run against."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.broker_objects import remove_objects, unique_prefix
from scripts.debian import PackagesMissingError
from scripts.find_broker import FoundBroker, disposable_broker, find_broker
from scripts.local_broker import BrokerNotStartedError, PrivateBroker

FOLDER = Path(__file__).parents[2] / ".local" / "tests"


@contextmanager
def shared_broker() -> Iterator[FoundBroker]:
    """Provide the broker of ``TEST_AMQP_URL``, else a container, else a private node.

    Where none can be had the test fails, with the remedy in one line: a skipped test proves nothing.
    """
    with _failing_plainly(), find_broker("TEST_AMQP_URL", FOLDER) as found:
        yield found


@contextmanager
def breakable_broker() -> Iterator[PrivateBroker]:
    """Provide a private node that a test may stop and kill."""
    with _failing_plainly(), disposable_broker(FOLDER) as node:
        yield node


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
