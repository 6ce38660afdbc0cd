"""How much of ours one job runs, from its delivery to its acknowledgement."""

from collections.abc import Callable

import pytest

from tests.counts.traced import traced_way
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import Workshop

pytestmark = pytest.mark.slow

FUNCTIONS, FILES, CALLS = 280, 73, 462


class TestTheWayOfAJob:
    """One recipient, a text of its own, no question to the DND list, all settings as they are by default."""

    def test_it_is_no_longer_than_this(
        self, workshop: Workshop, gateway: SimulatorProcess, figures: Callable[[str, object], None]
    ) -> None:
        """Each function, file and call is the reader's and the processor's time."""
        way = traced_way(workshop, gateway)
        figures("one job runs", way.words())
        assert way.functions <= FUNCTIONS, way.lines()
        assert way.files <= FILES, way.lines()
        assert way.calls <= CALLS, way.lines()
