"""What the bytes of a body may be."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import FailureCode, JobRejectedError, read_json

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**30), 10**30),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)


def refused(body: bytes, **limits: int) -> JobRejectedError:
    """The rejection that *body* gets."""
    with pytest.raises(JobRejectedError) as caught:
        read_json(body, **limits)
    assert len(caught.value.errors) == 1
    return caught.value


class TestSoundBodies:
    """What is read, and as what."""

    @given(VALUES, st.booleans())
    def test_every_json_value_is_read_as_it_is(self, value: object, escaped: bool) -> None:  # noqa: FBT001 - drawn
        """Escaped or not, a value written by a JSON library comes back."""
        assert value == read_json(json.dumps(value, ensure_ascii=escaped).encode())

    def test_a_pair_of_surrogate_escapes_is_one_character(self) -> None:
        """JSON libraries that escape write characters beyond the first plane so."""
        assert read_json(rb'["\ud83d\ude00"]') == ["\U0001f600"]

    def test_an_escaped_backslash_is_no_surrogate(self) -> None:
        """Escapes may be written about."""
        assert read_json(rb'["\\ud800"]') == [r"\ud800"]

    def test_32_levels_are_read(self) -> None:
        """The limit itself is allowed, and siblings do not add to it."""
        assert read_json(b"[" * 32 + b"]" * 32)
        assert read_json(b"[" + b",".join([b"[]"] * 100) + b"]") == [[]] * 100

    def test_308_digits_are_read(self) -> None:
        """What fits into a double stays exact."""
        assert read_json(b"9" * 308) == 10**308 - 1


class TestRefusedBodies:
    """What is refused, by code."""

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"", FailureCode.NOT_JSON),
            (b"  \n", FailureCode.NOT_JSON),
            (b"hello", FailureCode.NOT_JSON),
            (b'{"a": 1', FailureCode.NOT_JSON),
            (b'{"a": 1} {}', FailureCode.NOT_JSON),
            (b"{'a': 1}", FailureCode.NOT_JSON),
            (b'{"a": 1,}', FailureCode.NOT_JSON),
            (b'"a\nb"', FailureCode.NOT_JSON),
            (b"\x00\x00", FailureCode.NOT_JSON),
            (b"01", FailureCode.NOT_JSON),
            ("१".encode(), FailureCode.NOT_JSON),
            ('{"a": "é"}'.encode("latin-1"), FailureCode.NOT_UTF8),
            ('{"a": 1}'.encode("utf-16"), FailureCode.NOT_UTF8),
            (b'"\xed\xa0\x80"', FailureCode.NOT_UTF8),
            (b"\xef\xbb\xbf{}", FailureCode.NOT_UTF8),
            (b'{"a": 1, "a": 1}', FailureCode.DUPLICATE_KEY),
            (b'{"a": 1, "\\u0061": 2}', FailureCode.DUPLICATE_KEY),
            (b'{"m": {"b": 1, "b": 1}}', FailureCode.DUPLICATE_KEY),
            (b'{"a": NaN}', FailureCode.NUMBER_OUT_OF_RANGE),
            (b'{"a": Infinity}', FailureCode.NUMBER_OUT_OF_RANGE),
            (b'{"a": -Infinity}', FailureCode.NUMBER_OUT_OF_RANGE),
            (b'{"a": 1e400}', FailureCode.NUMBER_OUT_OF_RANGE),
            (b'{"a": -1.5e999}', FailureCode.NUMBER_OUT_OF_RANGE),
            (b"1" * 309, FailureCode.NUMBER_OUT_OF_RANGE),
            (b"1" * 5000, FailureCode.NUMBER_OUT_OF_RANGE),
            (b"[" * 33 + b"]" * 33, FailureCode.TOO_DEEP),
            (b'{"a":' * 33 + b"1" + b"}" * 33, FailureCode.TOO_DEEP),
            (b"[" * 100_000, FailureCode.TOO_DEEP),
            (b"[" * 100_000 + b"]" * 100_000, FailureCode.TOO_DEEP),
            (rb'"\ud800"', FailureCode.INVALID_UNICODE),
            (rb'{"a": ["\uDFFF x"]}', FailureCode.INVALID_UNICODE),
            (rb'{"a\ud800": 1}', FailureCode.INVALID_UNICODE),
            (rb'"\ude00\ud83d"', FailureCode.INVALID_UNICODE),
        ],
        ids=lambda value: repr(value[:24]),
    )
    def test_each_has_its_code_and_a_remedy(self, body: bytes, code: FailureCode) -> None:
        """The message says after a colon what to do, and the error carries nothing of the body along."""
        error = refused(body)

        assert code == error.errors[0].type
        assert ": " in error.errors[0].msg
        assert error.__cause__ is None
        assert error.__context__ is None

    def test_more_than_8_mib_is_refused_before_it_is_parsed(self) -> None:
        """The limit is the default and an argument."""
        assert refused(b"x" * (8 * 1024 * 1024 + 1)).errors[0].type == "too_large"
        assert refused(b"[1,2]", max_bytes=4).errors[0].type == "too_large"
        assert read_json(b"[1,2]", max_bytes=5) == [1, 2]

    def test_a_duplicate_key_is_named(self) -> None:
        """The producer can find it."""
        assert "`sender`" in refused(b'{"sender": "a", "sender": "b"}').errors[0].msg

    def test_a_duplicate_key_that_is_a_phone_number_is_masked(self) -> None:
        """Numbers do not travel in errors, not even as keys."""
        assert "919876543210" not in refused(b'{"919876543210": 1, "919876543210": 2}').errors[0].msg

    def test_the_place_of_half_a_surrogate_pair_is_named(self) -> None:
        """Field and position."""
        assert refused(rb'{"a": {"b": ["x", "\ud800"]}}').errors[0].loc == ("a", "b", 1)


class TestAnyBytes:
    """Whatever arrives."""

    @given(st.binary() | st.text('[]{}",:\\ud8dc0eE-+.1 \n\ufeff').map(str.encode))
    def test_gives_a_value_or_a_rejection(self, body: bytes) -> None:
        """No other exception, and no value that could not be written again."""
        try:
            value = read_json(body)
        except JobRejectedError:
            return
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        assert not (isinstance(value, float) and math.isinf(value))
