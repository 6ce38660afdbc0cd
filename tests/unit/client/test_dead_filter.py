"""Which dead letters are wanted, which are safe to replay, and what their table in the docs says."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.channels import JobKind
from schemas.failures import FailureCode
from worker.client.dead_filter import Memory, Risk, Wanted
from worker.client.dead_letters import DeadJob
from worker.client.replaying import Survey

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LETTER = DeadJob(
    *(1, "a", "send", "retries_exhausted", "why", 4, "iton.send", "", b"", {}, {}),
    id="letter",
    kind=JobKind.SEND,
    died=NOW - timedelta(hours=1),
)
MEMORY = Memory(NOW, 3 * 86_400)
DOCS = Path(__file__).parents[3] / "docs" / "dead-letters.md"


class TestWanted:
    """Every condition must hold."""

    def test_nothing_asked_for_is_everything(self) -> None:
        """Also letters that say nothing of themselves."""
        unknown = replace(LETTER, kind=None, died=None, job_id=None)
        assert Wanted().matches(unknown)
        assert Wanted().everything

    @pytest.mark.parametrize(
        ("wanted", "matches"),
        [
            (Wanted(reasons=frozenset({"retries_exhausted"})), True),
            (Wanted(reasons=frozenset({"not_json"})), False),
            (Wanted(kinds=frozenset({JobKind.SEND, JobKind.STATUS})), True),
            (Wanted(kinds=frozenset({JobKind.ACCOUNT})), False),
            (Wanted(job_ids=frozenset({"a"}), reasons=frozenset({"not_json"})), False),
            (Wanted(ids=frozenset()), False),
            (Wanted(before=NOW), True),
            (Wanted(before=NOW - timedelta(hours=2)), False),
            (Wanted(after=NOW), False),
            (Wanted(after=NOW - timedelta(hours=2), before=NOW), True),
        ],
    )
    def test_conditions(self, wanted: Wanted, matches: bool) -> None:  # noqa: FBT001 - a parameter of the test
        """Alone and together."""
        assert matches == wanted.matches(LETTER)

    def test_a_letter_without_a_time_has_no_age(self) -> None:
        """It is neither old nor young."""
        unknown = replace(LETTER, died=None)
        assert not Wanted(before=NOW).matches(unknown)
        assert not Wanted(after=NOW - timedelta(days=9)).matches(unknown)


class TestDoubts:
    """What a replay leaves alone unless it is forced."""

    @pytest.mark.parametrize("reason", ["reply_lost", "worker_lost", "reply_unreadable", "not_in_reply"])
    def test_what_may_have_been_sent(self, reason: str) -> None:
        """A status job with the same reason only asked."""
        assert MEMORY.risk(replace(LETTER, reason=reason)) is Risk.UNCERTAIN
        assert MEMORY.risk(replace(LETTER, reason=reason, kind=None)) is Risk.UNCERTAIN
        assert MEMORY.risk(replace(LETTER, reason=reason, kind=JobKind.STATUS)) is None

    def test_what_the_ledger_has_forgotten(self) -> None:
        """With some time left for the copy to wait in its queue."""
        edge = NOW - timedelta(days=3)
        assert MEMORY.risk(LETTER) is None
        assert MEMORY.risk(replace(LETTER, died=edge + timedelta(minutes=9))) is Risk.FORGOTTEN
        assert MEMORY.risk(replace(LETTER, died=edge + timedelta(minutes=11))) is None
        assert MEMORY.risk(replace(LETTER, died=None)) is Risk.FORGOTTEN

    def test_what_a_worker_found_forgotten(self) -> None:
        """However young the letter is."""
        assert MEMORY.risk(replace(LETTER, reason="forgotten", died=NOW)) is Risk.FORGOTTEN

    def test_until_when_an_unknown_job_is_a_new_one(self) -> None:
        """Not for a moment where it had an entry for certain; else while the ledger would know it."""
        assert LETTER.died == MEMORY.known_until(LETTER)
        own = replace(LETTER, reason="internal_error", died=NOW)
        assert NOW + timedelta(days=3, minutes=-10) == MEMORY.known_until(own)
        assert NOW == MEMORY.known_until(replace(own, died=None))
        assert MEMORY.known_until(replace(LETTER, reason="unknown_field")) is None
        assert MEMORY.known_until(replace(LETTER, kind=JobKind.STATUS)) is None

    def test_a_job_that_never_began_is_never_too_old(self) -> None:
        """Nothing was sent."""
        assert MEMORY.risk(replace(LETTER, reason="unknown_field", died=None)) is None


class TestSurvey:
    """What a run is going to do."""

    def test_force_picks_what_is_doubtful(self) -> None:
        """And still says so."""
        careful, forced = Survey(), Survey()
        careful.take(LETTER, Risk.UNCERTAIN, force=False)
        forced.take(LETTER, Risk.UNCERTAIN, force=True)
        assert (0, {Risk.UNCERTAIN: 1}, set()) == (careful.picked, careful.refused, careful.ids)
        assert (1, {}, {"letter"}) == (forced.picked, forced.refused, forced.ids)
        assert {Risk.UNCERTAIN: 1} == careful.risks == forced.risks


class TestDocs:
    """The table of reasons."""

    def test_says_what_the_contract_says(self) -> None:
        """Each row is a code with its meaning."""
        rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", DOCS.read_text(), re.MULTILINE)
        assert len(rows) > 20
        assert rows == [(code, FailureCode(code).meaning) for code, _ in rows]
