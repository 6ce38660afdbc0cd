"""The last safety net of the logs."""

import re
from base64 import b64encode
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

    @pytest.mark.parametrize("user", ["", "a", "ab", "abc", "squid"])
    def test_are_hidden_in_base64_behind_any_name(self, user: str) -> None:
        """In the header that a proxy is given, and in what a broker is, whoever's name stands in front."""
        for login in (f"{user}:s3cret-pw", f"\0{user}\0s3cret-pw", f"{user}:s3cret-pw:more"):
            form = b64encode(login.encode()).decode()
            cleaned = Redaction(["s3cret-pw"]).text(f"Proxy-Authorization: Basic {form}")
            left = cleaned.rpartition("Basic ")[2].partition("***")
            assert left[1] == "***"
            assert all(len(rest) < len(form) - 9 for rest in (left[0], left[2]))

    def test_a_blank_may_be_a_plus_that_was_escaped_again(self) -> None:
        """As where a form is put into the query of another address."""
        cleaned = Redaction(["pass word"]).text("back=%2Fapi%3Fpassword%3Dpass%2Bword, pass%252Bword")
        assert "back=%2Fapi%3Fpassword%3D***, ***" == cleaned

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

    @pytest.mark.parametrize("said", ["HUSH-HUSH", "hush-hush", "HUSH%2DHUSH", "hush&#45;hush"])
    def test_are_hidden_in_capitals_too(self, said: str) -> None:
        """Some servers shout their errors, and what they quote there."""
        assert _clean(Redaction(["Hush-Hush"]), event=f"bad: {said}")["event"] == "bad: ***"

    def test_short_ones_and_names_are_hidden_as_words(self) -> None:
        """A user name that is a common word does not tear other words apart."""
        redaction = Redaction(["pw"], ["demo"])
        assert _clean(redaction, event="user=demo&password=pw")["event"] == "user=***&password=***"
        assert _clean(redaction, event="demonstration pwd")["event"] == "demonstration pwd"
        assert _clean(Redaction(["Send"]), kind="send", event="Send")["kind"] == "send"

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
            ("to=%252B919876543210", "to=%252B91********10"),
            ("\\u002b919876543210", "\\u002b91********10"),
            ("98765%2043210 98765", "98***************65"),
            ("98765+43210", "98*******10"),
            ("%2B91%252098765%252043210", "%2B91******************10"),
            ("98765&nbsp;43210", "98************10"),
            ("98765\\u00a043210", "98************10"),
            ("98765\u00a043210, 98765\u201143210", "98*******10, 98*******10"),
            ("98765   43210, 98765 - 43210", "98*********10, 98*********10"),
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
