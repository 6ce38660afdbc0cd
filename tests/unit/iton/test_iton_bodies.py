"""Bodies as Java, PHP and hand-made servers print them."""

import codecs
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.iton.bodies import decoded, members, pairs_of


class TestCharsets:
    """The first bytes say it; labels are not looked at."""

    @pytest.mark.parametrize("text", ['{"a": "नमस्ते"}', "Success Your MessageId is 5320", "[]"])
    @pytest.mark.parametrize(
        ("charset", "mark"),
        [
            ("utf-8", b""),
            ("utf-8", codecs.BOM_UTF8),
            ("utf-16-le", codecs.BOM_UTF16_LE),
            ("utf-16-be", codecs.BOM_UTF16_BE),
            ("utf-32-le", codecs.BOM_UTF32_LE),
            ("utf-32-be", codecs.BOM_UTF32_BE),
            ("utf-16-le", b""),
            ("utf-16-be", b""),
        ],
    )
    def test_every_unicode_form_is_read(self, text: str, charset: str, mark: bytes) -> None:
        """With a byte order mark, and UTF-16 without."""
        assert decoded(mark + text.encode(charset)).text == text

    def test_a_byte_that_is_no_utf_8_costs_one_character(self) -> None:
        """The rest stays readable."""
        assert decoded(b'{"id": "x\xe9", "b": 1}').json == {"id": "x\ufffd", "b": 1}


class TestRepeatedKeys:
    """A map may hold a key more than once."""

    def test_every_value_is_kept(self) -> None:
        """At every level, in order."""
        body = decoded(b'{"a": 1, "A": {"b": 1, "b": 2}, "a": 3}').json
        assert isinstance(body, dict)
        assert [1, {"b": 2}, 3] == members(body, "a")
        assert [("b", 1), ("b", 2)] == list(pairs_of(body["A"]))

    def test_all_words_are_heard(self) -> None:
        """A second error does not hide the first."""
        assert decoded(b'{"error": "Invalid Sender ID", "error": "x"}').words == "Invalid Sender ID; x"


class TestNumbers:
    """They stay what they are."""

    @pytest.mark.parametrize(
        ("written", "value"),
        [
            ("9.1987654321E11", Decimal("9.1987654321E11")),
            ("12345678901234567890123456789", 12345678901234567890123456789),
            ("0.1", Decimal("0.1")),
            ("NaN", "NaN"),
            ("-Infinity", "-Infinity"),
            ("1e99999999999999999999", "1e99999999999999999999"),
            ("1" * 5_000, "1" * 5_000),
        ],
    )
    def test_no_number_spoils_the_reply(self, written: str, value: object) -> None:
        """What no arithmetic can hold is a word."""
        assert decoded(f'{{"n": {written}, "a": 1}}'.encode()).json == {"n": value, "a": 1}


class TestHandMadeJson:
    """What no library would print."""

    @pytest.mark.parametrize(
        "written",
        [
            '{"message_id": {"N1": "919876543210",},}',
            "{'message_id': {'N1': '919876543210'}}",
            "{message_id: {N1: '919876543210'}}",
            '{"message_id" : {"N1" : "919876543210" , } }',
            '"{\\"message_id\\": {\\"N1\\": \\"919876543210\\"}}"',
            '\ufeff{"message_id": {"N1": "919876543210"}}',
        ],
    )
    def test_it_is_read_as_it_was_meant(self, written: str) -> None:
        """The ids in it are nowhere else."""
        assert decoded(written.encode()).json == {"message_id": {"N1": "919876543210"}}

    def test_words_without_quotes_are_strings_and_constants_what_they_say(self) -> None:
        """The digits of a word stay as they are."""
        body = decoded(b"{a: True, 'b': None, c: false, d: 007, e: 1.5E3, 1: N1, f: 'it\\'s \\u0041\\n',}")
        expected = {"a": True, "b": None, "c": False, "d": "007", "e": Decimal("1.5E3"), "1": "N1"}
        assert body.json == {**expected, "f": "it's A\n"}

    def test_a_line_break_within_a_string_is_borne(self) -> None:
        """The text of a message has some."""
        assert decoded(b'{"message": "a\nb"}').json == {"message": "a\nb"}

    @pytest.mark.parametrize(
        "written", ["{", "{'a}", "[1 2]", "{a b}", "{]", "[" * 3_000, "{:" * 200_000, "{[,"]
    )
    def test_what_is_nothing_of_the_kind_is_text(self, written: str) -> None:
        """Without an exception, and soon."""
        assert decoded(written.encode()).json is None

    @given(st.text(alphabet="{}[]:,'\"\\ a1\n"))
    def test_any_marks_are_survived(self, text: str) -> None:
        """Whatever their order."""
        assert decoded(text.encode()).text is not None
