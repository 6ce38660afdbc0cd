"""The table of planted faults follows the code that it is about, and one that is planted is found."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.deadline import DEADLINE
from tests.worlds.judge import ORACLES
from tests.worlds.making import THEMES
from tests.worlds.mutations import MUTATIONS, Mutation
from tests.worlds.oracles.progress import slows_nobody
from tests.worlds.planted import planted


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.name)
class TestTable:
    """Each row."""

    def test_can_be_planted(self, mutation: Mutation) -> None:
        """What it changes is in the code exactly once, and is Python afterwards."""
        found = importlib.util.find_spec(mutation.module)
        assert found is not None
        assert found.origin is not None
        source = planted(mutation, Path(found.origin).read_text(encoding="utf-8"))
        compile(source, mutation.module, "exec")

    def test_names_oracles_that_there_are(self, mutation: Mutation) -> None:
        """And a theme."""
        oracles = {oracle.__name__ for oracle in (*ORACLES, slows_nobody)}
        assert set(mutation.found_by) <= oracles
        assert mutation.theme in THEMES


class TestCommand:
    """What is typed."""

    def test_a_fault_ends_the_run_and_its_processes(self) -> None:
        """The first world that finds it is the last, though others are under way; the exit code says so."""
        fault = "the Web API is called before the claim is written"
        command = (sys.executable, "-m", "tests.worlds", "--processes", "2", "--theme", "web", "--whole")
        done = subprocess.run(
            [*command, "--planted", fault], capture_output=True, text=True, check=False, timeout=2 * DEADLINE
        )
        assert 1 == done.returncode, done.stderr
        assert "worlds by called_once" in done.stdout
        assert "" == done.stderr
