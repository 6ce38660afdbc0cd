"""Results as they are published and read."""

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import (
    AccountFailed,
    AccountLow,
    AccountRejected,
    AccountResult,
    AnyResult,
    DeliveryFailed,
    DeliveryRejected,
    Encoding,
    Failure,
    FailureCode,
    JobError,
    MessageStatus,
    Outcome,
    RecipientDeliveryStatus,
    RecipientResult,
    ResultKind,
    SendRejected,
    SendResult,
    read_result,
)
from tests.support import made_results

ERROR = JobError(loc=("text",), msg="`text` is missing", type="missing")
FAILURE = Failure(code="retries_exhausted", detail="five rounds")


def published(result: AnyResult) -> dict[str, Any]:
    """The JSON value of what is published."""
    value: dict[str, Any] = json.loads(result.to_json())
    return value


def example() -> SendResult:
    """The send result that the contract shows."""
    recipients = [
        made_results.accepted("919876543210", "532073f7e4b05199d2c3d812"),
        made_results.dnd("919032728149"),
        made_results.because("12", Outcome.INVALID, FailureCode.INVALID_NUMBER, "too short"),
    ]
    return made_results.send_result("order-1841", recipients, encoding=Encoding.GSM7, segments=1)


class TestSendResult:
    """What became of the recipients of a send job."""

    def test_is_published_as_the_contract_shows(self) -> None:
        """Byte for byte, but for spaces."""
        expected: dict[str, Any] = {
            "job_id": "order-1841",
            "part": 1,
            "parts": 1,
            "status": "partial",
            "recipients": [
                {
                    "recipient": "919876543210",
                    "outcome": "accepted",
                    "message_id": "532073f7e4b05199d2c3d812",
                },
                {"recipient": "919032728149", "outcome": "dnd"},
                {
                    "recipient": "12",
                    "outcome": "invalid",
                    "error": {"code": "invalid_number", "detail": "too short"},
                },
            ],
            "counts": {"accepted": 1, "dnd": 1, "invalid": 1},
            "encoding": "gsm7",
            "segments": 1,
            "metadata": {},
        }

        assert json.dumps(expected, separators=(",", ":")).encode() == example().to_json()

    def test_has_a_revision_only_when_it_is_one(self) -> None:
        """A reply turned up after all."""
        revised = made_results.send_result(
            "a",
            [made_results.accepted("91", "1")],
            encoding="ucs2",
            segments=2,
            part=3,
            parts=4,
            revision=2,
        )

        assert tuple(published(revised)[name] for name in ("revision", "part", "parts")) == (2, 3, 4)
        assert "revision" not in published(example())

    def test_an_earlier_call_of_a_resent_message_is_told(self) -> None:
        """Its reply turned up late: the recipient got the text twice, as the job allowed."""
        twice = RecipientResult(recipient="91", outcome="accepted", message_id="2", earlier_message_ids=["1"])
        result = made_results.send_result("a", [twice], encoding="gsm7", segments=1, revision=2)

        assert published(result)["recipients"][0]["earlier_message_ids"] == ["1"]

    def test_returns_metadata_as_it_was(self) -> None:
        """Nulls, fractions and nesting included."""
        metadata = {"a": None, "b": [1, 1.5, {"c": "é"}], "big": 10**40}
        result = made_results.send_result(
            "a", [made_results.dnd("91")], encoding="gsm7", segments=1, metadata=metadata
        )

        assert metadata == published(result)["metadata"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"outcome": "accepted"},
            {"outcome": "accepted", "message_id": "1", "error": FAILURE},
            {"outcome": "dnd", "message_id": "1"},
            {"outcome": "dnd", "error": FAILURE},
            {"outcome": "dnd_unverified"},
            {"outcome": "failed", "message_id": "1", "error": FAILURE},
            {"outcome": "lost", "error": FAILURE},
        ],
    )
    def test_a_recipient_fits_its_outcome(self, wrong: dict[str, Any]) -> None:
        """Only accepted has an id; all but accepted and dnd carry an error."""
        with pytest.raises(ValidationError):
            RecipientResult(recipient="91", **wrong)

    def test_holds_at_most_100_recipients(self) -> None:
        """More are parts of their own."""
        with pytest.raises(ValidationError, match="100"):
            made_results.send_result("a", [made_results.dnd("91")] * 101, encoding="gsm7", segments=1)


