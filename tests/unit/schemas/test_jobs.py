"""The models of jobs, as a Python producer uses them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from schemas import AccountJob, ApiJob, SendJob, StatusJob


def send_job(**fields: object) -> SendJob:
    """A valid job, but for *fields*."""
    return SendJob.model_validate(
        {"job_id": "order-1841", "recipients": ["919876543210"], "text": "Hello", **fields}
    )


class TestSendJob:
    """A send job built in Python."""

    def test_has_the_defaults_of_the_contract(self) -> None:
        """What the producer leaves out has the contract's default."""
        job = send_job()

        assert (job.sender, job.unicode, job.category) == (None, None, "promotional")
        assert (job.dnd, job.on_uncertain, job.expires_at, job.track) == (None, "report", None, False)
        assert (job.params, job.metadata) == ({}, {})

    def test_leaves_absent_fields_out_of_its_json(self) -> None:
        """The body holds what was said and the words that have a default, no nulls."""
        expected = {
            "job_id": "order-1841",
            "recipients": ["919876543210"],
            "text": "Hello",
            "category": "promotional",
            "on_uncertain": "report",
            "track": False,
        }

        assert expected == json.loads(send_job().to_json())

    def test_keeps_nulls_within_metadata(self) -> None:
        """Metadata is the producer's: nothing in it is left out."""
        assert json.loads(send_job(metadata={"note": None}).to_json())["metadata"] == {"note": None}

    @pytest.mark.parametrize("field", ["text", "sender"])
    def test_refuses_half_a_character(self, field: str) -> None:
        """It has no length that two readers would agree on, and no encoding."""
        for given in ("\ud83d", "half \ude00"):
            with pytest.raises(ValidationError):
                send_job(**{field: given})
            with pytest.raises(ValidationError):
                ApiJob.model_validate({"job_id": "a", "method": "GET", "path": given})

    def test_takes_an_aware_datetime(self) -> None:
        """A time becomes an RFC 3339 string."""
        job = send_job(expires_at=datetime(2026, 3, 1, 12, 5, tzinfo=UTC))

        assert json.loads(job.to_json())["expires_at"] == "2026-03-01T12:05:00Z"

    def test_takes_a_send_after_before_the_end(self) -> None:
        """Whatever offsets the two are written with."""
        job = send_job(send_after="2026-03-01T12:04:00Z", expires_at="2026-03-01T17:35:00+05:30")

        assert json.loads(job.to_json())["send_after"] == "2026-03-01T12:04:00Z"

    @pytest.mark.parametrize("end", ["2026-03-01T12:04:00Z", "2026-03-01T17:33:59+05:30"])
    def test_refuses_a_send_after_that_is_not_before_the_end(self, end: str) -> None:
        """Nothing could ever be sent."""
        with pytest.raises(ValidationError, match="is not before `expires_at`"):
            send_job(send_after="2026-03-01T12:04:00Z", expires_at=end)

    def test_compares_the_ends_of_the_calendar(self) -> None:
        """Where a time in UTC would be in no calendar."""
        job = send_job(send_after="0001-01-01T00:00:00+14:00", expires_at="9999-12-31T23:59:59-14:00")

        assert job.send_after is not None

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
            ("2017-01-01T05:29:60.5+05:30", datetime(2017, 1, 1, tzinfo=UTC)),
        ],
    )
    def test_takes_a_leap_second_for_the_moment_behind_it(self, written: str, meant: datetime) -> None:
        """RFC 3339 has them, the calendar of Python has not."""
        assert meant == send_job(expires_at=written).expires_at

    def test_refuses_a_datetime_without_offset(self) -> None:
        """A local time means different moments to producer and worker."""
        with pytest.raises(ValidationError, match="timezone"):
            send_job(expires_at=datetime(2026, 3, 1, 12, 5))  # noqa: DTZ001 - the point of the test

    def test_is_built_by_keywords(self) -> None:
        """As the documentation shows it; a list and a tuple are the same."""
        one = SendJob(job_id="order-1841", recipients=["919876543210"], text="Hello", metadata={"order": 1})
        other = SendJob(
            job_id="order-1841", recipients=("919876543210",), text="Hello", metadata={"order": 1}
        )

        assert one == other

    def test_cannot_be_changed(self) -> None:
        """A job is what it was validated as."""
        with pytest.raises(ValidationError, match="frozen"):
            send_job().text = "Another"  # type: ignore[misc]  # the point of the test

    def test_takes_entries_that_cannot_be_numbers(self) -> None:
        """Such an entry is invalid for itself and does not reject the job."""
        entries = ("", "12", "9198,9199", "a&b=c", "98\n99", "x" * 10_000)

        assert entries == send_job(recipients=entries).recipients

    def test_does_not_quote_its_input_in_errors(self) -> None:
        """An error may end in a log, where texts and numbers must not."""
        with pytest.raises(ValidationError) as caught:
            send_job(text=["secret words"], recipients=[919876543210])

        assert "secret words" not in str(caught.value)
        assert "919876543210" not in str(caught.value)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"recipients": []},
            {"recipients": ["98"] * 100_001},
            {"recipients": "919876543210"},
            {"recipients": {"919876543210"}},
            {"recipients": ["\ud800"]},
            {"text": ""},
            {"text": "\ud83d"},
            {"sender": ""},
            {"sender": "x" * 21},
            {"unicode": 1},
            {"unicode": "true"},
            {"track": 0},
            {"category": "Promotional"},
            {"dnd": "none"},
            {"on_uncertain": "never"},
            {"job_id": "a b"},
            {"job_id": "x" * 129},
            {"params": {"To": "x"}},
            {"params": {"template": 1}},
            {"params": {"a&b": "x"}},
            {"params": {str(number): "x" for number in range(101)}},
            {"metadata": {"a": float("nan")}},
            {"metadata": {"a": {1, 2}}},
            {"metadata": {"a": "x" * 4096}},
            {"recipents": ["98"]},
        ],
        ids=repr,
    )
    def test_refuses_what_the_contract_does(self, wrong: dict[str, Any]) -> None:
        """Strict types, closed words, limits and no unknown fields, in Python as on the wire."""
        with pytest.raises(ValidationError):
            send_job(**wrong)

    def test_takes_metadata_of_4096_bytes(self) -> None:
        """The limit counts the bytes of compact UTF-8 JSON and is itself allowed."""
        filled = {"a": "é" * 2044}

        assert filled == send_job(metadata=filled).metadata
        with pytest.raises(ValidationError, match="4098 bytes"):
            send_job(metadata={"a": "é" * 2045})


