"""What is made of results, dead letters and errors that came from the broker."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from worker.client.access import BrokerAccess
from worker.client.checking import Finding, Look, check_all, look_at_ledger
from worker.client.dead_letters import DeadJob
from worker.client.following import Awaited, SeenResult, read_result
from worker.domain.errors import (
    AccountError,
    AccountTrouble,
    LedgerUnavailableError,
    TransientError,
    WorkerError,
)
from worker.ports import Swap
from worker.settings import load_settings


def _result(job_id: str | None, part: int = 1, parts: int = 1) -> SeenResult:
    return SeenResult("send.accepted", {"job_id": job_id, "part": part, "parts": parts})


class TestAwaited:
    """When enough results have come."""

    def test_without_ids_every_result_counts_and_none_is_the_last(self) -> None:
        """Following goes on until it is stopped."""
        awaited = Awaited(frozenset())
        awaited.note(_result("a"))
        assert awaited.wants(_result(None))
        assert not awaited.over

    def test_a_job_is_complete_with_all_its_parts(self) -> None:
        """A part that comes twice counts once."""
        awaited = Awaited(frozenset({"a"}))
        for part in (1, 1):
            awaited.note(_result("a", part, 2))
        assert not awaited.over
        awaited.note(_result("a", 2, 2))
        assert awaited.over

    def test_other_jobs_are_not_wanted(self) -> None:
        """A null id is nobody's."""
        awaited = Awaited(frozenset({"a", "b"}))
        assert [awaited.wants(_result(name)) for name in ("a", "c", None)] == [True, False, False]
        awaited.note(_result("a"))
        assert not awaited.over

    @pytest.mark.parametrize(
        "body",
        [
            {"job_id": ["a"], "part": 1, "parts": 1},
            {"job_id": {"a": 1}},
            {"job_id": "a", "part": [1], "parts": 1},
            {"job_id": "a", "part": 1, "parts": "x"},
            {"job_id": "a", "part": None, "parts": None},
        ],
        ids=str,
    )
    def test_what_somebody_else_published_completes_no_job(self, body: dict[str, Any]) -> None:
        """Anybody may publish to the exchange, in any form: it is looked at, and the job still awaited."""
        awaited = Awaited(frozenset({"a"}))
        other = SeenResult("send.accepted", body)
        if awaited.wants(other):
            awaited.note(other)
        assert not awaited.over


class TestReadResult:
    """A message of a result exchange."""

    @pytest.mark.parametrize("body", [b"nope", b"\xff", b"[1, 2]", b"[" * 100_000], ids=lambda raw: raw[:9])
    def test_what_is_no_object_is_shown_as_it_is(self, body: bytes) -> None:
        """Also what is nested deeper than Python reads."""
        assert read_result("send.x", body) == SeenResult(
            "send.x", {"unreadable": body.decode("utf-8", "backslashreplace")}
        )


class TestDeadJob:
    """A dead letter for scripts."""

    def _dead(self, body: bytes) -> DeadJob:
        return DeadJob(
            1, "a", "send", "not_json", "why", 0, "iton.send", "2026-01-01T00:00:00Z", body, {}, {}
        )

    def test_shows_a_body_that_is_text(self) -> None:
        """As it is."""
        assert self._dead(b"{nope").whole()["body"] == "{nope"

    def test_encodes_a_body_that_is_none(self) -> None:
        """JSON holds no bytes."""
        assert self._dead(b"\xff").whole()["body_base64"] == "/w=="

    def test_a_summary_has_no_body(self) -> None:
        """Only its size."""
        summary = self._dead(b"secret text").summary()
        assert summary["bytes"] == 11
        assert "secret text" not in str(summary)


class _Ledger:
    async def load(self, key: str) -> None:
        raise NotImplementedError(key)

    async def swap(self, key: str, *, expected: str | None, new: object) -> bool:
        raise NotImplementedError(key, expected, new)

    async def swap_many(self, swaps: Sequence[Swap]) -> list[bool | Exception]:
        raise NotImplementedError(swaps)

    async def renew(self, keys: Sequence[str]) -> list[bool]:
        raise NotImplementedError(keys)

    async def check(self) -> None:
        """Nothing is wrong."""

    async def close(self) -> None:
        """Nothing is open."""


async def _findings(**looks: Look) -> list[Finding]:
    return [finding async for finding in check_all(looks)]


def _failing(error: WorkerError) -> Look:
    async def look() -> Finding:
        raise error

    return look


class TestChecking:
    """A line for each part."""

    async def test_a_working_part_is_well(self) -> None:
        """The look's own words."""
        (finding,) = await _findings(ledger=lambda: look_at_ledger(_Ledger(), "a Redis"))
        assert finding == Finding("ledger", ok=True, detail="can be written: a Redis")

    @pytest.mark.parametrize(
        ("part", "error", "remedy"),
        [
            ("gateway", AccountError("x", "refused", trouble=AccountTrouble.CREDENTIALS), "ITON_PASSWORD"),
            ("gateway", TransientError("x", "away"), "ITON_BASE_URL"),
            ("ledger", LedgerUnavailableError("x", "away"), "LEDGER_URL"),
            ("broker", WorkerError("x", "away"), "AMQP_URL"),
        ],
    )
    async def test_a_failed_part_names_the_remedy(self, part: str, error: WorkerError, remedy: str) -> None:
        """And does not keep the others from being looked at."""
        first, second = await _findings(**{part: _failing(error), "other": _failing(error)})
        assert (first.part, first.ok, first.detail) == (part, False, error.detail)
        assert remedy in first.remedy
        assert second.part == "other"
        assert first.to_json()["ok"] is False


def test_the_access_follows_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Names and delays of the topology are those of the worker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMQP_PREFIX", "sms")
    monkeypatch.setenv("WORKER_RETRY_DELAYS", "1,2")
    access = BrokerAccess.of(load_settings(credentials=False))
    assert access.topology.jobs == "sms.jobs"
    assert access.topology.delays == (1, 2)
