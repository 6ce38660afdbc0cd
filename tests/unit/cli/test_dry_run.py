"""What ``submit`` checks and counts before it publishes, and when it asks."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.support.restored_logs import restored_logs
from worker.cli import submitting
from worker.cli.app import main

TEXT = ["--text", "Hi"]
ONE = ["--to", "919876543210"]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Run each test in an empty folder, without the machine's secrets, and with no broker to be had."""
    monkeypatch.setenv("WORKER_SECRETS_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("AMQP_URL", "amqp://127.0.0.1:1/")
    monkeypatch.chdir(tmp_path)
    with restored_logs():
        yield


def _dry(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["submit", "--dry-run", "--json", *arguments]) == 0
    summary: dict[str, Any] = json.loads(capsys.readouterr().out)
    return summary


class TestAcceptance:
    """A dry run refuses what publishing refuses, which is what the worker would; in the same words."""

    @pytest.mark.parametrize(
        ("arguments", "settings", "words"),
        [
            ([*ONE, "--text", "x" * 1_600], {}, "segments: at most 10"),
            ([*ONE, "--text", "x" * 161], {"WORKER_MAX_SEGMENTS": "1"}, "2 gsm7 segments: at most 1"),
            ([*ONE, *TEXT, "--param", "tid=1"], {}, "ITON_ALLOWED_PARAMS lists (none)"),
            (
                [*ONE, *TEXT, "--param", "tid=1"],
                {"ITON_ALLOWED_PARAMS": "pid"},
                "ITON_ALLOWED_PARAMS lists (pid)",
            ),
            ([*ONE, *TEXT, "--expires-at", "2020-01-01T00:00:00Z"], {}, "`expires_at` is over"),
            ([*ONE, *TEXT, "--expires-at", "tomorrow"], {}, "must be a time with offset"),
            ([*ONE, *TEXT, "--send-after", "9999-01-01T00:00:00Z"], {}, "`send_after` is too far ahead"),
            (["--to", "98", *TEXT], {}, "98 cannot be sent to: too short"),
            (["--to", "9.19E+11", *TEXT], {}, "9.19E+11 cannot be sent to: "),
            (["--to", "+4915112345678", *TEXT], {}, "WORKER_ALLOWED_REGIONS"),
            ([*ONE, *TEXT, "--sender", "x" * 21], {}, "`sender` must be"),
            ([*ONE, *TEXT], {"WORKER_MAX_BODY_BYTES": "1024"}, ""),
        ],
    )
    def test_is_that_of_the_worker(
        self,
        arguments: list[str],
        settings: dict[str, str],
        words: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Exit code 2 both times, before there is any connection; what passes the one passes the other."""
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        dry = main(["submit", "--dry-run", "--job-id", "j", *arguments])
        told = capsys.readouterr().err
        wet = main(["submit", "--job-id", "j", *arguments])
        told_again = capsys.readouterr().err
        assert words in told
        if words:
            assert (dry, wet) == (2, 2)
            assert told == told_again
        else:
            assert (dry, wet) == (0, 1)
            assert "cannot be reached" in told_again

    def test_what_a_setting_allows_is_valid(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Regions, params, segments and the sender are the operator's."""
        monkeypatch.setenv("WORKER_ALLOWED_REGIONS", "IN,DE")
        monkeypatch.setenv("ITON_ALLOWED_PARAMS", "tid")
        monkeypatch.setenv("WORKER_DEFAULT_SENDER", "ITONIN")
        arguments = ["--to", "+4915112345678", "--text", "Grüße ₹", "--param", "tid=7"]
        (job,) = _dry(capsys, *arguments)["jobs"]
        assert (job["encoding"], job["segments"], job["credits"], job["sender"]) == ("ucs2", 1, 1, "ITONIN")


class TestNumbers:
    """How many are sent to, who cannot be, and what it costs."""

    def test_spellings_of_one_number_are_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        """As the worker collapses them; credits are counted for each segment."""
        numbers = ["--to", "919876543210", "--to", "+91 98765 43210", "--to", "098765-43211", "--to", "98"]
        summary = _dry(capsys, *numbers, "--text", "x" * 200)
        assert (summary["recipients"], summary["distinct"], summary["invalid"]) == (4, 2, 1)
        assert summary["credits"] == 4

    def test_invalid_ones_of_a_csv_have_their_lines(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Also behind a cell with a line break, and in several jobs; they do not hold up the others."""
        (tmp_path / "a.csv").write_text(
            'to,text\n9876543210,"A\nB"\n98,"A\nB"\n9.19E+11,C\n9876543211,C\n98,"A\nB"\n'
        )
        assert main(["submit", "--dry-run", "--csv", "a.csv"]) == 0
        told = capsys.readouterr().err
        assert "line 4: 98 cannot be sent to: too short" in told
        assert "line 6: 9.19E+11 cannot be sent to: " in told
        assert (
            "2 jobs to 5 recipients: 2 distinct, 2 invalid; gsm7 in 1 segment; 2 credits at the most" in told
        )

    def test_those_of_json_lines_have_the_line_of_their_job(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """In the JSON object as well."""
        (tmp_path / "a.jsonl").write_text(
            '\n{"recipients": ["9876543210"], "text": "A"}\n'
            '{"recipients": ["98", "9876543210"], "text": "B"}\n'
        )
        jobs = _dry(capsys, "--jsonl", "a.jsonl")["jobs"]
        assert [job["invalid"] for job in jobs] == [
            [],
            [{"recipient": "98", "detail": "too short", "line": 3}],
        ]

    def test_lines_stay_right_where_a_group_becomes_several_jobs(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A hundred thousand is the most of one job."""
        rows = [str(9_876_500_000 + number) for number in range(100_000)]
        (tmp_path / "a.csv").write_text("\n".join(["to,text", *(f"{row},T" for row in [*rows, "98"])]))
        jobs = _dry(capsys, "--csv", "a.csv")["jobs"]
        assert [job["entries"] for job in jobs] == [100_000, 1]
        assert jobs[1]["invalid"] == [{"recipient": "98", "detail": "too short", "line": 100_002}]

    def test_many_invalid_ones_do_not_fill_the_screen(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The first twenty are named, the others counted."""
        rows = "".join(f"{number},T\n" for number in range(10, 60))
        (tmp_path / "a.csv").write_text(f"to,text\n9876543210,T\n{rows}")
        assert main(["submit", "--dry-run", "--csv", "a.csv"]) == 0
        told = capsys.readouterr().err
        assert told.count("cannot be sent to: ") == 20
        assert "30 more cannot be sent to; --json names all of them" in told


class TestQuestion:
    """Many recipients are not sent to unasked."""

    @pytest.fixture
    def many(self, tmp_path: Path) -> list[str]:
        """Return the arguments for one recipient more than is sent to without a question."""
        rows = "".join(f"{9_876_500_000 + number}\n" for number in range(submitting.ASK_ABOVE + 1))
        (tmp_path / "many.csv").write_text(f"to\n{rows}")
        return ["submit", "--csv", "many.csv", *TEXT]

    def test_without_a_terminal_it_needs_yes(
        self, many: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Exit code 2, nothing published; with --yes the broker is asked for."""
        assert main(many) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "nothing is published: more than 1,000 recipients need --yes" in captured.err
        assert main([*many, "--yes"]) == 1
        assert "cannot be reached" in capsys.readouterr().err

    def test_a_dry_run_and_a_smaller_campaign_ask_nothing(
        self, many: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A number that is written twice counts once."""
        assert main([*many, "--dry-run"]) == 0
        lines = (tmp_path / "many.csv").read_text().splitlines()
        (tmp_path / "many.csv").write_text("\n".join([*lines[:-1], lines[1]]))
        assert main(many) == 1
        assert "cannot be reached" in capsys.readouterr().err

    @pytest.mark.parametrize(("answer", "code"), [(True, 1), (False, 1)])
    def test_a_terminal_is_asked(
        self,
        answer: bool,  # noqa: FBT001 - the two answers
        code: int,
        many: list[str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A no publishes nothing."""
        asked: list[str] = []

        def confirm(question: str, *, err: bool) -> bool:
            asked.append(question)
            return answer and err

        monkeypatch.setattr(typer, "confirm", confirm)
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        assert main(many) == code
        assert asked == ["1,001 recipients will be sent to. Go on?"]
        assert ("cannot be reached" in capsys.readouterr().err) is answer
