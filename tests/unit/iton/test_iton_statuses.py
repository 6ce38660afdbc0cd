"""ITON's status words and its times."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from worker.iton.statuses import STATUSES, StatusWords, sending_date, status_of
from worker.iton.unknown_words import UnknownWords, form_of, shown

INDIA = ZoneInfo("Asia/Kolkata")
SAMPLES = Path(__file__).parents[2] / "samples" / "statuses"


def words_of(file: Path) -> list[tuple[str, str]]:
    """A sample's words, each with its status."""
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return [(word, status) for word, status in (line.rsplit(" = ", 1) for line in lines)]


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
            ("DELIVERD", "delivered"),
            ("Dlvrd", "delivered"),
            ("EXPIRD", "expired"),
            ("Undelivrd", "failed"),
            ("DND Failed", "dnd"),
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


class TestFamilies:
    """The words of several families of gateways, a file each."""

    @pytest.mark.parametrize("file", sorted(SAMPLES.glob("*.txt")), ids=lambda file: file.stem)
    def test_each_word_is_known(self, file: Path) -> None:
        """In any case and spelling."""
        words = words_of(file)
        assert len(words) > 10
        for spelt in (str, str.lower, lambda word: word.replace("_", " ").title()):
            assert dict(words) == {word: status_of(spelt(word)) for word, _ in words}


class TestOwnWords:
    """``WORKER_STATUS_WORDS``."""

    def test_they_go_before_the_table(self) -> None:
        """However they are written; the others are as they were."""
        words = StatusWords({"parked": "pending", "Sent": "delivered"})
        said = [words.status_of(word) for word in ("PARKED", " Parked ", "SENT", "DELIVRD", "odd")]
        assert ["pending", "pending", "delivered", "delivered", "unknown"] == said


class TestUnknownWords:
    """What is in no table."""

    def test_each_is_counted_each_time_and_said_once(self) -> None:
        """With the remedy."""
        forms: list[str] = []
        words = StatusWords({"known": "failed"}, UnknownWords(forms.append))
        with capture_logs() as lines:
            for word in ("PARKED", "PARKED", "known", "NO ROUTE", "DELIVRD"):
                words.status_of(word)
        assert ["word"] * 3 == forms
        assert [("status.unknown", "PARKED"), ("status.unknown", "NO ROUTE")] == [
            (line["event"], line["word"]) for line in lines
        ]

    @pytest.mark.parametrize(
        ("word", "form", "said"),
        [
            ("HELD_BACK", "word", "HELD_BACK"),
            ("Parked", "word", "Parked"),
            ("912 NO ROUTE", "word", "912 NO ROUTE"),
            ("SENT TO 919876543210", "word", "SENT TO ***"),
            ("SENT TO 98_76_54_32_10", "word", "SENT TO ***"),
            ("987 654 3210", "word", "***"),
            ("919876543210", "number", "(number, 12 characters)"),
            ("7", "number", "(number, 1 characters)"),
            ("Your code is 1234", "text", "(text, 17 characters)"),
            ("X" * 61, "text", "(text, 61 characters)"),
            ("a\nb", "text", "(text, 3 characters)"),
            ("", "empty", "(empty)"),
        ],
    )
    def test_no_number_and_no_text_is_shown(self, word: str, form: str, said: str) -> None:
        """A gateway may put anything where a word should be."""
        assert (form, said) == (form_of(word), shown(word))

    def test_what_is_remembered_is_bounded(self) -> None:
        """A gateway that makes words up is counted, and not listened to."""
        forms: list[str] = []
        unknown = UnknownWords(forms.append)
        with capture_logs() as lines:
            for number in range(1000):
                unknown(f"WORD_{number}X")
        assert (1000, 200) == (len(forms), len(lines))


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
