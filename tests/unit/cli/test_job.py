"""``iton-worker job``: what the ledger knows, read beside whoever uses it."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas import CancelStatus, Outcome
from tests.support.restored_logs import restored_logs
from worker.cli.app import main
from worker.cli.job import STATES
from worker.client.job_looking import JobState
from worker.clock import SystemClock
from worker.domain.cancel_request import CancelRequest, cancel_key
from worker.domain.entry import Call, CallState, Entry, Part, Settled, Split, accepted, begin, settle
from worker.domain.entry_codec import encode
from worker.domain.verdict import after_cancel
from worker.handlers.send.head import keys_of_parts
from worker.ledger import SqliteLedger
from worker.ports import Stored

ONE, TWO, THREE = "919800000001", "919800000002", "919800000003"
SPELLING = "98 00 00 00 04 or so"
ID = "5320729be4b05199d2c3d80f"

SENT = settle(begin(Entry("f", Part((ONE,), calls=(Call((ONE,)),))), 0, started=1.0), 0, (accepted(ONE, ID),))
MIXED = Entry(
    "f",
    Part(
        (TWO, SPELLING, THREE),
        (Settled(SPELLING, Outcome.INVALID, code="invalid_number", detail=f"no number: {SPELLING}"),),
        (Call((TWO,)), Call((THREE,), CallState.CALLING, 1, 1.0)),
    ),
)
SPLIT = Entry("f", Split((Part((ONE,), calls=(Call((ONE,)),)), Part((TWO,), calls=(Call((TWO,)),)))))


@pytest.fixture(autouse=True)
def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Provide a ledger that a worker has used."""
    monkeypatch.setenv("WORKER_SECRETS_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("LEDGER_URL", "sqlite:///jobs.db")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    with restored_logs():
        asyncio.run(_write(tmp_path / "jobs.db"))
        yield tmp_path / "jobs.db"


async def _write(path: Path) -> None:
    stopped = Entry("f", Part((TWO,), calls=(Call((TWO,)),)), cancelled="stop-1")
    (first, _), (second, _) = keys_of_parts("campaign", SPLIT)
    states = {
        "sent": encode(SENT),
        "mixed": encode(MIXED),
        "stopped": encode(after_cancel(stopped, 0)),
        "expected": encode(Entry("", cancelled="stop-2")),
        "opened": encode(Entry("f")),
        "campaign": encode(SPLIT),
        first: encode(SENT),
        "damaged": b"nonsense",
        cancel_key("stop-1"): CancelRequest("f", "stopped", CancelStatus.RECORDED).encode(),
        cancel_key("expected"): CancelRequest("f", "other").encode(),
    }
    assert second not in states
    ledger = SqliteLedger(path, retention=60, clock=SystemClock())
    for key, state in states.items():
        assert await ledger.swap(key, expected=None, new=Stored(f"t-{key}", state))
    await ledger.close()


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What ``job show --json`` prints."""
    assert main(["job", "show", "--json", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    """What ``job list --json`` prints, by id."""
    assert main(["job", "list", "--json", *arguments]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {row["job_id"]: row for row in rows}


class TestShow:
    """One job."""

    @pytest.mark.parametrize(
        ("job_id", "state", "counts", "parts"),
        [
            ("sent", "done", {"accepted": 1}, (1, 1)),
            ("mixed", "calling", {"invalid": 1, "open": 2}, (1, 0)),
            ("stopped", "done", {"cancelled": 1}, (1, 1)),
            ("expected", "expected", {}, (0, 0)),
            ("opened", "opened", {}, (0, 0)),
            ("campaign", "waiting", {"accepted": 1, "open": 1}, (2, 1)),
            ("damaged", "unreadable", {}, (0, 0)),
        ],
    )
    def test_it_tells_how_far_the_job_is(
        self,
        capsys: pytest.CaptureFixture[str],
        job_id: str,
        state: str,
        counts: dict[str, int],
        parts: tuple[int, int],
    ) -> None:
        """Of a large one all parts are looked at; one without an entry has not begun."""
        found = shown(capsys, job_id)["send"]
        assert (state, counts) == (found["state"], found["counts"])
        assert parts == (found["parts"], found["parts_done"])

    def test_numbers_are_masked_unless_they_are_asked_for(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Whatever a producer gave for one; details are not told at all."""
        assert main(["job", "show", "mixed"]) == 0
        told = capsys.readouterr().out
        assert [] == [number for number in (TWO, THREE, SPELLING) if number in told]
        assert main(["job", "show", "mixed", "--numbers"]) == 0
        told = capsys.readouterr().out
        assert [TWO, THREE, SPELLING] == [number for number in (TWO, THREE, SPELLING) if number in told]

    def test_a_cancellation_is_told_with_its_request(self, capsys: pytest.CaptureFixture[str]) -> None:
        """By the job, and by the request itself; an id may be that of both kinds."""
        assert "stop-1" == shown(capsys, "stopped")["send"]["cancelled_by"]
        request = shown(capsys, "stop-1")
        assert (None, {"target": "stopped", "answer": "recorded"}) == (request["send"], request["cancel"])
        both = shown(capsys, "expected")
        assert ("stop-2", None) == (both["send"]["cancelled_by"], both["cancel"]["answer"])
        assert main(["job", "show", "stop-1"]) == 0
        assert "cancel job stop-1: to stop stopped, recorded" in capsys.readouterr().out

    def test_one_that_is_not_known_ends_with_1(self, capsys: pytest.CaptureFixture[str]) -> None:
        """And says why that may be."""
        assert main(["job", "show", "nothing"]) == 1
        assert "knows no job nothing" in capsys.readouterr().err

    def test_a_ledger_that_cannot_be_looked_for_is_one_line(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """As where its directory is somebody else's, or its name too long."""
        monkeypatch.setenv("LEDGER_URL", f"sqlite:///{'x' * 300}.db")
        assert main(["job", "show", "sent"]) == 1
        line = capsys.readouterr().err
        assert line.endswith("failed (ENAMETOOLONG): look at the disk and the kernel's log\n")
        assert line.count("\n") == 1

    def test_a_ledger_that_is_not_there_is_not_made(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A look leaves nothing behind."""
        monkeypatch.setenv("LEDGER_URL", "sqlite:///other.db")
        assert main(["job", "show", "sent"]) == 1
        assert "no ledger at LEDGER_URL" in capsys.readouterr().err
        assert not (tmp_path / "other.db").exists()

    def test_what_nobody_else_can_see_is_a_wrong_setting(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Of a memory there is nothing to look into."""
        monkeypatch.setenv("LEDGER_URL", "memory://")
        assert main(["job", "list"]) == 2
        assert "LEDGER_URL is memory://" in capsys.readouterr().err


class TestList:
    """Send jobs, parts and other kinds left out."""

    def test_each_job_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With its state and its counts."""
        found = listed(capsys)
        assert {
            "sent": "done", "mixed": "calling", "stopped": "done", "expected": "expected", "opened": "opened",
            "campaign": "in_parts", "damaged": "unreadable",
        } == {job_id: row["state"] for job_id, row in found.items()}  # fmt: skip
        assert {"open": 2} == found["campaign"]["counts"]

    @pytest.mark.parametrize(
        ("options", "ids"),
        [
            (["--cancelled"], {"stopped", "expected"}),
            (["--state", "done"], {"sent", "stopped"}),
            (["--state", "done", "--cancelled"], {"stopped"}),
            (["--prefix", "s"], {"sent", "stopped"}),
            (["--prefix", "zz"], set()),
        ],
    )
    def test_it_can_be_narrowed(
        self, capsys: pytest.CaptureFixture[str], options: list[str], ids: set[str]
    ) -> None:
        """Every condition must hold."""
        assert ids == listed(capsys, *options).keys()

    def test_it_is_bounded(self, capsys: pytest.CaptureFixture[str]) -> None:
        """And says that there are more."""
        assert main(["job", "list", "--json", "--limit", "3"]) == 0
        told = capsys.readouterr()
        assert 3 == len(told.out.splitlines())
        assert "there are more" in told.err

    def test_for_people_it_is_a_table(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A line a job."""
        assert main(["job", "list", "--cancelled"]) == 0
        head, *lines = capsys.readouterr().out.splitlines()
        assert head.startswith("job id")
        assert ["expected", "stopped"] == sorted(line.split()[0] for line in lines)

    def test_the_states_are_those_of_the_client(self) -> None:
        """The help must not load them."""
        assert list(STATES) == [state.value for state in JobState]
