"""Api jobs: what is read, and what is refused with which words."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from schemas import ApiJob, JobKind, JobRejectedError, contract, read_job

FILE = {"name": "f", "filename": "a.png", "content_type": "image/png", "data": "AAE="}
POST = {"job_id": "a", "method": "POST", "path": "credentials"}
SCHEMA = Draft202012Validator(contract.json_schema(ApiJob))


def refused(job: object) -> list[tuple[tuple[str | int, ...], str]]:
    """Return place and type of each error."""
    with pytest.raises(JobRejectedError) as raised:
        read_job(JobKind.API, json.dumps(job).encode())
    for error in raised.value.errors:
        assert error.msg.endswith((".", "?")), error.msg
        assert "hush" not in error.msg
    return [(error.loc, error.type) for error in raised.value.errors]


class TestRead:
    """Jobs as producers write them."""

    def test_python_producers_write_what_is_read(self) -> None:
        """With json under its own name."""
        job = ApiJob.model_validate({**POST, "json": {"key": [1]}})
        assert {**POST, "json": {"key": [1]}} == json.loads(job.to_json())
        assert job == read_job(JobKind.API, job.to_json()).job

    def test_nulls_are_absent(self) -> None:
        """Of each optional field, and for the fingerprint."""
        nulls = dict.fromkeys(("json", "fields", "files", "metadata"))
        plain, with_nulls = (
            read_job(JobKind.API, json.dumps(job).encode()) for job in (POST, {**POST, **nulls})
        )
        assert (plain.job, plain.fingerprint) == (with_nulls.job, with_nulls.fingerprint)

    def test_the_fingerprint_is_of_the_values(self) -> None:
        """Not of the order of keys; of what a file holds."""
        one, other, third = (
            read_job(JobKind.API, json.dumps(job).encode()).fingerprint
            for job in (
                {**POST, "files": [FILE]},
                {"files": [dict(reversed(FILE.items()))], **POST},
                {**POST, "files": [{**FILE, "data": "AAI="}]},
            )
        )
        assert one == other != third


class TestRefused:
    """Each fault at its place."""

    @pytest.mark.parametrize(
        ("fields", "errors"),
        [
            ({"method": "get"}, [(("method",), "wrong_value")]),
            ({"method": None}, [(("method",), "wrong_type")]),
            ({"path": ""}, [(("path",), "wrong_length")]),
            ({"path": "x" * 2001}, [(("path",), "wrong_length")]),
            ({"path": 1}, [(("path",), "wrong_type")]),
            ({"json": 1, "fields": {"a": "b"}}, [(("fields",), "wrong_value")]),
            ({"json": {}, "files": [FILE]}, [(("files",), "wrong_value")]),
            ({"fields": ["hush"]}, [(("fields",), "wrong_type")]),
            ({"fields": {"a": 1}}, [(("fields", "a"), "wrong_type")]),
            ({"fields": {"hush\r\nx": "1"}}, [(("fields", "[key]"), "wrong_value")]),
            ({"fields": {"": "1"}}, [(("fields", "[key]"), "wrong_value")]),
            ({"files": {"a": FILE}}, [(("files",), "wrong_type")]),
            ({"files": ["hush"]}, [(("files", 0), "wrong_type")]),
            ({"files": [FILE] * 101}, [(("files",), "wrong_length")]),
            ({"files": [{**FILE, "name": "a\nb"}]}, [(("files", 0, "name"), "wrong_value")]),
            ({"files": [{**FILE, "filename": "x" * 201}]}, [(("files", 0, "filename"), "wrong_value")]),
            ({"files": [{**FILE, "content_type": "hush"}]}, [(("files", 0, "content_type"), "wrong_value")]),
            (
                {"files": [{**FILE, "content_type": "a/b\r\nX: y"}]},
                [(("files", 0, "content_type"), "wrong_value")],
            ),
            ({"files": [{**FILE, "data": "hush!"}]}, [(("files", 0, "data"), "wrong_value")]),
            ({"files": [{**FILE, "data": "AAE"}]}, [(("files", 0, "data"), "wrong_value")]),
            ({"files": [{**FILE, "data": "AA\nE="}]}, [(("files", 0, "data"), "wrong_value")]),
            ({"files": [{**FILE, "data": "AAF="}]}, [(("files", 0, "data"), "wrong_value")]),
            ({"files": [{**FILE, "data": "A-_="}]}, [(("files", 0, "data"), "wrong_value")]),
            ({"files": [{**FILE, "size": 1}]}, [(("files", 0, "size"), "unknown_field")]),
            (
                {"files": [{"name": "f"}]},
                [(("files", 0, key), "missing") for key in ("filename", "content_type", "data")],
            ),
            ({"body": "hush"}, [(("body",), "unknown_field")]),
            ({"document": 1}, [(("document",), "unknown_field")]),
        ],
    )
    def test_faults(self, fields: dict[str, object], errors: list[object]) -> None:
        """No value is quoted."""
        assert errors == refused({**POST, **fields})

    def test_a_word_in_small_letters_is_a_slip(self) -> None:
        """The right one is named, however its own letters are written."""
        with pytest.raises(JobRejectedError) as caught:
            read_job(JobKind.API, json.dumps({**POST, "method": "post"}).encode())
        assert 'did you mean "POST"?' in caught.value.errors[0].msg

    def test_no_more_than_twenty(self) -> None:
        """However many there are."""
        assert len(refused({**POST, "files": [{}] * 100})) == 20

    def test_too_much_together(self) -> None:
        """5,000,000 bytes, decoded."""
        data = base64.b64encode(bytes(2_500_000)).decode()
        more = base64.b64encode(bytes(2_500_001)).decode()
        fits = {**POST, "files": [{**FILE, "data": data}] * 2}
        assert len(read_job(JobKind.API, json.dumps(fits).encode()).job.files) == 2
        assert refused({**POST, "files": [{**FILE, "data": data}, {**FILE, "data": more}]}) == [
            (("files",), "wrong_length")
        ]


_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["GET", "POST", "get", 1, None]),
        "path": st.sampled_from(["a", "", None, 7]),
        "json": st.sampled_from([None, 1, {"a": 1}]),
        "fields": st.sampled_from([None, {}, {"a": "b"}, {"a": 1}, []]),
        "files": st.sampled_from([None, [], [FILE], [{**FILE, "x": 1}], {}]),
    },
)


class TestSchema:
    """The JSON Schema says what the model does."""

    @given(fields=_FIELDS)
    def test_they_agree(self, fields: dict[str, object]) -> None:
        """On what is taken and what is not."""
        job = {**POST, **fields}
        try:
            read_job(JobKind.API, json.dumps(job).encode())
        except JobRejectedError:
            assert not SCHEMA.is_valid(job)
        else:
            assert SCHEMA.is_valid(job)
