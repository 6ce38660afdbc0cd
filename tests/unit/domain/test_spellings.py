"""What is plainly one phone number, and the words about everything else."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.domain.recipients import NumberingPlan, normalise
from worker.domain.spellings import InvalidNumberError, digits_of

INDIA = NumberingPlan("IN", frozenset({"IN"}))
SEVERAL = NumberingPlan("IN", frozenset({"IN", "US", "DE", "FR", "AE"}))
NUMBER = "919876543210"
# Whatever people, programs and hand-made exports put around and between digits.
DIGITS = st.sampled_from([*"0123456789", "91", "98765", "43210", "00", "(0)", ".0", ".00", "E+11"])
AROUND = st.sampled_from(
    [*"+-.,/()'\"=;:#*%&eExX \t\n\u00a0\u200b\u2212\uff19\u0669", " or ", "tel:", "ext", "+91"]
)
MADE_UP = st.lists(DIGITS | AROUND, max_size=14).map("".join)


def fault(spelling: str, plan: NumberingPlan = INDIA) -> str:
    """Return why *spelling* is invalid."""
    with pytest.raises(InvalidNumberError) as error:
        normalise(spelling, plan)
    return str(error.value)


class TestSpreadsheets:
    """A number that was computed with is no phone number: some of its digits may be made up or lost."""

    @pytest.mark.parametrize(
        ("spelling", "habit"),
        [
            ("987654321.0", "has a decimal point"),
            ("919876543210.0", "has a decimal point"),
            ("9876543210.0", "has a decimal point"),
            ("9876543210.00", "has a decimal point"),
            ("9876543210.", "has a decimal point"),
            ("919876543210.5", "has a decimal point"),
            ("+987654321.0", "has a decimal point"),
            ("+91 98765 4321.0", "has a decimal point"),
            ("98765-4321.0", "has a decimal point"),
            ("98765432.10", "has a decimal point"),
            ("9 876 543.210", "has a decimal point"),
            ("9\u00a0876\u00a0543.210", "has a decimal point"),
            ("9876.543210", "has a decimal point"),
            ("0.9876543210", "has a decimal point"),
            ("91.9876543210", "has a decimal point"),
            ("9.19876543210", "has a decimal point"),
            ("+9.19876543210", "has a decimal point"),
            (".9876543210", "has a decimal point"),
            ("9.19E+11", "has an exponent"),
            ("9.19876543210E+11", "has an exponent"),
            ("9,19E+11", "has an exponent"),
            ("9.19e11", "has an exponent"),
            ("91987654321e1", "has an exponent"),
            ("9.E+9", "has an exponent"),
            ("9.19 E+11", "has an exponent"),
            ("-9876543210", "has a minus"),
            ("-9876543210.0", "has a minus"),
            ("919,876,543,210", "has commas in it"),
            ("9,87,65,43,210", "has commas in it"),
            ("98765,43210", "has commas in it"),
            ("9,876,543,210.00", "has commas in it"),
            ("9876543210,0", "has commas in it"),
            ("987.654.321,0", "has commas in it"),
            ("9.876.543.210,00", "has commas in it"),
            ("9 876 543 210,0", "has commas in it"),
            ("9'876'543'210,0", "has commas in it"),
            ("'919876543210", "has ' in front"),
            ('="919876543210"', "has = in front"),
            ("=919876543210", "has = in front"),
        ],
    )
    def test_the_detail_names_the_habit_and_the_remedy(self, spelling: str, habit: str) -> None:
        """Nobody is called, and who made the file knows what to do."""
        words = (
            f"{habit}: spreadsheets write numbers so, and lose digits: make the column text and fill it anew"
        )
        assert words == fault(spelling)

    @pytest.mark.parametrize(
        ("spelling", "letter"),
        [("9876543210 ext. 12", "e"), ("Mr. X 9876543210", "M"), ("tel.9876543210", "t")],
    )
    def test_a_dot_behind_a_word_is_no_decimal_point(self, spelling: str, letter: str) -> None:
        """No spreadsheet wrote that; what is wrong is the word."""
        assert f'has "{letter}", which is not part of a phone number' == fault(spelling)

    @pytest.mark.parametrize(
        "spelling",
        [
            "98765.43210",
            "098765.43210",
            "+91 98765.43210",
            "(0) 98765.43210",
            "+91.9876543210",
            "+91.98765.43210",
            "91.98765.43210",
            "987.654.3210",
            "98.76.54.32.10",
            "0091.98765.43210",
        ],
    )
    def test_dots_between_groups_are_no_decimal_point(self, spelling: str) -> None:
        """In the middle, behind the country code, or several of them."""
        assert NUMBER == normalise(spelling, INDIA)

    @pytest.mark.parametrize(
        ("spelling", "digits"),
        [
            ("+1 (415) 555.2671", "14155552671"),
            ("+33.6.12.34.56.78", "33612345678"),
            ("+33 6.12.34.56.78", "33612345678"),
            ("+1-415.555.2671", "14155552671"),
        ],
    )
    def test_the_dots_of_other_countries(self, spelling: str, digits: str) -> None:
        """Brackets and dashes stand in no decimal."""
        assert digits == normalise(spelling, SEVERAL)


class TestOddCharacters:
    """They are named: most of them nobody can see."""

    @pytest.mark.parametrize(
        ("char", "name"),
        [
            ("\u200b", "U+200B ZERO WIDTH SPACE"),
            ("\ufeff", "U+FEFF ZERO WIDTH NO-BREAK SPACE"),
            ("\u202a", "U+202A LEFT-TO-RIGHT EMBEDDING"),
            ("\u202c", "U+202C POP DIRECTIONAL FORMATTING"),
            ("\u202e", "U+202E RIGHT-TO-LEFT OVERRIDE"),
            ("\u2066", "U+2066 LEFT-TO-RIGHT ISOLATE"),
            ("\u00ad", "U+00AD SOFT HYPHEN"),
            ("\u2060", "U+2060 WORD JOINER"),
            ("\u2009", "U+2009 THIN SPACE"),
            ("\u202f", "U+202F NARROW NO-BREAK SPACE"),
            ("\u2028", "U+2028 LINE SEPARATOR"),
            ("\u3000", "U+3000 IDEOGRAPHIC SPACE"),
            ("\ufe0f", "U+FE0F VARIATION SELECTOR-16"),
            ("\t", "U+0009 TAB"),
            ("\n", "U+000A LINE FEED"),
            ("\r", "U+000D CARRIAGE RETURN"),
            ("\0", "U+0000 NULL"),
            ("\x07", "U+0007 a control character"),
            ("\x7f", "U+007F a control character"),
            ("\udc80", "U+DC80 half a character"),
        ],
    )
    @pytest.mark.parametrize("where", ["{}9876543210", "98765{}43210", "9876543210{}"])
    def test_what_nobody_sees_is_named(self, char: str, name: str, where: str) -> None:
        """By its code and by Unicode's name."""
        assert f"has {name}, which nobody sees: type the number anew" == fault(where.format(char))

    @pytest.mark.parametrize(
        ("spelling", "name"),
        [
            ("९८७६५४३२१०", "U+096F DEVANAGARI DIGIT NINE"),
            ("٩٨٧٦٥٤٣٢١٠", "U+0669 ARABIC-INDIC DIGIT NINE"),
            ("\uff199876543210", "U+FF19 FULLWIDTH DIGIT NINE"),
            ("987654321²", "U+00B2 SUPERSCRIPT TWO"),
        ],
    )
    def test_digits_of_another_script_are_named(self, spelling: str, name: str) -> None:
        """They are not turned into ours: who wrote them may have meant another order."""
        assert f"has {name}: write it with the digits 0 to 9" == fault(spelling)

    @pytest.mark.parametrize(
        ("spelling", "odd"),
        [
            ("1-800-FLOWERS", '"F"'),
            ("98765x43210", '"x"'),
            ("98765 43210 ext 5", '"e"'),
            ("9876543210#5", '"#"'),
            ("9876543210*", '"*"'),
            ("%2B919876543210", '"%"'),
            ("tel:%2B919876543210", '"t"'),
            ("sms:+919876543210", '"s"'),
            ("nan", '"n"'),
            ("\u2212919876543210", "U+2212 MINUS SIGN"),
            ("☎9876543210", "U+260E BLACK TELEPHONE"),
            ("9876543210\u2800", "U+2800 BRAILLE PATTERN BLANK"),
        ],
    )
    def test_the_first_character_that_is_no_part_of_a_number_is_named(self, spelling: str, odd: str) -> None:
        """Letters are never turned into the digits of their keys."""
        assert f"has {odd}, which is not part of a phone number" == fault(spelling)


