"""A fleet that changes under load: replaced one by one, scaled up and down. Nothing is lost or doubled."""

from collections.abc import Callable

import pytest

from tests.fleet import trials
from tests.support.fleet import Stage, open_fleet

pytestmark = pytest.mark.slow

Report = Callable[[str, object], None]
# A worker alone makes some fifty calls a second then, so that four make a difference at any machine.
NARROW = {"WORKER_MAX_CALLS": 10, "WORKER_URGENT_CALLS": 2, "WORKER_PREFETCH": 20}


class TestRollingRestart:
    """Every worker is replaced while jobs keep coming."""

    def test_nothing_is_lost_doubled_or_dead(self, stage: Stage, figures: Report) -> None:
        """Each job is accepted, once, and the old workers end with 0; none of their calls is in doubt."""
        with open_fleet(stage, 3) as fleet:
            found = trials.rolling(fleet, "rolling", per_second=60)
        figures("rolling restart of 3 workers", found)
        assert {} == found.reckoning.faults
        assert [0, 0, 0] == found.exit_codes
        assert found.reckoning.jobs >= 120


class TestScaling:
    """From one worker to four and back in the middle of a campaign."""

    def test_1_4_1(self, stage: Stage, figures: Report) -> None:
        """Four are faster than one, each of them works, and the campaign comes out whole."""
        with open_fleet(stage, 1, **NARROW) as fleet:
            found = trials.scaling(fleet, "scaling", jobs=1200, seconds=2)
        figures("scaled 1, 4, 1", found)
        assert {} == found.reckoning.faults
        assert [0, 0, 0] == found.exit_codes
        assert min(found.calls) > 0
        assert found.phases[1] > 1.5 * max(found.phases[0], found.phases[2])
