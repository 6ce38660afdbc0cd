"""`make test` runs every test, once."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]


class TestPaths:
    """The paths of the Makefile's two runs."""

    def test_they_are_those_of_pytest(self) -> None:
        """A folder of tests that neither runs would prove nothing; one that both run costs minutes."""
        makefile = (ROOT / "Makefile").read_text()
        runs = re.findall(r"^(?:IN|REAL)_PROCESS := (.*)$", makefile, re.MULTILINE)
        options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
        assert sorted(options["testpaths"]) == sorted(path for run in runs for path in run.split())
