"""The system's clocks."""

import time

import pytest

from worker.clock import SystemClock


class TestElapsed:
    """What leases and waits are measured with."""

    def test_it_counts_the_time_in_which_the_machine_was_suspended(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """CLOCK_MONOTONIC stood still for an hour; a worker that wakes up must not believe it."""
        clocks = {time.CLOCK_BOOTTIME: 3_700.0, time.CLOCK_MONOTONIC: 100.0}
        monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
        assert SystemClock().elapsed() == 3_700.0

    def test_a_wall_clock_that_is_set_does_not_move_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor one that is hours off."""
        before = SystemClock().elapsed()
        monkeypatch.setattr(time, "time", lambda: 0.0)
        assert 0 <= SystemClock().elapsed() - before < 60
