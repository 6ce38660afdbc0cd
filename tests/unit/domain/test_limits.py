"""Rules that have one home."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas import JobKind
from worker.domain.expiry import has_expired
from worker.domain.limits import DEFAULT_DELAYS
from worker.domain.messages import Lane
from worker.settings.sections import RetrySettings

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class TestExpiry:
    """``expires_at``."""

    @pytest.mark.parametrize(("after", "expired"), [(-1, True), (0, True), (1, False)])
    def test_a_job_is_sent_before_its_end_only(self, after: int, expired: bool) -> None:  # noqa: FBT001 - a case
        """The moment itself is too late."""
        assert expired is has_expired(NOW + timedelta(microseconds=after), NOW)


class TestLane:
    """What a queue says of its jobs."""

    def test_each_lane_knows_its_kind_and_whether_it_is_urgent(self) -> None:
        """Parts are those of send jobs."""
        assert {
            Lane.SEND: (JobKind.SEND, False, False),
            Lane.SEND_URGENT: (JobKind.SEND, True, False),
            Lane.SEND_PARTS: (JobKind.SEND, False, True),
            Lane.SEND_URGENT_PARTS: (JobKind.SEND, True, True),
            Lane.STATUS: (JobKind.STATUS, False, False),
            Lane.TRACK: (JobKind.STATUS, False, False),
            Lane.ACCOUNT: (JobKind.ACCOUNT, False, False),
            Lane.API: (JobKind.API, False, False),
            Lane.CANCEL: (JobKind.CANCEL, True, False),
        } == {lane: (lane.kind, lane.is_urgent, lane.holds_parts) for lane in Lane if not lane.is_held}


class TestDelays:
    """Rounds through the broker."""

    def test_the_settings_begin_with_those_that_the_topology_has(self) -> None:
        """A queue for each delay that is used."""
        assert DEFAULT_DELAYS == RetrySettings.model_fields["delays"].default
