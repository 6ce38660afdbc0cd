"""The Dockerfile as a text."""

import subprocess
import sys
import tomllib
from pathlib import Path

from scripts.base_image import default_base

ROOT = Path(__file__).parents[2]


class TestTheDockerfile:
    """What can be told without building it."""

    def test_hadolint_finds_nothing(self) -> None:
        """With its usual rules and no exception."""
        linter = Path(sys.prefix) / "bin" / "hadolint"
        command = [str(linter), "--no-color", str(ROOT / "Dockerfile")]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert (0, "") == (done.returncode, done.stdout + done.stderr)

    def test_the_base_is_pinned_to_a_release(self) -> None:
        """The default names Python's minor version and Debian's suite."""
        name, _, tag = default_base().partition(":")
        python, slim, suite = tag.split("-")
        assert ("python", "slim") == (name, slim)
        assert len(python.split(".")) == 2
        assert suite.isalpha()

    def test_its_version_is_the_package_s(self) -> None:
        """A label that lies about the version is worse than none."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert f"ARG VERSION={project['version']}\n" in (ROOT / "Dockerfile").read_text()

    def test_the_standard_library_is_compiled_before_the_user_changes(self) -> None:
        """The official base has it as source alone, and no later user could write there."""
        text = (ROOT / "Dockerfile").read_text()
        final = text[text.rindex("FROM ") :]
        assert 0 < final.find("-m compileall") < final.find("\nUSER ")
        assert 'sysconfig.get_path("stdlib")' in final

    def test_it_makes_no_volume_by_itself(self) -> None:
        """Each container would have an empty one: a ledger that forgets looks like one that is kept."""
        assert "VOLUME" not in (ROOT / "Dockerfile").read_text()