class TestSeveral:
    """An entry is one number."""

    @pytest.mark.parametrize(
        ("spelling", "between"),
        [
            ("9876543210,9876543211", ","),
            ("9876543210;9876543211", ";"),
            ("9876543210 or 9876543211", "or"),
            ("9876543210 AND 11", "AND"),
            ("9876543210&to=9876543211", "&"),
            ("9876543210;ext=5", ";"),
            ("tel:+91-98765-43210;phone-context=+91", ";"),
        ],
    )
    def test_what_stands_between_two_is_named(self, spelling: str, between: str) -> None:
        """They are not taken apart, and none of them is called."""
        assert f'has "{between}": one number an entry' == fault(spelling)

    @pytest.mark.parametrize("spelling", ["98765432/10", "9876543210/11", "022-2345678/79", "98/765/43210"])
    def test_a_slash_in_front_of_a_few_digits_is_another_ending(self, spelling: str) -> None:
        """98765432/10 is ...32 and ...10, and no number of ten digits."""
        assert fault(spelling).startswith("has its plus, brackets, dots or slashes where")

    @pytest.mark.parametrize("spelling", ["9876543210/9876543211", "9876543210 9876543211"])
    def test_two_whole_numbers_are_too_long_for_one(self, spelling: str) -> None:
        """With nothing but a separator between them."""
        assert "too long" == fault(spelling)

    def test_a_slash_behind_the_area_code(self) -> None:
        """As in Germany."""
        plan = NumberingPlan("DE", frozenset({"DE"}))
        assert "491711234567" == normalise("0171/123 45 67", plan)


