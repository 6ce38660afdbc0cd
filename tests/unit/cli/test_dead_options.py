"""The options of the commands about dead letters."""

from datetime import timedelta

import pytest
import typer

from tests.support.restored_logs import restored_logs
from worker.cli.app import main
from worker.cli.dead_options import parse_age, read_wanted


class TestAges:
    """How long ago."""

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("90s", timedelta(seconds=90)),
            ("15m", timedelta(minutes=15)),
            ("12h", timedelta(hours=12)),
            ("7d", timedelta(days=7)),
        ],
    )
    def test_are_a_number_and_a_unit(self, given: str, expected: timedelta) -> None:
        """Seconds to days."""
        assert expected == parse_age(given)

    @pytest.mark.parametrize("given", ["", "7", "d", "-1d", "1w", "1.5h", "99999999d"])
    def test_nothing_else_is_one(self, given: str) -> None:
        """With examples of what is."""
        with pytest.raises(typer.BadParameter, match="12h"):
            parse_age(given)

    def test_an_age_longer_than_time_is_refused(self) -> None:
        """Not a traceback."""
        with pytest.raises(typer.BadParameter):
            read_wanted(None, None, None, timedelta(days=9_999_999), None)


class TestUsage:
    """What is refused before anything is looked at."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ["replay"],
            ["replay", "--yes"],
            ["replay", "--all", "--reason", "not_json"],
            ["purge", "--yes", "--force"],
            ["purge"],
            ["list", "--older-than", "soon"],
            ["list", "--kind", "nope"],
            ["export", "--limit", "0"],
        ],
    )
    def test_ends_with_2(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """On stderr."""
        with restored_logs():
            assert main(["dead", *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("iton-worker: ")

    @pytest.mark.parametrize("command", ["list", "show", "replay", "purge", "export"])
    def test_help_has_examples(self, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Of each command."""
        assert main(["dead", command, "--help"]) == 0
        assert f"iton-worker dead {command}" in capsys.readouterr().out
