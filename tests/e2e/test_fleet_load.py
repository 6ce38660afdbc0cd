"""A fleet at work: every worker has its share, and together they keep to the rate limit."""

from collections.abc import Callable, Iterator

import pytest

from tests.fleet import trials
from tests.support.fleet import Fleet, Stage, open_fleet

pytestmark = pytest.mark.slow

WORKERS = 4
Report = Callable[[str, object], None]


@pytest.fixture
def fleet(stage: Stage) -> Iterator[Fleet]:
    """Provide four workers on one Redis."""
    with open_fleet(stage, WORKERS) as fleet:
        yield fleet


class TestSpread:
    """The broker deals jobs out in turn; no worker hoards them."""

    def test_small_jobs_and_a_large_one(self, fleet: Fleet, figures: Report) -> None:
        """Each of four workers does about a quarter; a large job is worked on by all."""
        small = trials.spread(fleet, "spread", jobs=1000)
        large = trials.large(fleet, "large", recipients=8_000)
        figures(f"1000 jobs over {WORKERS} workers", small)
        figures(f"one job for 8,000 over {WORKERS} workers", large)
        assert {} == small.reckoning.faults
        assert {} == large.reckoning.faults
        assert all(0.75 <= share <= 1.25 for share in small.shares), small
        assert (1000, 80) == (sum(small.calls), sum(large.calls))
        assert all(share >= 0.5 for share in large.shares), large


class TestRate:
    """`ITON_RATE_LIMIT` is the fleet's, however many workers there are."""

    def test_four_workers_keep_to_it(self, stage: Stage, figures: Report) -> None:
        """At most 5 % over it once the burst of one second is over, in no window beyond it, not far below."""
        found = trials.rate(stage, "rate", workers=WORKERS, limit=30, seconds=8)
        figures(f"rate limit over {WORKERS} workers", found)
        assert {} == found.reckoning.faults
        # A busy machine is late by some calls; workers that do not share would be at a quarter of it.
        assert 0.7 * 30 <= found.sustained <= 1.05 * 30, found
        assert found.beyond <= 1.05
