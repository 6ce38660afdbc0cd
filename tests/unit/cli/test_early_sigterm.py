"""SIGTERM before a command has taken it over."""

import os
import signal
from collections.abc import Iterator

import pytest

from worker.__main__ import end_at_sigterm

PID = os.getpid()


@pytest.fixture(autouse=True)
def _handler_restored() -> Iterator[None]:
    """Give the signal back to whoever had it."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


class TestEndAtSigterm:
    """`end_at_sigterm`: a container's first process hears of a stop from its first moment."""

    def test_run_ends_with_0(self) -> None:
        """It has taken no job yet: that is a clean stop."""
        end_at_sigterm(["run"])
        with pytest.raises(SystemExit) as ended:
            os.kill(PID, signal.SIGTERM)
        assert 0 == ended.value.code

    def test_another_command_as_process_1_tells_the_signal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What it was to do is not done."""
        monkeypatch.setattr(os, "getpid", lambda: 1)
        end_at_sigterm(["submit", "jobs.jsonl"])
        with pytest.raises(SystemExit) as ended:
            os.kill(PID, signal.SIGTERM)
        assert 143 == ended.value.code

    def test_elsewhere_another_command_keeps_what_there_was(self) -> None:
        """The kernel ends it."""
        before = signal.getsignal(signal.SIGTERM)
        end_at_sigterm(["submit"])
        assert before is signal.getsignal(signal.SIGTERM)
