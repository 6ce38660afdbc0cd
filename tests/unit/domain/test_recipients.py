"""Spellings of phone numbers."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType, country_code_for_region, example_number_for_type

from worker.domain import recipients
from worker.domain.recipients import NumberingPlan, as_sent, distinct, normalise
from worker.domain.spellings import InvalidNumberError, digits_of

INDIA = NumberingPlan("IN", frozenset({"IN"}))
SEVERAL = NumberingPlan("IN", frozenset({"IN", "US", "SG"}))
REGIONS = ("IN", "SG", "DE", "IT", "GB", "NG", "AE", "BR", "US", "CI")
NEARLY = st.from_regex(r"\A(tel:)?[ (]?\+{0,2}[ (]?(91|0|00|091|0091)?[-. ()]?[5-9][0-9 ().-]{6,12}\Z")
ODD = st.text(st.sampled_from("0123456789+-. ()/,&\n\t९٣ax;="), max_size=16)


def outcome(spelling: str, plan: NumberingPlan) -> str:
    """The digits, or that it is invalid."""
    try:
        return normalise(spelling, plan)
    except InvalidNumberError:
        return "invalid"


class TestSpellings:
    """What producers write."""

    @pytest.mark.parametrize(
        "spelling",
        [
            "919876543210",
            "+919876543210",
            "+91 98765 43210",
            "+91-98765-43210",
            "09876543210",
            "9876543210",
            "98765 43210",
            " 9876543210 ",
            "(0) 98765-43210",
            "00919876543210",
            "+91 (98765) 43210",
            "98765.43210",
            "tel:+919876543210",
            "98765\u00a043210",
            "+91\u201198765\u201143210",
        ],
    )
    def test_every_usual_spelling_is_one_number(self, spelling: str) -> None:
        """Digits with country code."""
        assert "919876543210" == normalise(spelling, INDIA)

    @pytest.mark.parametrize(
        "spelling",
        [
            "",
            "  ",
            "\n",
            "12",
            "98765,43210",
            "9876543210,9876543211",
            "9876543210&to=9876543211",
            "9876543210\n",
            "98765\n43210",
            "9876543210\r",
            "98765x43210",
            "9876543210 ext 5",
            "9876543210;ext=5",
            "1800FLOWERS",
            "९८७६५४३२१०",
            "٩٨٧٦٥٤٣٢١٠",
            "9876543210" * 30,
            "98765432101",
            "+14155552671",
            "01123456789",
            "0",
            "+",
            "++919876543210",
            "\u20659876543210",
        ],
    )
    def test_what_cannot_be_a_mobile_number_is_invalid(self, spelling: str) -> None:
        """And says why."""
        with pytest.raises(InvalidNumberError) as error:
            normalise(spelling, INDIA)
        assert str(error.value)

    def test_a_number_that_is_dialled_otherwise_at_home_is_asked_for_as_it_is_from_abroad(self) -> None:
        """Argentina's 15 would have to be taken out of the middle, and a 9 put in front."""
        plan = NumberingPlan("AR", frozenset({"AR"}))
        assert "5491123456789" == normalise("+54 9 11 2345 6789", plan)
        with pytest.raises(InvalidNumberError, match=r"write it with \+ and its country code"):
            normalise("011 15 2345-6789", plan)

    def test_a_number_that_begins_like_the_country_code(self) -> None:
        """Ten digits that start with 91 are a number of their own."""
        assert "919198765432" == normalise("9198765432", INDIA)

    @pytest.mark.parametrize("region", REGIONS)
    def test_mobile_numbers_of_other_regions(self, region: str) -> None:
        """With or without country code, where the region is the default one."""
        plan = NumberingPlan(region, frozenset({region}))
        number = example_number_for_type(region, PhoneNumberType.MOBILE)
        assert number is not None
        digits = f"{number.country_code}{'0' if number.italian_leading_zero else ''}{number.national_number}"
        assert digits == normalise(f"+{digits}", plan)
        assert digits == normalise(digits.removeprefix(str(number.country_code)), plan)

    def test_several_regions_are_allowed_side_by_side(self) -> None:
        """Those of others need their country code."""
        assert "14155552671" == normalise("+1 415 555 2671", SEVERAL)
        assert "invalid" == outcome("+4915112345678", SEVERAL)

    @settings(max_examples=400)
    @example("+91(98765)43210")
    @example("(+91)9876543210")
    @example("-9876543210")
    @example("+ 919876543210")
    @example("98765.43210")
    @given(NEARLY | ODD)
    def test_the_quick_path_agrees_with_the_library(self, spelling: str) -> None:
        """Where it answers, the library's parser gives the same digits."""
        try:
            digits = digits_of(spelling)
        except InvalidNumberError:
            return
        if (quick := recipients._plainly_mobile(digits, INDIA)) is not None:
            assert quick == recipients._parsed(digits, INDIA)

    @settings(max_examples=400)
    @given(NEARLY | ODD)
    def test_the_outcome_is_digits_or_an_error(self, spelling: str) -> None:
        """Nothing that a query could be changed by, and the same again for its own result."""
        digits = outcome(spelling, INDIA)
        assert digits == "invalid" or (digits.isascii() and digits.isdigit())
        if digits != "invalid":
            assert digits == normalise(digits, INDIA)


