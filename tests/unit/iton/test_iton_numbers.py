"""Matching the numbers of a reply to those that were asked about."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.iton.numbers import AskedNumbers, plain_digits


class TestAskedNumbers:
    """A reply may spell a number in another way than the request did."""

    @pytest.mark.parametrize(
        "spelling",
        [
            "919876543210",
            "+919876543210",
            "+91 98765 43210",
            "00919876543210",
            "9876543210",
            "09876543210",
            " 98765-43210 ",
            919876543210,
            9876543210,
        ],
    )
    def test_every_usual_spelling_is_found(self, spelling: str | int) -> None:
        """With country code, plus, trunk zero or neither."""
        assert AskedNumbers(["919876543210", "919032728149"]).find(spelling) == "919876543210"

    @pytest.mark.parametrize(
        "spelling",
        [
            "919000000001",
            "76543210",
            "98765432100",
            "91XXXXXXXXXX",
            "",
            "9876543210,9032728149",
            None,
            True,
            1.5,
            10**40,
        ],
    )
    def test_nothing_else_is(self, spelling: object) -> None:
        """A stranger's number, a part of one, and what is no number."""
        assert AskedNumbers(["919876543210"]).find(spelling) is None

    def test_a_national_number_that_two_countries_share_names_neither(self) -> None:
        """The id of one must not go to the other; the whole number still tells them apart."""
        asked = AskedNumbers(["919876543210", "19876543210"])
        assert [asked.find(name) for name in ("9876543210", "+919876543210", "19876543210")] == [
            None,
            "919876543210",
            "19876543210",
        ]

    def test_a_number_of_another_country_with_the_same_end_is_a_stranger(self) -> None:
        """The last ten digits are not enough."""
        assert AskedNumbers(["19876543210"]).find("919876543210") is None

    def test_a_number_of_no_country_is_its_own_national_one(self) -> None:
        """Country code 999 is not assigned."""
        assert AskedNumbers(["999123456789"]).find("0999123456789") == "999123456789"
        assert AskedNumbers(["999123456789"]).find("123456789") is None

    def test_a_zero_that_belongs_to_the_number_is_kept(self) -> None:
        """Italy's numbers keep theirs behind the country code."""
        asked = AskedNumbers(["390612345678"])
        assert {asked.find("0612345678"), asked.find("612345678")} == {"390612345678"}

    @given(
        st.lists(st.from_regex(r"\A(91[6-9][0-9]{9}|1[2-9][0-9]{9}|4917[0-9]{8})\Z"), unique=True), st.data()
    )
    def test_no_spelling_leads_to_somebody_else(self, numbers: list[str], data: st.DataObject) -> None:
        """Whatever else is asked about, a whole number finds itself, a national one itself or nobody."""
        asked = AskedNumbers(numbers)
        for number in numbers:
            national = number[1:] if number.startswith("1") else number[2:]
            assert asked.find(f"+{number}") == number
            assert asked.find(national) in {number, None} or national in numbers
        assert asked.find(data.draw(st.text())) in {*numbers, None}


class TestPlainDigits:
    """What is written like a phone number."""

    @pytest.mark.parametrize(
        ("spelling", "digits"), [("+91 98765-43210", "919876543210"), ("(0)98765", "098765")]
    )
    def test_separators_are_dropped(self, spelling: str, digits: str) -> None:
        """Only digits are left."""
        assert plain_digits(spelling.replace("(0)", "0")) == digits

    @pytest.mark.parametrize(
        "spelling",
        [
            919876543210,
            Decimal("9.1987654321E11"),
            Decimal("919876543210.000"),
            "919876543210.0",
            "9.1987654321E11",
            "9.19876543210e+11",
        ],
    )
    def test_a_whole_number_in_any_notation_is_that_number(self, spelling: object) -> None:
        """As JSON libraries and Java's maps print it; for whoever looks for it, too."""
        assert plain_digits(spelling) == "919876543210"
        assert AskedNumbers(["919876543210"]).find(spelling) == "919876543210"

    @pytest.mark.parametrize(
        "spelling",
        [
            True,
            None,
            -919876543210,
            Decimal("919876543210.5"),
            Decimal("1E999999999"),
            Decimal("NaN"),
            10**400,
        ],
    )
    def test_no_other_json_value_is_a_number_of_somebody(self, spelling: object) -> None:
        """And none takes long."""
        assert plain_digits(spelling) is None

    @pytest.mark.parametrize("spelling", ["error", "12", "1e9", "९८७६५४३२१०", "98765\n43210", "5320729be4b0"])
    def test_other_things_are_none(self, spelling: str) -> None:
        """Words, ids, other alphabets."""
        assert plain_digits(spelling) is None