class TestDeliveryResult:
    """The delivery status of messages."""

    def test_is_published_as_the_contract_shows(self) -> None:
        """Byte for byte, but for spaces."""
        expected: dict[str, Any] = {
            "job_id": "poll-7",
            "part": 1,
            "parts": 1,
            "status": "pending",
            "messages": [
                {
                    "message_id": "5320729be4b05199d2c3d80f",
                    "found": True,
                    "sender": "itonXXXX",
                    "sent_at": "2013-03-12T20:13:39+05:30",
                    "text": "Hello",
                    "recipients": [
                        {"recipient": "919876543210", "status": "delivered", "raw_status": "DELIVIRED"}
                    ],
                },
                {"message_id": "ffffffffffffffffffffffff", "found": False, "recipients": []},
            ],
            "metadata": {},
        }
        delivered = RecipientDeliveryStatus(
            recipient="919876543210", status="delivered", raw_status="DELIVIRED"
        )
        found = MessageStatus(
            message_id="5320729be4b05199d2c3d80f",
            found=True,
            sender="itonXXXX",
            sent_at=datetime.fromisoformat("2013-03-12T20:13:39+05:30"),
            text="Hello",
            recipients=[delivered],
        )
        lost = MessageStatus(message_id="ffffffffffffffffffffffff", found=False)

        assert (
            json.dumps(expected, separators=(",", ":")).encode()
            == made_results.delivery_result("poll-7", [found, lost]).to_json()
        )


class TestRejectedAndFailed:
    """Jobs that came to nothing."""

    def test_a_rejected_send_job_has_errors_and_no_recipients(self) -> None:
        """And neither encoding nor segments, which were never found out."""
        expected: dict[str, Any] = {
            "job_id": None,
            "part": 1,
            "parts": 1,
            "status": "rejected",
            "errors": [{"loc": ["text"], "msg": "`text` is missing", "type": "missing"}],
            "metadata": {},
            "recipients": [],
            "counts": {},
        }

        assert expected == published(SendRejected(errors=[ERROR]))

    def test_a_rejected_status_job_has_no_messages(self) -> None:
        """Its id is there where it could be read."""
        told = published(DeliveryRejected(job_id="poll-7", errors=[ERROR]))

        assert (told["job_id"], told["status"], told["messages"]) == ("poll-7", "rejected", [])

    def test_a_rejected_account_job_has_errors(self) -> None:
        """And no balance."""
        told = published(AccountRejected(errors=[ERROR]))

        assert {"job_id", "status", "errors", "metadata"} == set(told)

    def test_failed_jobs_carry_an_error(self) -> None:
        """Code and detail, next to what little is known."""
        expected = {"code": "retries_exhausted", "detail": "five rounds"}
        delivery = published(DeliveryFailed(job_id="poll-7", error=FAILURE))
        account = published(AccountFailed(job_id="a", error=FAILURE))

        assert ("failed", [], expected) == (delivery["status"], delivery["messages"], delivery["error"])
        assert ("failed", expected) == (account["status"], account["error"])


ALL: list[tuple[ResultKind, AnyResult]] = [
    (ResultKind.SEND, example()),
    (ResultKind.SEND, SendRejected(job_id="a", errors=[ERROR])),
    (ResultKind.DELIVERY, made_results.delivery_result("a", [MessageStatus(message_id="1", found=False)])),
    (ResultKind.DELIVERY, DeliveryRejected(errors=[ERROR])),
    (ResultKind.DELIVERY, DeliveryFailed(job_id="a", error=FAILURE)),
    (ResultKind.ACCOUNT, AccountResult(job_id="a", remaining_credits=1.5)),
    (ResultKind.ACCOUNT, AccountLow(remaining_credits=1, threshold=2)),
    (ResultKind.ACCOUNT, AccountRejected(errors=[ERROR])),
    (ResultKind.ACCOUNT, AccountFailed(job_id="a", error=FAILURE)),
]


class TestReadResult:
    """Results from the consumer's side."""

    @pytest.mark.parametrize(("kind", "result"), ALL, ids=lambda value: type(value).__name__)
    def test_what_was_published_is_read_again(self, kind: ResultKind, result: AnyResult) -> None:
        """As the same form."""
        assert result == read_result(kind, result.to_json())

    @pytest.mark.parametrize(("kind", "result"), ALL, ids=lambda value: type(value).__name__)
    def test_fields_of_a_later_version_are_ignored(self, kind: ResultKind, result: AnyResult) -> None:
        """Additions break no consumer."""
        assert result == read_result(kind, json.dumps({**published(result), "added_later": 1}).encode())

    @given(
        st.text(),
        st.text(min_size=1),
        st.sampled_from(sorted(set(Outcome) - {Outcome.ACCEPTED, Outcome.DND})),
    )
    def test_any_words_survive(self, spelling: str, detail: str, outcome: Outcome) -> None:
        """Spellings and details are any text."""
        recipient = made_results.because(spelling, outcome, "any_code", detail)
        result = made_results.send_result("a", [recipient], encoding="gsm7", segments=1)

        assert result == read_result(ResultKind.SEND, result.to_json())

    def test_something_else_is_refused(self) -> None:
        """A result of one exchange is none of another."""
        with pytest.raises(ValidationError):
            read_result(ResultKind.ACCOUNT, example().to_json())
