"""The last safety net of the logs."""

import re
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.logs import Redaction


def _clean(redaction: Redaction, **event: object) -> dict[str, Any]:
    return dict(redaction(None, "info", event))


class TestSecrets:
    """Credentials become three stars."""

    @pytest.mark.parametrize(
        "text",
        ["p@ss w/rd", "p%40ss+w%2Frd", "p%40ss%20w%2Frd", "p%40ss%20w/rd", "x=p@ss w/rd&y", "xp@ss w/rdy"],
    )
    def test_are_hidden_in_every_spelling(self, text: str) -> None:
        """Raw or percent-encoded, alone or inside something."""
        cleaned = _clean(Redaction(["p@ss w/rd"]), event=text)["event"]
        assert "***" in cleaned
        assert "rd" not in cleaned

    @pytest.mark.parametrize(
        "form",
        [
            "p%40ss%20w%2frd",
            "p&#64;ss w/rd",
            "p&commat;ss+w&#x2F;rd",
            "p\\u0040ss w\\/rd",
            "cEBzcyB3L3Jk",
            "YWNtZTpwQHNzIHcvcmQ=",
        ],
    )
    def test_are_hidden_in_what_servers_make_of_them(self, form: str) -> None:
        """Escaped for URLs, HTML and JSON; in Base64, alone and behind the user name."""
        cleaned = _clean(Redaction(["p@ss w/rd"], ["acme"]), detail=f"HTTP 400: {form}, no")["detail"]
        assert cleaned == "HTTP 400: ***, no"

    def test_are_hidden_when_registered_encoded(self) -> None:
        """A password taken from a URL is hidden in its decoded form as well."""
        assert _clean(Redaction(["broker%2Fpw"]), url="broker/pw")["url"] == "***"

    def test_are_hidden_at_any_depth(self) -> None:
        """Lists, mappings, their keys, and objects that show themselves."""

        class Shown:
            def __repr__(self) -> str:
                return "<Shown hush-hush>"

        event = {"a": [{"hush-hush": ("hush-hush",)}], "b": Shown(), "c": ValueError("hush-hush")}
        assert "hush-hush" not in str(_clean(Redaction(["hush-hush"]), **event))

    def test_short_ones_and_names_are_hidden_as_words(self) -> None:
        """A user name that is a common word does not tear other words apart."""
        redaction = Redaction(["pw"], ["demo"])
        assert _clean(redaction, event="user=demo&password=pw")["event"] == "user=***&password=***"
        assert _clean(redaction, event="demonstration pwd")["event"] == "demonstration pwd"

    def test_a_broken_object_does_not_lose_the_line(self) -> None:
        """What cannot show itself is named by its type."""

        class Broken:
            def __repr__(self) -> str:
                raise RuntimeError

        assert _clean(Redaction(), value=Broken())["value"] == "<Broken>"

    @given(st.text(min_size=6).filter(lambda secret: secret.strip() == secret), st.text(), st.text())
    def test_never_survive(self, secret: str, before: str, after: str) -> None:
        """Whatever stands around a secret, it is gone."""
        for form in {secret, quote_plus(secret, errors="replace")}:
            cleaned = Redaction([secret]).text(f"{before}|{form}|{after}", numbers=False)
            assert f"|{form}|" not in cleaned or "***" in cleaned


class TestNumbers:
    """Phone numbers lose their middle."""

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("919876543210", "91********10"),
            ("+919876543210", "+9*********10"),
            ("+91 98765 43210", "+9***********10"),
            ("to=919876543210,919032728149&x", "to=91********10,91********49&x"),
            ("to=919876543210%2C919032728149", "to=91********10%2C91********49"),
            ("9876543210 is dead", "98******10 is dead"),
            ("no: 98765 40002", "no: 98*******02"),
            ("no: (098765)40004.", "no: (0*********04."),
            ("no: 98765-40002, 98765.40003", "no: 98*******02, 98*******03"),
            ("to=+91 (98765) 40002;", "to=+9*************02;"),
            ("98765 40002 98765 40003", "98*******************03"),
            ("555-1234", "55****34"),
            ("%2B98765 40002", "%2B98*******02"),
        ],
    )
    def test_are_masked(self, given: str, expected: str) -> None:
        """In any place of a text."""
        assert expected == _clean(Redaction(), event=given)["event"]

    @pytest.mark.parametrize(
        "given",
        [
            "532073f7e4b05199d2c3d812",
            "2026-11-23T10:15:00.123456+05:30",
            "2026-11-23 10:15:00",
            "417 credits",
            "123456789",
            "12345678901234567890",
            "12345678901234567890 12345678901234567891",
            "on 2026-11-23 at 10:15:00.123456789",
            "23.11.2026 10:15",
            "10.20.130.140:5672",
            "123456.78 credits",
            "after 12.345678 s",
            "0.42 12.53 100.5",
            "order-98765-40002",
            "3f2b1c4d-1234-5678-9012-a1b2c3d4e5f6",
            "HTTP 400: 3 of 417 (25 s)",
            "4.1.3",
        ],
    )
    def test_other_digits_stay(self, given: str) -> None:
        """Message ids, times and short or very long numbers are no phone numbers."""
        assert given == _clean(Redaction(), event=given)["event"]

    @given(
        st.lists(st.from_regex(r"[0-9]{3,5}", fullmatch=True), min_size=3, max_size=3),
        st.sampled_from([" ", "-", ".", "(", ")", " (", ") "]),
        st.sampled_from(["{}", "no {}", "({})", "'{}', not sent", "to={}&x"]),
    )
    def test_no_grouped_number_keeps_its_middle(self, groups: list[str], between: str, around: str) -> None:
        """Whatever separates its groups, and wherever it stands."""
        cleaned = Redaction().text(around.format(between.join(groups)))
        assert groups[1] not in re.split(r"[^0-9]+", cleaned)

    def test_a_job_id_stays(self) -> None:
        """The producer's id must be findable, even when it is all digits."""
        event = {"job_id": "919876543210", "count": 919876543210, "note": None, "on": True}
        assert event == _clean(Redaction(), **event)

    def test_keys_of_a_mapping_are_masked(self) -> None:
        """A mapping by recipient shows none."""
        assert _clean(Redaction(), ids={"919876543210": "a"})["ids"] == {"91********10": "a"}
