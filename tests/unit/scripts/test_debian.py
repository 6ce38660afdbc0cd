"""Debian packages that are not there."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts import debian


class Machine:
    """A machine that remembers what was asked of it."""

    def __init__(self, *, rights: list[str] | None, exit_code: int = 0) -> None:
        self.rights = rights
        self.exit_code = exit_code
        self.installed: list[list[str]] = []

    def apt_get(self) -> list[str] | None:
        """Return how apt-get is run here, None where it may not be."""
        return self.rights

    def install(self, apt: Sequence[str], packages: Sequence[str]) -> int:
        """Remember the call."""
        self.installed.append([*apt, *packages])
        return self.exit_code

    def stand_in(self, patch: pytest.MonkeyPatch, proofs: dict[str, Path]) -> None:
        """Take the real machine's place."""
        patch.setattr(debian, "PROOFS", proofs)
        patch.setattr(debian, "_apt_get", self.apt_get)
        patch.setattr(debian, "_install", self.install)


class TestEnsure:
    """`debian.ensure`."""

    def test_it_does_nothing_where_the_package_is(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """No apt is run for what is installed."""
        machine = Machine(rights=["apt-get"])
        machine.stand_in(monkeypatch, {"some-server": tmp_path})
        debian.ensure(["some-server"])
        assert [] == machine.installed

    def test_it_installs_all_that_is_missing_at_once(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """One call for all of them, with the rights that there are."""
        machine = Machine(rights=["sudo", "-n", "apt-get"])
        gone = tmp_path / "gone"
        machine.stand_in(monkeypatch, {"one": gone, "two": gone, "here": tmp_path})
        debian.ensure(["one", "here", "two"])
        assert [["sudo", "-n", "apt-get", "one", "two"]] == machine.installed

    def test_without_rights_it_names_the_one_command(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """The text is one line that ends in what to type."""
        Machine(rights=None).stand_in(monkeypatch, {"some-server": tmp_path / "gone"})
        with pytest.raises(debian.PackagesMissingError) as raised:
            debian.ensure(["some-server"])
        assert "some-server not installed. Type: sudo apt-get install -y some-server" == str(raised.value)

    def test_a_failed_installation_is_no_success(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """When apt fails, so do we."""
        machine = Machine(rights=["apt-get"], exit_code=100)
        machine.stand_in(monkeypatch, {"some-server": tmp_path / "gone"})
        with pytest.raises(debian.PackagesMissingError, match="could not install some-server"):
            debian.ensure(["some-server"])
