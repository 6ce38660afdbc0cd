"""The broker, for every test that asks for one, how properties are searched, and what tests counted."""

import gc
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog
from hypothesis import HealthCheck, settings

from scripts.find_broker import FoundBroker
from scripts.local_broker import PrivateBroker
from tests.support.broker import breakable_broker, keeps_jobs, own_prefix, shared_broker
from tests.support.checked_ledger import EVERYBODY, Changes
from tests.support.used_prefix import remove_used

_NO_LOGGER = SimpleNamespace()
_TESTS = Path(__file__).parent
_UNWATCHED = {_TESTS / name for name in ("worlds", "model", "proof", "helm")}
"""Tests that run the worker's code a thousand times over, or none of it."""
_WAITING = {_TESTS / name for name in ("integration", "contract")}
"""Tests that wait for servers more than they work."""
_OBJECTS_A_ROUND = 20_000  # that are made before garbage is looked for
CHANGES = "changes of ledger entries, as the model of the protocol names them"

# A busy machine is slow, not wrong: pytest's own limit catches what hangs.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for garbage among what tests make, not among the tests: that took them a quarter of their time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(_OBJECTS_A_ROUND, 10, 10)
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first, then those that wait for servers, then those with many tests.

    A long one that is begun last runs alone at the end, and what waits leaves the processor to others, of
    which there are most in the beginning.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in slow, item.path.parent not in _WAITING, -tests[item.path]))
    for item in items:
        if item.get_closest_marker("hypothesis") or not _UNWATCHED.isdisjoint(item.path.parents):
            # A hundred examples cover what one covers, and being watched more than doubles their time.
            item.add_marker(pytest.mark.no_cover)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests counted, also where they ran in processes of their own."""
    reports = (one for kind in ("passed", "failed") for one in terminalreporter.getreports(kind))
    lines = [f"{name}: {words}" for one in reports for name, words in one.user_properties]
    # What is noted when a test is over is in the report of that moment, which pytest files under no name.
    ends = [pair for one in terminalreporter.getreports("") for pair in one.user_properties]
    made = sum((Counter(each) for name, each in ends if name == CHANGES), Counter[str]())
    if made:
        lines.append(f"{CHANGES}: {Changes(made).words()}")
    if lines:
        terminalreporter.section("counted")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Take back what a test did to the logs, as a command does that it runs: another one looks for lines."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
    for name, module in list(sys.modules.items()):
        if name.startswith("worker."):
            # As the worker has it configured, a logger keeps for good what it was made with first.
            vars(getattr(module, "log", _NO_LOGGER)).pop("bind", None)


@pytest.fixture(autouse=True)
def changes_of_the_model(request: pytest.FixtureRequest) -> Iterator[None]:
    """See that every change of a ledger entry that a test makes is one of the model's."""
    EVERYBODY.taken()
    yield
    seen = EVERYBODY.taken()
    if seen.made:
        request.node.user_properties.append((CHANGES, dict(seen.made)))
    assert not seen.wrong, seen.wrong[:3]


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Callable[[str, object], None]:
    """Provide a function that has a line of figures shown at the end: its name, and what was counted."""
    return lambda name, counted: record_property(name, str(counted))


@pytest.fixture(scope="session")
def broker() -> Iterator[FoundBroker]:
    """Provide a RabbitMQ for the whole run: ``broker.url``; ``broker.private`` is None or the node.

    Tests share it, so they take names below ``amqp_prefix`` and never stop it.
    """
    with shared_broker() as found:
        yield found
        remove_used(found.url)


@pytest.fixture
def amqp_url(broker: FoundBroker) -> str:
    """Return the URL of the shared RabbitMQ."""
    return broker.url


@pytest.fixture
def amqp_prefix(broker: FoundBroker) -> Iterator[str]:
    """Provide an ``AMQP_PREFIX`` of the test's own; its exchanges and queues are deleted afterwards."""
    with own_prefix(broker.url) as prefix:
        yield prefix


@pytest.fixture(scope="session")
def own_broker_node() -> Iterator[PrivateBroker]:
    """Provide the node behind ``own_broker``."""
    with breakable_broker() as node:
        yield node


@pytest.fixture
def own_broker(own_broker_node: PrivateBroker) -> Iterator[PrivateBroker]:
    """Provide a private node to stop, kill, start and ask; it runs when the test begins.

    One node serves such tests one after the other, so they too take a prefix of their own.
    """
    own_broker_node.start()
    if not keeps_jobs(own_broker_node.url):
        own_broker_node.start_afresh()
    yield own_broker_node
    own_broker_node.start()


@pytest.fixture
def own_broker_prefix(own_broker: PrivateBroker) -> Iterator[str]:
    """Provide an ``AMQP_PREFIX`` on the private node; its objects are deleted afterwards."""
    with own_prefix(own_broker.url) as prefix:
        yield prefix
        own_broker.start()
