"""Which jobs count as the same content."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import JobKind, fingerprint, read_job

SEND: dict[str, Any] = {"job_id": "order-1841", "recipients": ["919876543210"], "text": "Hello"}
OPTIONAL: dict[str, Any] = {
    "sender": "ITONIN",
    "unicode": True,
    "category": "service",
    "dnd": "skip",
    "on_uncertain": "resend",
    "expires_at": "2026-03-01T12:05:00+05:30",
    "track": True,
    "params": {"templateid": "12"},
    "metadata": {"order": None},
}


class TestFingerprint:
    """Equal content has one fingerprint, other content another."""

    def test_the_order_of_keys_and_the_id_do_not_count(self) -> None:
        """Nor do spaces and escapes."""
        one = read_job(JobKind.SEND, b'{"job_id": "a", "recipients": ["98"], "text": "\\u00e9"}')
        other = read_job(JobKind.SEND, '{"text":"é","recipients":["98"]}'.encode(), message_id="b")

        assert one.fingerprint == other.fingerprint

    def test_a_whole_number_is_one_number_however_written(self) -> None:
        """1.0 equals 1 in JSON."""
        assert fingerprint({"metadata": {"a": [1, -0.0, 1e3]}}) == fingerprint(
            {"metadata": {"a": [1.0, 0, 1000]}}
        )

    @pytest.mark.parametrize(
        "other",
        [
            {"text": "hello"},
            {"recipients": ["919876543210", "919876543211"]},
            {"category": "promotional"},
            {"metadata": {"a": True}},
            {"metadata": {"a": 1}},
            {"metadata": {"a": "1"}},
            {"metadata": {"a": 1.5}},
            {"metadata": {"a": None}},
        ],
    )
    def test_other_content_differs(self, other: dict[str, Any]) -> None:
        """Each of these from the plain job, and from all the others."""
        variants: list[dict[str, Any]] = [
            {},
            {"metadata": {"a": True}},
            {"metadata": {"a": 1}},
            {"metadata": {"a": "1"}},
        ]

        for variant in variants:
            same = variant == other and repr(variant) == repr(other)
            assert same is (fingerprint({**SEND, **variant}) == fingerprint({**SEND, **other}))

    @given(st.sets(st.sampled_from(sorted(OPTIONAL))), st.sets(st.sampled_from(sorted(OPTIONAL))))
    def test_an_explicit_null_is_an_absent_field(self, given: set[str], null: set[str]) -> None:
        """Of every optional field: the same job, with the same fingerprint."""
        job = {**SEND, **{name: OPTIONAL[name] for name in given}}
        with_nulls = {**dict.fromkeys(null), **job}

        one, other = (read_job(JobKind.SEND, json.dumps(body).encode()) for body in (job, with_nulls))

        assert (one.job, one.fingerprint) == (other.job, other.fingerprint)

    @pytest.mark.parametrize(
        ("kind", "fields"), [(JobKind.STATUS, {"message_ids": ["a1"]}), (JobKind.ACCOUNT, {})]
    )
    def test_so_is_the_metadata_of_the_other_jobs(self, kind: Any, fields: dict[str, Any]) -> None:  # noqa: ANN401 - for the overloads
        """And their id, which the message's stands in for."""
        one = read_job(kind, json.dumps(fields).encode(), message_id="b")
        nulls = {**fields, "metadata": None, "job_id": None}

        assert one == read_job(kind, json.dumps(nulls).encode(), message_id="b")

    def test_it_is_the_one_of_earlier_releases(self) -> None:
        """Ledgers hold them: without nulls, not a byte may change."""
        job = {**SEND, **OPTIONAL, "metadata": {"a": None, "b": [1.0, {"c": None}]}}

        assert fingerprint(SEND) == "0b77553db4ce7bb55d08dfbd45c6fa5f23ad813faa5444d308d781a8ebaf1e53"
        assert fingerprint(job) == "0dd1011112faa57b4607418cacf8c25dbb94501071d339e2007018cffa31add0"

    @given(st.data())
    def test_it_survives_another_json_library(self, data: st.DataObject) -> None:
        """Shuffled keys and another way of escaping leave it alone."""
        metadata = data.draw(
            st.dictionaries(st.text(), st.integers() | st.text() | st.booleans() | st.none())
        )
        job = {**SEND, "metadata": metadata}
        shuffled = dict(data.draw(st.permutations(list(job.items()))))

        assert fingerprint(job) == fingerprint(
            json.loads(json.dumps(shuffled, ensure_ascii=data.draw(st.booleans())))
        )
