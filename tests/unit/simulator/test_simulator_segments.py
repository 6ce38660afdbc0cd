"""How the stand-in counts segments."""

import pytest

from worker.simulator.segments import count_segments, garble


class TestCountSegments:
    """GSM 03.38 and UCS-2, with the headers of joined messages."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a" * 160, 1),
            ("a" * 161, 2),
            ("a" * 306, 2),
            ("a" * 307, 3),
            ("€" * 80, 1),
            ("€" * 81, 2),
            ("a" * 152 + "€" + "a" * 7, 2),
            ("a" * 152 + "€" + "a" * 151, 2),
            ("a" * 152 + "€" + "a" * 152, 3),
        ],
    )
    def test_gsm(self, text: str, expected: int) -> None:
        """An escape pair is not split."""
        assert expected == count_segments(text, unicode=False)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [("न" * 70, 1), ("न" * 71, 2), ("न" * 135, 3), ("😀" * 35, 1), ("😀" * 36, 2), ("😀" * 67, 3)],
    )
    def test_ucs2(self, text: str, expected: int) -> None:
        """A surrogate pair is not split."""
        assert expected == count_segments(text, unicode=True)


class TestGarble:
    """What a text becomes without Unicode."""

    def test_the_gsm_alphabet_passes(self) -> None:
        """Both tables."""
        assert "Hello @£ {€} Ωß" == garble("Hello @£ {€} Ωß")

    def test_all_else_becomes_question_marks(self) -> None:
        """One for a character."""
        assert "?? ok?" == garble("नम ok😀")
