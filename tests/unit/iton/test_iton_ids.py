"""What is a message id, and what only stands where one should."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.iton.ids import message_id
from worker.iton.protocol import nameable_ids


class TestIds:
    """Whatever the gateway may have issued."""

    @pytest.mark.parametrize(
        "name",
        [
            "532073f7e4b05199d2c3d812",
            "8624389",
            "N1",
            "a1b2c3==",
            "YWJjZGVm+/8=",
            "aGVsbG8=",
            "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}",
            "urn:uuid:6f9619ff-8b86-d011-b42d-00cf4fc964ff",
            "2026/03/01#17",
            "abc@host:5",
            "-6312873621873618",
            "-a1",
            "_x9",
            "1'2\"3",
            "50%",
            "ä17",
            "MSG-12",
            "5E10",
            "532073e7",
            "error-20260301120000",
        ],
    )
    def test_any_printable_characters_make_an_id(self, name: str) -> None:
        """As a value and as a key; and it can be asked about."""
        assert (message_id(name), message_id(f" {name} ", keyed=True)) == (name, name)
        assert nameable_ids([name]) == (name,)

    @pytest.mark.parametrize(
        ("number", "name"),
        [
            (8624389, "8624389"),
            (Decimal("8.624389E6"), "8624389"),
            (Decimal("8624389.0"), "8624389"),
            (Decimal("1e2"), "100"),
            (12345678901234567890123456789, "12345678901234567890123456789"),
            (Decimal("1.2345678901234567890123456789E28"), "12345678901234567890123456789"),
            ("8.624389E6", "8624389"),
            ("8624389.0", "8624389"),
        ],
    )
    def test_a_whole_number_in_any_notation_loses_no_digit(self, number: object, name: str) -> None:
        """No float is in between."""
        assert message_id(number) == name

    @pytest.mark.parametrize(
        "value",
        [
            *("0", "00", "0.0", "", " ", "-", "--", "-1", "-42", "null", "NULL", "(null)", "<null>", "None"),
            *("NA", "N/A", "n.a.", "nil", "NaN", "undefined", "false", "true", "error", "Error!", "FAILED"),
            *("Rejected", "Queued", "Not-Sent", "invalid_sender", "ERR-102", "error:5", "ERR102", "E: fail"),
            *(
                "00000000-0000-0000-0000-000000000000",
                "0" * 24,
                "a b1",
                "1a,2b",
                "1\n2",
                "x1\u200b",
                "1" * 201,
            ),
            *(0, -1, True, False, None, Decimal("NaN"), Decimal("1.5"), Decimal("1E99999"), 10**300, ["a1"]),
        ],
    )
    def test_what_stands_where_an_id_is_missing_is_none(self, value: object) -> None:
        """Else somebody would be told that a refused message was accepted."""
        assert message_id(value) is None

    @pytest.mark.parametrize(
        "word", ["error", "InvalidSender", "FAILED", "phone_number", "to", "NULL", "dnd"]
    )
    def test_a_key_that_is_a_field_or_a_status_is_no_id(self, word: str) -> None:
        """Also where ids stand."""
        assert message_id(word, keyed=True) is None

    @pytest.mark.parametrize("word", ["aGVsbGGhXy", "abcdef", "QWxhZGRpbg"])
    def test_letters_alone_are_an_id_where_a_map_has_its_ids(self, word: str) -> None:
        """Elsewhere they are a word of the gateway's."""
        assert (message_id(word, keyed=True), message_id(word)) == (word, None)

    @given(st.text() | st.integers() | st.decimals() | st.none() | st.booleans())
    def test_whatever_is_an_id_can_be_asked_about(self, value: object) -> None:
        """It goes into a comma-separated list."""
        name = message_id(value, keyed=True)
        assert name is None or nameable_ids([name]) == (name,)
