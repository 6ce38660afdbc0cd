"""ITON's status words and its times."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.iton.statuses import STATUSES, sending_date, status_of

INDIA = ZoneInfo("Asia/Kolkata")


class TestStatusOf:
    """The gateway's word to the contract's status."""

    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("DELIVIRED", "delivered"),
            ("DELIVERED", "delivered"),
            (" delivrd ", "delivered"),
            ("SUBMITTED", "pending"),
            ("awaited dlr", "pending"),
            ("UNKNOWN", "pending"),
            ("Expired", "expired"),
            ("ABSENT_SUB", "failed"),
            ("NO-CREDITS", "failed"),
            ("INV-TEMPLATE-MATCH", "rejected"),
            ("SNDRID-NOT-ALLOTED", "rejected"),
            ("DND_FAIL", "dnd"),
            ("NCPR", "dnd"),
            ("DELIVERED_TO_OPERATOR", "pending"),
            ("DELIVERED_TO_HANDSET", "delivered"),
            ("FAILED_DND", "dnd"),
            ("FAILED_SPAM", "rejected"),
            ("FAILED_DLT_SCRUBBING", "rejected"),
            ("failed dlt entity", "rejected"),
            ("FAILED_DLT_TEMPLATE", "rejected"),
            ("651 EC_INVALID_PROMO_TIME", "rejected"),
            ("EC_INVALID_PROMO_TIME", "rejected"),
            ("605 ENTITY_ID_NOT_ALLOWED_FOR_TM", "rejected"),
            ("613-TELEMARKETER_NOT_ALLOWED_FOR_ENTITY", "rejected"),
            ("624 HEADER_SUSPENDED_DUE_TO_VALIDITY", "rejected"),
            ("TEMPLATE_NOT_MATCHED", "rejected"),
            ("660: CONSENT_FAILED", "rejected"),
            ("Error: DLT Rejected", "rejected"),
            ("DLT_SCRUBBING_TIMEOUT", "unknown"),
            ("entity", "unknown"),
            ("teleported", "unknown"),
            ("", "unknown"),
        ],
    )
    def test_case_spaces_and_underscores_do_not_matter(self, word: str, status: str) -> None:
        """A word that is in no table is unknown, and never final."""
        assert status_of(word) == status

    def test_only_the_statuses_of_the_contract_are_used(self) -> None:
        """``unknown`` is for words outside the table."""
        assert set(STATUSES.values()) == {"delivered", "failed", "expired", "rejected", "dnd", "pending"}


class TestSendingDate:
    """``sending_Date``, which names no time zone."""

    @pytest.mark.parametrize(
        ("text", "hour"),
        [
            ("Mar 12, 2013 8:13:39 PM", 20),
            ("Mar 12, 2013, 8:13:39 PM", 20),
            ("Mar 12, 2013, 8:13:39\u202fPM", 20),
            ("Mar 12, 2013 8:13:39\u00a0pm", 20),
            ("March 12, 2013 12:13:39 AM", 0),
            ("Mar 12, 2013 12:13:39 PM", 12),
            ("Mar 12, 2013 20:13:39", 20),
        ],
    )
    def test_java_s_forms_are_read(self, text: str, hour: int) -> None:
        """Old and new Java print it differently (CLDR 42: a narrow no-break space)."""
        assert sending_date(text, INDIA) == datetime(2013, 3, 12, hour, 13, 39, tzinfo=INDIA)

    def test_the_offset_is_that_of_the_zone(self) -> None:
        """The contract shows it."""
        date = sending_date("Mar 12, 2013 8:13:39 PM", INDIA)
        assert date is not None
        assert date.isoformat() == "2013-03-12T20:13:39+05:30"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "yesterday",
            "Foo 12, 2013 8:13:39 PM",
            "Feb 30, 2013 8:13:39 PM",
            "Mar 12, 2013 13:13:39 PM",
            "Mar 12, 0000 8:13:39",
        ],
    )
    def test_what_is_no_time_is_none(self, text: str) -> None:
        """A report without a time is better than a wrong one."""
        assert sending_date(text, UTC) is None

    @given(st.text())
    def test_any_text_is_survived(self, text: str) -> None:
        """None or a time with an offset."""
        date = sending_date(text, INDIA)
        assert date is None or date.utcoffset() is not None
