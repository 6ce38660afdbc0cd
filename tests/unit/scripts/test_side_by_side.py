"""Targets of the Makefile at the same time."""

import os
import time
from pathlib import Path

import pytest

from scripts.side_by_side import side_by_side


def sh(script: str) -> list[str]:
    """Return a command."""
    return ["sh", "-c", script]


class TestSideBySide:
    """Several commands, one verdict."""

    def test_all_are_run_to_their_end_and_shown_though_one_fails(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One run says everything that is wrong."""
        commands = {
            "first": sh("sleep 0.5; echo one"),
            "second": sh("echo two; exit 3"),
            "third": sh("echo three >&2"),
        }
        assert 1 == side_by_side(commands, tmp_path, os.environ)
        shown = capsys.readouterr().out.splitlines()
        assert {"one", "two", "three"} <= set(shown)
        endings = {line.partition(" in ")[0] for line in shown if line.startswith("==")}
        assert {"== first: passed", "== second: FAILED (3)", "== third: passed"} == endings

    def test_they_run_at_the_same_time(self, tmp_path: Path) -> None:
        """Each waits for a file that the other one makes."""
        meet = "touch {}; while [ ! -e {} ]; do sleep 0.05; done"
        mine, yours = str(tmp_path / "mine"), str(tmp_path / "yours")
        commands = {"one": sh(meet.format(mine, yours)), "other": sh(meet.format(yours, mine))}
        assert 0 == side_by_side(commands, tmp_path / "logs", os.environ)

    def test_none_is_left_when_it_is_interrupted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ctrl-C ends them all."""
        pid, sleep = tmp_path / "pid", time.sleep

        def interrupted(seconds: float) -> None:
            if pid.exists() and pid.read_text():
                raise KeyboardInterrupt
            sleep(seconds)

        monkeypatch.setattr(time, "sleep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            side_by_side({"endless": sh(f"echo $$ >{pid}; exec sleep 600")}, tmp_path / "logs", os.environ)
        assert not Path(f"/proc/{pid.read_text().strip()}").exists()
