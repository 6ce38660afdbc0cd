"""Two commands at the same time."""

import sys
from pathlib import Path

import pytest

from scripts.two_runs import main


def _python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


class TestTwoRuns:
    """``python -m scripts.two_runs``."""

    def test_they_run_at_the_same_time(self, tmp_path: Path) -> None:
        """Each waits for what the other one makes."""
        program = (
            "import pathlib, sys, time\n"
            "pathlib.Path(sys.argv[1]).touch()\n"
            "while not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.01)\n"
        )
        one, other = str(tmp_path / "one"), str(tmp_path / "other")
        assert 0 == main([*_python(program), one, other, "--", *_python(program), other, one])

    @pytest.mark.parametrize(("one", "other", "code"), [(0, 0, 0), (3, 0, 3), (0, 4, 4), (3, 4, 3)])
    def test_a_failure_of_either_is_one(self, one: int, other: int, code: int) -> None:
        """Both run to their ends all the same."""
        commands = (_python(f"raise SystemExit({each})") for each in (one, other))
        first, second = commands
        assert code == main([*first, "--", *second])

    def test_what_the_second_says_is_shown_whole(self, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        """After what the first one said; its errors too, and also where it failed."""
        second = _python("import sys; print('out'); print('wrong', file=sys.stderr); sys.exit(1)")
        main([*_python("print('first')"), "--", *second])
        assert {b"first", b"out", b"wrong"} == set(capfdbinary.readouterr().out.split())