class TestAsSent:
    """The numbers of a reply, named as in the results of a send."""

    @pytest.mark.parametrize("digits", ["9876543210", "919876543210", "09876543210", "00919876543210"])
    def test_a_mobile_number_of_the_default_region_has_its_country_code(self, digits: str) -> None:
        """With it, without it, or as it is dialled."""
        assert "919876543210" == as_sent(digits, INDIA)

    @pytest.mark.parametrize("digits", ["12", "1123456789", "14155552671", "6581234567", "1" * 15])
    def test_anything_else_stays_as_it_is(self, digits: str) -> None:
        """Landlines, other countries, no numbers at all."""
        assert digits == as_sent(digits, INDIA)

    def test_what_may_be_a_number_of_two_allowed_regions_stays_as_it_is(self) -> None:
        """Nobody can tell which: 65 is Singapore's code, and Indian mobile numbers begin like it."""
        assert "916590000000" == as_sent("6590000000", INDIA)
        assert "6590000000" == as_sent("6590000000", SEVERAL)
        assert "919876543210" == as_sent("9876543210", SEVERAL)

    @settings(max_examples=400)
    @given(NEARLY | ODD)
    def test_what_was_sent_to_is_found_again(self, spelling: str) -> None:
        """With its country code or without."""
        name = outcome(spelling, INDIA)
        if name != "invalid":
            assert name == as_sent(name, INDIA) == as_sent(name.removeprefix("91"), INDIA)


class TestDistinct:
    """Repeats are collapsed."""

    def test_two_spellings_are_one_recipient(self) -> None:
        """In the order of their first appearance; the invalid one keeps its spelling."""
        found = distinct(["98765 43210", "12", "+919876543210", "9876543211", "12"], INDIA)
        assert ("919876543210", "12", "919876543211") == found.order
        assert ("919876543210", "919876543211") == found.valid
        assert ["12"] == list(found.invalid)

    @pytest.mark.parametrize("spellings", [["14155552671", "+14155552671"], ["+14155552671", "14155552671"]])
    def test_digits_without_their_plus_are_the_number_that_another_spelling_names(
        self, spellings: list[str]
    ) -> None:
        """In either order; alone they are invalid."""
        found = distinct(spellings, SEVERAL)
        assert ("14155552671",) == found.valid
        assert found == replace(found, order=("14155552671",), invalid={})
        assert () == distinct(["14155552671"], SEVERAL).valid

    @pytest.mark.parametrize("region", ["IN", "US", "GB", "IT", "DE", "BR"])
    @given(
        numbers=st.lists(st.integers(0, 10**10 - 1), min_size=1, max_size=8),
        odd=st.sampled_from(["", ",", "1"]),
    )
    def test_together_they_are_what_each_is_alone(self, region: str, numbers: list[int], odd: str) -> None:
        """Those that are spelt as they are sent are looked at all at once."""
        plan, code = NumberingPlan(region, frozenset({region})), country_code_for_region(region)
        spellings = [f"{code}{number:010d}{odd}" for number in numbers]
        alone = [distinct([one], plan) for one in spellings]
        assert (
            tuple(dict.fromkeys(name for one in alone for name in one.order))
            == distinct(spellings, plan).order
        )
        assert {*distinct(spellings, plan).invalid} == {name for one in alone for name in one.invalid}

    @given(st.lists(NEARLY | ODD, max_size=20))
    def test_each_spelling_has_exactly_one_name(self, spellings: list[str]) -> None:
        """Names are distinct, and each is that of a spelling."""
        found = distinct(spellings, INDIA)
        assert len(found.order) == len(set(found.order))
        names = {digits if (digits := outcome(one, INDIA)) != "invalid" else one for one in spellings}
        assert names == set(found.order)
        assert set(found.order) == {*found.valid, *found.invalid}