class TestPrefixes:
    """What is dialled in front."""

    @pytest.mark.parametrize(
        "spelling",
        [
            "+91 (0) 98765 43210",
            "+91 (0)98765-43210",
            "(+91) 98765 43210",
            "+(91) 98765 43210",
            "+ 91 98765 43210",
            "00 91 98765 43210",
            "0091-98765-43210",
            "0 98765 43210",
            "(098765) 43210",
            "9 8 7 6 5 4 3 2 1 0",
            "98765 - 43210",
            "tel:+91-98765-43210",
        ],
    )
    def test_country_code_trunk_zero_and_international_prefix(self, spelling: str) -> None:
        """All of them name one number."""
        assert NUMBER == normalise(spelling, INDIA)

    @pytest.mark.parametrize(
        "spelling",
        ["19876543210", "91987654321", "98765432101", "+0919876543210", "+00919876543210", "0919876543210"],
    )
    def test_a_digit_too_many_or_too_few_is_never_left_out(self, spelling: str) -> None:
        """Eleven digits are no ten."""
        assert fault(spelling)

    @pytest.mark.parametrize(
        "spelling", ["91+9876543210", "++919876543210", "+91+9876543210", "98765)43210", "()"]
    )
    def test_plus_and_brackets_stand_where_they_belong(self, spelling: str) -> None:
        """A plus is first, a bracket has its other one."""
        assert fault(spelling)


class TestProperty:
    """No spelling becomes another number."""

    @settings(max_examples=1500)
    @example("987654321.0")
    @example("98765.43210")
    @example("98765432/10")
    @example("+9.19876543210")
    @given(MADE_UP)
    def test_what_is_accepted_has_exactly_the_digits_that_were_written(self, spelling: str) -> None:
        """Behind what is dialled in front: nothing is dropped, added or mapped."""
        try:
            number = normalise(spelling, INDIA)
        except InvalidNumberError:
            return
        written = re.sub(r"[^0-9]", "", spelling)
        assert written.endswith(number.removeprefix("91"))
        assert written.removesuffix(number.removeprefix("91")) in {"", "0", "91", "910", "0091", "00910"}

    @settings(max_examples=1500)
    @given(MADE_UP | st.text(max_size=30))
    def test_the_digits_are_all_digits_in_their_order_or_there_are_none(self, spelling: str) -> None:
        """Only what separates is left out."""
        try:
            digits = digits_of(spelling)
        except InvalidNumberError:
            return
        assert re.fullmatch(r"\+?[0-9]+", digits, re.ASCII)
        assert digits == re.sub(r"[^0-9+]", "", spelling)

    def test_a_spelling_without_end_takes_no_time(self) -> None:
        """A hostile one included."""
        for spelling in (
            "(1)" * 13,
            "1 " * 19 + "x",
            "1-" * 19,
            "9" * 1_000_000,
            "1.1" * 13,
            " " * 1_000_000,
        ):
            fault(spelling)
