"""From a body to a job, or to reasons that people understand."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import FailureCode, JobError, JobKind, JobRejectedError, read_job

SEND: dict[str, Any] = {"job_id": "order-1841", "recipients": ["919876543210"], "text": "Hello"}


def body(**fields: object) -> bytes:
    """A valid send job, but for *fields*."""
    return json.dumps({**SEND, **fields}).encode()


def refused(raw: bytes, kind: JobKind = JobKind.SEND, message_id: str | None = None) -> JobRejectedError:
    """The rejection that *raw* gets."""
    with pytest.raises(JobRejectedError) as caught:
        read_job(kind, raw, message_id=message_id)  # type: ignore[call-overload]  # any kind
    return caught.value


def only_error(raw: bytes, kind: JobKind = JobKind.SEND, message_id: str | None = None) -> JobError:
    """The one error that *raw* gets."""
    errors = refused(raw, kind, message_id).errors
    assert len(errors) == 1
    return errors[0]


class TestValidJobs:
    """What is read."""

    def test_a_job_of_each_kind_is_read(self) -> None:
        """By the model of its kind."""
        assert read_job(JobKind.SEND, body()).job.text == "Hello"
        assert read_job(JobKind.STATUS, b'{"job_id": "p", "message_ids": ["1"]}').job.message_ids == ("1",)
        assert read_job(JobKind.ACCOUNT, b'{"job_id": "a"}').job_id == "a"

    def test_null_counts_as_absent_for_optional_fields(self) -> None:
        """Producers whose JSON library writes nulls need no special care."""
        nulls = dict.fromkeys(("sender", "unicode", "dnd", "expires_at", "params", "metadata"))
        job = read_job(JobKind.SEND, body(**nulls)).job

        assert job == read_job(JobKind.SEND, body()).job

    @pytest.mark.parametrize(
        "time",
        [
            "2026-03-01T12:05:00Z",
            "2026-03-01t12:05:00z",
            "2026-03-01T12:05:00.5+05:30",
            "2026-03-01T12:05:00.123456789-00:00",
        ],
    )
    def test_a_time_with_offset_is_read(self, time: str) -> None:
        """Every form of RFC 3339."""
        read = read_job(JobKind.SEND, body(expires_at=time)).job.expires_at

        assert read is not None
        assert read.utcoffset() is not None

    def test_100000_recipients_are_read(self) -> None:
        """The limit itself is allowed."""
        many = [str(number) for number in range(100_000)]

        assert len(read_job(JobKind.SEND, body(recipients=many)).job.recipients) == 100_000


class TestJobId:
    """Where the identity comes from."""

    @pytest.mark.parametrize("given_id", [{}, {"job_id": None}])
    def test_the_message_id_stands_in(self, given_id: dict[str, None]) -> None:
        """For an absent id and an explicit null; the job then carries it."""
        raw = json.dumps({"recipients": ["98"], "text": "Hello", **given_id}).encode()
        read = read_job(JobKind.SEND, raw, message_id="m-1")

        assert (read.job_id, read.job.job_id) == ("m-1", "m-1")

    def test_the_body_wins_over_the_message_id(self) -> None:
        """Which then need not be fit for an id."""
        assert read_job(JobKind.SEND, body(), message_id="any thing, at all").job_id == "order-1841"

    def test_both_absent_is_an_error_beside_the_others(self) -> None:
        """All that is wrong is told at once."""
        errors = refused(b'{"recipents": ["98"], "text": "Hello"}').errors

        assert [error.loc for error in errors] == [("job_id",), ("recipents",), ("recipients",)]

    def test_both_absent_is_the_only_error_of_a_sound_job(self) -> None:
        """Nothing else is made up."""
        assert only_error(body(job_id=None)).loc == ("job_id",)

    def test_an_unfit_message_id_is_named_as_a_property(self) -> None:
        """The body is not to blame."""
        assert only_error(body(job_id=None), message_id="a b").loc == ("properties", "message_id")

    @pytest.mark.parametrize("wrong", ["", "a b", "a\n", "x" * 129, "é", 5, True, ["a"], {}])
    def test_an_unfit_id_is_refused_and_not_passed_on(self, wrong: object) -> None:
        """Neither is another one taken in its place."""
        error = refused(body(job_id=wrong), message_id="m-1")

        assert error.errors[0].loc == ("job_id",)
        assert error.job_id is None


class TestRejection:
    """What a rejection says of its job."""

    def test_it_carries_the_id_and_metadata_that_could_be_read(self) -> None:
        """The producer finds its job again."""
        error = refused(body(text=5, metadata={"order": 1841, "note": None}))

        assert (error.job_id, error.metadata) == ("order-1841", {"order": 1841, "note": None})

    def test_it_carries_the_message_id_of_an_unreadable_body(self) -> None:
        """It is all that is known of the job."""
        assert refused(b"{", message_id="m-1").job_id == "m-1"
        assert refused(b"{", message_id="m 1").job_id is None

    def test_it_carries_no_metadata_that_is_wrong_itself(self) -> None:
        """What cannot be accepted cannot be returned."""
        assert refused(body(metadata={"a": "x" * 5000})).metadata == {}
        assert refused(body(metadata="x")).metadata == {}

    def test_its_detail_counts_what_it_leaves_out(self) -> None:
        """One line for a header or a log."""
        error = refused(body(text=5, track=1))

        assert f"{error.errors[0].msg} (and 1 more)" == error.detail


class TestWords:
    """Each error names the field, what it must be, and what came."""

    @pytest.mark.parametrize(
        ("fields", "loc", "code", "words"),
        [
            ({"text": ""}, ["text"], "wrong_length", "0 characters came"),
            ({"text": 5}, ["text"], "wrong_type", "a number came"),
            ({"text": None}, ["text"], "wrong_type", "null came"),
            ({"sender": "x" * 21}, ["sender"], "wrong_length", "21 characters came"),
            ({"sender": ""}, ["sender"], "wrong_length", "1 to 20"),
            ({"unicode": 1}, ["unicode"], "wrong_type", "true or false"),
            ({"unicode": "false"}, ["unicode"], "wrong_type", "a string came"),
            ({"category": "promo"}, ["category"], "wrong_value", 'did you mean "promotional"'),
            ({"category": "other"}, ["category"], "wrong_value", '"service"'),
            ({"category": 1}, ["category"], "wrong_type", "a number came"),
            ({"dnd": "SKIP"}, ["dnd"], "wrong_value", 'did you mean "skip"'),
            ({"on_uncertain": True}, ["on_uncertain"], "wrong_type", "a boolean came"),
            ({"track": 1}, ["track"], "wrong_type", "a number came"),
            ({"expires_at": 1772345100}, ["expires_at"], "wrong_type", "a number came"),
            ({"expires_at": "1772345100"}, ["expires_at"], "wrong_value", "RFC 3339"),
            ({"expires_at": "2026-03-01"}, ["expires_at"], "wrong_value", "offset"),
            ({"expires_at": "2026-03-01T12:05:00"}, ["expires_at"], "wrong_value", "offset"),
            ({"expires_at": "2026-03-01 12:05:00Z"}, ["expires_at"], "wrong_value", "RFC 3339"),
            ({"expires_at": "2026-03-01T12:05Z"}, ["expires_at"], "wrong_value", "RFC 3339"),
            ({"expires_at": "2026-02-30T12:05:00Z"}, ["expires_at"], "wrong_value", "calendar"),
            ({"expires_at": "2026-03-01T12:05:00+25:00"}, ["expires_at"], "wrong_value", "calendar"),
            ({"expires_at": "2026-03-01T12:05:00+05:60"}, ["expires_at"], "wrong_value", "RFC 3339"),
            ({"expires_at": "2026-03-01T12:05:60+05:30"}, ["expires_at"], "wrong_value", "calendar"),
            ({"expires_at": "2026-06-29T23:59:60Z"}, ["expires_at"], "wrong_value", "calendar"),
            ({"expires_at": "9999-12-31T23:59:60Z"}, ["expires_at"], "wrong_value", "calendar"),
            ({"recipients": "919876543210"}, ["recipients"], "wrong_type", "wrap it in [ ]"),
            ({"recipients": {"919876543210": 1}}, ["recipients"], "wrong_type", "an object came"),
            ({"recipients": []}, ["recipients"], "wrong_length", "at least one"),
            ({"recipients": ["98"] * 100_001}, ["recipients"], "wrong_length", "split the job"),
            ({"recipients": ["98", 99]}, ["recipients", 1], "wrong_type", "put it in quotes"),
            ({"recipients": [None]}, ["recipients", 0], "wrong_type", "but null came."),
            ({"98 76 54 32 10": 1}, ["*****"], "unknown_field", "`*****` is no field"),
            ({"+91 (987) 654-3210": 1}, ["+*****"], "unknown_field", "`+*****` is no field"),
            ({"params": []}, ["params"], "wrong_type", "an array came"),
            ({"params": {"template": 7}}, ["params", "template"], "wrong_type", "a number came"),
            ({"params": {"PASSWORD": "x"}}, ["params", "PASSWORD"], "reserved_param", "leave it out"),
            ({"params": {"uniCode": "2"}}, ["params", "uniCode"], "reserved_param", "leave it out"),
            ({"params": {"a=b&c": "x"}}, ["params", "[key]"], "wrong_value", "A-Z a-z"),
            ({"metadata": []}, ["metadata"], "wrong_type", "an array came"),
            ({"metadata": {"a": "x" * 4096}}, ["metadata"], "wrong_length", "4096 at most"),
            ({"recipents": ["98"]}, ["recipents"], "unknown_field", "did you mean `recipients`"),
            ({"Text": "x"}, ["Text"], "unknown_field", "did you mean `text`"),
            ({"zzz": 1}, ["zzz"], "unknown_field", "known are category"),
        ],
        ids=lambda value: repr(value)[:40],
    )
    def test_each_wrong_field_is_named(
        self, fields: dict[str, Any], loc: list[str | int], code: str, words: str
    ) -> None:
        """Location, code and words that lead to the remedy."""
        error = only_error(body(**fields))

        assert (tuple(loc), code) == (error.loc, error.type)
        assert words in error.msg

    @pytest.mark.parametrize("missing", ["recipients", "text"])
    def test_a_missing_field_is_named_with_its_form(self, missing: str) -> None:
        """What to give is said at once."""
        raw = json.dumps({name: value for name, value in SEND.items() if name != missing}).encode()
        error = only_error(raw)

        assert ((missing,), "missing") == (error.loc, error.type)
        assert f"`{missing}` is missing" in error.msg

    @pytest.mark.parametrize(
        ("entry", "words"),
        [
            ("a,b", "a comma"),
            ("a b", "a space"),
            ("a\nb", "a line break"),
            ("a\u200b", "holds U+200B, which cannot be printed: copy the id anew"),
        ],
    )
    def test_a_message_id_with_a_separator_is_named_by_its_place(self, entry: str, words: str) -> None:
        """The entry's index and what is wrong about it."""
        raw = json.dumps({"job_id": "p", "message_ids": ["1", entry]}).encode()
        error = only_error(raw, JobKind.STATUS)

        assert (error.loc, error.type) == (("message_ids", 1), "wrong_value")
        assert words in error.msg

    @pytest.mark.parametrize("raw", [b"[]", b"3", b'"text"', b"null", b"true"])
    def test_a_body_that_is_no_object_is_refused(self, raw: bytes) -> None:
        """One job, as an object, a message."""
        assert only_error(raw).type == "not_an_object"

    def test_every_type_is_one_of_the_table(self) -> None:
        """Programs can compare them all."""
        wrong = {"text": 1, "sender": "", "category": "x", "params": {"to": "x"}, "metadata": 1, "more": 1}
        codes = {error.type for error in refused(body(**wrong)).errors}

        assert codes <= {code.value for code in FailureCode}


