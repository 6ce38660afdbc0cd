"""Encodings and segments, against a slow model of its own."""

from hypothesis import given
from hypothesis import strategies as st

from worker.domain.text import Encoding, Measure, is_gsm7, measure

# 3GPP TS 23.038, tables of section 6.2.1, written out here once more.
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"
GSM_TEXTS = st.text(st.sampled_from(BASIC + EXTENSION * 3), min_size=1, max_size=700)


def slow_segments(widths: list[int], single: int, joined: int) -> int:
    """Put units into segments one after the other, each character whole."""
    if sum(widths) <= single:
        return 1
    segments = [0]
    for width in widths:
        if segments[-1] + width > joined:
            segments.append(0)
        segments[-1] += width
    return len(segments)


class TestAlphabet:
    """Which characters travel as GSM 7 bit."""

    def test_exactly_the_two_tables(self) -> None:
        """All of them, and no other of the basic plane."""
        assert set(BASIC + EXTENSION) == {char for char in map(chr, range(0x10000)) if is_gsm7(char)}

    def test_what_looks_like_one_is_none(self) -> None:
        """A small c with cedilla, a typographic quote, a tab and an escape need Unicode."""
        for char in "ç\u2019\t\x1b\u0391":
            assert Encoding.UCS2 == measure(char).encoding


class TestSegments:
    """How many segments a text takes."""

    def test_limits_of_gsm7(self) -> None:
        """160 in one, 153 in each of several."""
        sizes = [(160, 1), (161, 2), (306, 2), (307, 3)]
        assert [segments for _, segments in sizes] == [measure("a" * size).segments for size, _ in sizes]

    def test_limits_of_ucs2(self) -> None:
        """70 in one, 67 in each of several."""
        sizes = [(70, 1), (71, 2), (134, 2), (135, 3)]
        assert [segments for _, segments in sizes] == [measure("अ" * size).segments for size, _ in sizes]

    def test_extension_characters_count_twice(self) -> None:
        """Form feed and euro among them."""
        for char in EXTENSION:
            assert Measure(Encoding.GSM7, 1) == measure(char * 80)
            assert Measure(Encoding.GSM7, 2) == measure(char * 80 + "a")

    def test_an_escape_pair_is_not_split(self) -> None:
        """The last septet of a segment stays empty before a euro sign."""
        assert 2 == measure("a" * 152 + "b" + "a" * 153).segments
        assert 3 == measure("a" * 152 + "€" + "a" * 152).segments

    def test_a_surrogate_pair_is_not_split(self) -> None:
        """The last unit of a segment stays empty before an emoji."""
        assert 1 == measure("😀" * 35).segments
        assert 3 == measure("अ" * 66 + "😀" + "अ" * 66).segments

    def test_unicode_can_be_asked_for(self) -> None:
        """Then a plain text is measured as UCS-2."""
        assert Measure(Encoding.UCS2, 2) == measure("a" * 71, unicode=True)
        assert Measure(Encoding.GSM7, 1) == measure("a" * 71, unicode=False)

    @given(GSM_TEXTS)
    def test_gsm7_agrees_with_the_slow_model(self, text: str) -> None:
        """Whatever the text."""
        widths = [2 if char in EXTENSION else 1 for char in text]
        assert Measure(Encoding.GSM7, slow_segments(widths, 160, 153)) == measure(text)

    @given(st.text(min_size=1, max_size=300))
    def test_ucs2_agrees_with_the_slow_model(self, text: str) -> None:
        """Whatever the text."""
        widths = [len(char.encode("utf-16-le", "surrogatepass")) // 2 for char in text]
        assert Measure(Encoding.UCS2, slow_segments(widths, 70, 67)) == measure(text, unicode=True)