class TestStatusJob:
    """A status job built in Python."""

    def test_takes_ids_as_the_gateway_writes_them(self) -> None:
        """Hexadecimal ids and plain numbers are both documented; others may be anything in one piece."""
        ids = ("5320729be4b05199d2c3d80f", "8624389", "aGVs/bG8+=", "{6F96-19FF}", "a&b#c%d?", "é", "x" * 200)

        assert ids == StatusJob(job_id="poll-7", message_ids=ids).message_ids

    @pytest.mark.parametrize(
        "wrong", ["a,b", "a b", "a\nb", "a\n", "a\u00a0b", "a\u200b", "", "x" * 201, 8624389]
    )
    def test_refuses_what_could_alter_the_query(self, wrong: object) -> None:
        """An id holds no separator, so one entry can never become two or another parameter."""
        with pytest.raises(ValidationError):
            StatusJob.model_validate({"job_id": "poll-7", "message_ids": [wrong]})

    @pytest.mark.parametrize("count", [0, 10_001])
    def test_refuses_too_few_or_too_many(self, count: int) -> None:
        """1 to 10,000."""
        with pytest.raises(ValidationError, match="10,000"):
            StatusJob(job_id="poll-7", message_ids=["a"] * count)


class TestAccountJob:
    """An account job built in Python."""

    def test_needs_nothing(self) -> None:
        """The AMQP message_id may stand in for the id."""
        assert AccountJob().to_json() == b"{}"
