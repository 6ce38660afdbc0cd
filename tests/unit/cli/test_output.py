"""Stdout that takes no more: a full disk, a reader that has gone, a shell that closed it."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.cli.dead_export import export_to
from worker.cli.terminal import OutputError, say, say_json

ONE = ["--to", "919876543210", "--text", "x"]
COMMANDS = [
    ["--help"],
    ["--version"],
    ["results", "--help"],
    ["topology"],
    ["topology", "--json"],
    ["schema", "asyncapi"],
    ["submit", "--dry-run", *ONE],
    ["submit", "--dry-run", *ONE, "--json"],
]


def _run(arguments: list[str], folder: Path, redirection: str) -> subprocess.CompletedProcess[str]:
    """Run a command through a shell that leads its stdout somewhere."""
    environment = {**os.environ, "WORKER_SECRETS_DIR": str(folder / "none"), "TERM": "dumb"}
    command = [f'exec "$@" {redirection}', "sh", sys.executable, "-m", "worker", *arguments]
    return subprocess.run(
        ["sh", "-c", *command],
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[3])},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )


class TestFullDisk:
    """What cannot be written is told in one line."""

    @pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
    def test_is_one_line_and_no_traceback(self, arguments: list[str], tmp_path: Path) -> None:
        """With exit code 1, also of what Python has buffered until its end."""
        done = _run(arguments, tmp_path, ">/dev/full")
        lines = done.stderr.splitlines()
        assert (done.returncode, lines[-1]) == (
            1,
            "iton-worker: stdout cannot be written: no space left on device",
        )
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr

    def test_a_closed_stdout_is_not_taken_for_success(self, tmp_path: Path) -> None:
        """Python would write to nowhere without a word."""
        done = _run(["topology", "--json"], tmp_path, ">&-")
        assert (done.returncode, done.stderr) == (1, "iton-worker: stdout is closed\n")

    def test_a_closed_stderr_stops_nothing(self, tmp_path: Path) -> None:
        """Nobody reads the lines; the output and the exit code are there."""
        done = _run(["submit", "--dry-run", *ONE, "--job-id", "a"], tmp_path, "2>&- >out")
        assert (done.returncode, (tmp_path / "out").read_text()) == (0, "a\n")

    @pytest.mark.parametrize("option", ["--csv", "--jsonl"])
    def test_a_closed_stdin_is_an_empty_one(self, tmp_path: Path, option: str) -> None:
        """There is nothing to read, which is one line."""
        done = _run(["submit", option, "-"], tmp_path, "<&-")
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "Traceback" not in done.stderr

    def test_a_closed_stdin_cannot_be_asked_on(self, tmp_path: Path) -> None:
        """As one that is no terminal."""
        numbers = ",".join(str(9_876_543_210 + number) for number in range(1_001))
        done = _run(["submit", "--to", numbers, "--text", "x"], tmp_path, "<&-")
        assert done.returncode == 2
        assert "more than 1,000 recipients need --yes" in done.stderr

    def test_a_reader_that_has_gone_is_one_line(self, tmp_path: Path) -> None:
        """As `head` does it."""
        read_end, write_end = os.pipe()
        os.close(read_end)
        environment = {**os.environ, "WORKER_SECRETS_DIR": str(tmp_path / "none")}
        done = subprocess.run(
            [sys.executable, "-m", "worker", "topology", "--json"],
            env={**environment, "PYTHONPATH": str(Path(__file__).parents[3])},
            cwd=tmp_path,
            stdout=write_end,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
        os.close(write_end)
        assert (done.returncode, done.stderr) == (1, "iton-worker: stdout cannot be written: broken pipe\n")


class TestCharacters:
    """What stdout's encoding has no bytes for."""

    HALF = "\ud800"
    HINDI = "न"

    @pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
    def test_json_stays_the_same_value(self, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Half of a surrogate pair, which JSON can spell and no encoding has, is spelt again."""
        value = {"job_id": self.HALF, "text": self.HINDI, "name": "é\U0001f600"}
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding))
        say_json(value)
        assert json.loads(raw.getvalue().decode(encoding)) == value

    def test_a_line_has_its_escape(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """All else is as it is."""
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "latin-1"))
        say(f"é {self.HINDI}")
        assert raw.getvalue().decode("latin-1") == "é \\u0928\n"


class TestExport:
    """A file of its own that takes no more."""

    def test_is_one_line_and_the_half_file_is_gone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody purges letters in the belief that they were exported."""
        at = tmp_path / "dead.jsonl"
        full = os.open("/dev/full", os.O_WRONLY)
        monkeypatch.setattr(os, "open", lambda *_: full)
        with (
            pytest.raises(OutputError, match=r"dead\.jsonl cannot be written, and is gone: no space left"),
            export_to(at) as write,
        ):
            write({"id": 1})
        assert not at.exists()