class TestLimits:
    """However much is wrong, the answer stays small."""

    @pytest.mark.parametrize(
        "raw",
        [
            body(recipients=list(range(100_000))),
            body(**{f"field{number}": 1 for number in range(5_000)}),
            body(params={f"name{number}": 1 for number in range(100)}),
        ],
        ids=["recipients", "unknown fields", "params"],
    )
    def test_at_most_20_errors_are_given(self, raw: bytes) -> None:
        """The first ones are enough to see the pattern."""
        assert len(refused(raw).errors) == 20

    def test_long_and_odd_names_are_cut(self) -> None:
        """An error is for people and logs."""
        error = only_error(body(**{"x" * 5_000: 1}))

        assert len(error.msg) < 300
        assert len(str(error.loc[0])) < 50

    def test_control_characters_of_a_name_are_not_repeated(self) -> None:
        """A name cannot write lines into a log."""
        assert "\n" not in only_error(body(**{"a\nb\x1b[31m": 1})).msg


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class TestSecrecy:
    """Numbers and texts stay out of errors."""

    @pytest.mark.parametrize("field", [*SEND, "sender", "unicode", "category", "dnd", "expires_at", "params"])
    @pytest.mark.parametrize(
        "wrap",
        [lambda it: it, lambda it: [it], lambda it: [[it]], lambda it: {it: it}, lambda it: {"a": [it]}],
    )
    def test_no_value_is_quoted(self, field: str, wrap: Callable[[str], object]) -> None:
        """Wherever it stands, in the words, the repr or an exception behind."""
        secret = "919876543210 is the number, whose text nobody may read"  # longer than any limit but text's
        error = refused(body(**{field: wrap(secret), "track": 1}))
        told = " ".join(f"{one} {one!r} {vars(one)}" for one in _chain(error))

        assert "919876543210" not in told
        assert "nobody may read" not in told


class TestAnyBody:
    """Whatever arrives on a work queue."""

    @given(st.sampled_from(JobKind), st.data())
    def test_gives_a_job_or_a_rejection(self, kind: JobKind, data: st.DataObject) -> None:
        """A sound body with a few bytes exchanged raises nothing else."""
        sound = body(sender="ITONIN", params={"a": "b"}, metadata={"k": [1, "\U0001f600"]}, message_ids=["1"])
        place = data.draw(st.integers(0, len(sound)))
        raw = sound[:place] + data.draw(st.binary(max_size=6)) + sound[place + data.draw(st.integers(0, 6)) :]
        message_id = data.draw(st.none() | st.text(max_size=5))
        with suppress(JobRejectedError):
            assert read_job(kind, raw, message_id=message_id).job_id  # type: ignore[call-overload]  # any kind
