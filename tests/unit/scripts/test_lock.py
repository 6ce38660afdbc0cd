"""The locked dependencies."""

import re

import pytest

from scripts import lock


class TestLock:
    """``requirements/``."""

    def test_it_belongs_to_this_pyproject(self) -> None:
        """A dependency that was changed without `make lock` is noticed."""
        assert [] == lock.stale()

    @pytest.mark.parametrize("name", ["run", "dev", "uv"])
    def test_it_names_no_address(self, name: str) -> None:
        """It installs from whatever index the machine is set up for."""
        assert "://" not in (lock.FOLDER / f"{name}.txt").read_text()

    @pytest.mark.parametrize("name", ["run", "dev", "uv"])
    def test_every_package_has_a_hash(self, name: str) -> None:
        """What is installed is what was locked."""
        entries = re.split(r"\n(?=\S)", (lock.FOLDER / f"{name}.txt").read_text())
        packages = [entry for entry in entries if "==" in entry.partition("\n")[0]]
        assert packages
        assert [] == [entry for entry in packages if "--hash=sha256:" not in entry]

    def test_a_worker_runs_on_what_was_tested(self) -> None:
        """Both locks hold the same versions."""
        run, dev = (
            set(re.findall(r"^\S+==\S+", (lock.FOLDER / f"{name}.txt").read_text(), re.MULTILINE))
            for name in ("run", "dev")
        )
        assert set() == run - dev
