"""How much of ours one job runs, from its delivery to its acknowledgement, and in which order."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.find_broker import FoundBroker
from tests.counts.traced import traced_way
from tests.counts.way import Way
from tests.support.broker import own_prefix
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import Workshop

pytestmark = pytest.mark.slow

FUNCTIONS, FILES, CALLS = 157, 50, 250
PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
_STEP = re.compile(r"^\| `(worker/[\w/]+\.py)` `([\w.]+)` \|", re.MULTILINE)


@pytest.fixture(scope="module")
def way(broker: FoundBroker, simulator: SimulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Way:
    """Trace a job: one recipient, a text of its own, no question to the DND list, settings by default."""
    simulator.reset()
    with own_prefix(broker.url) as prefix:
        folder = tmp_path_factory.mktemp("way")
        workshop = Workshop(amqp_url=broker.url, prefix=prefix, gateway_url=simulator.url, folder=folder)
        try:
            return traced_way(workshop, simulator)
        finally:
            workshop.close()


class TestTheWayOfAJob:
    """One recipient, a text of its own, no question to the DND list, all settings as they are by default."""

    def test_it_is_no_longer_than_this(self, way: Way, figures: Callable[[str, object], None]) -> None:
        """Each function, file and call is the reader's and the processor's time."""
        figures("one job runs", way.words())
        assert way.functions <= FUNCTIONS, "\n".join(way.lines())
        assert way.files <= FILES, "\n".join(way.lines())
        assert way.calls <= CALLS, "\n".join(way.lines())

    def test_it_is_the_one_that_the_documentation_shows(self, way: Way) -> None:
        """Each function of docs/architecture.md is called, and first called in the order of that page."""
        steps = _STEP.findall(PAGE.read_text())
        assert len(steps) > 10
        walked = [(function.file, function.name) for function in way.times]
        assert [] == [step for step in steps if step not in walked]
        assert steps == sorted(steps, key=walked.index)
