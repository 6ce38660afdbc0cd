"""Which jobs count as the same content."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import JobKind, fingerprint, read_job

SEND: dict[str, Any] = {"job_id": "order-1841", "recipients": ["919876543210"], "text": "Hello"}


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
