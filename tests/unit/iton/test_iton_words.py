"""What may be quoted of a reply."""

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.iton.bodies import decoded
from worker.iton.dialect import Credentials
from worker.iton.words import LONGEST_QUOTE, Quotes
from worker.ports import MessageReport, RecipientStatus

PASSWORD = "gehe!m&w=ört"
QUOTES = Quotes(Credentials("acme-sms", PASSWORD, "token-4d2f81"))


def percent(text: str, *, lower: bool = True) -> str:
    """Percent-encode every byte."""
    return "".join(f"%{byte:02x}" if lower else f"%{byte:02X}" for byte in text.encode())


def json_units(text: str) -> str:
    """Write every character as JSON's escape of its UTF-16 code units."""
    units = text.encode("utf-16-be")
    return "".join(f"\\u{int.from_bytes(units[at : at + 2]):04x}" for at in range(0, len(units), 2))


def entities(text: str) -> str:
    """Escape for HTML, everything beyond ASCII as a number."""
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode()


def in_base64(text: str) -> str:
    """Encode as HTTP's Basic scheme encodes."""
    return base64.b64encode(text.encode()).decode()


WAYS: list[Callable[[str], str]] = [
    str,
    quote,
    quote_plus,
    percent,
    entities,
    json_units,
    html.escape,
    in_base64,
    lambda text: repr(text)[1:-1],
    lambda text: quote(quote(text, safe=""), safe=""),
    lambda text: quote(text, safe="").lower() if text.islower() else quote(text),
    lambda text: percent(text, lower=False),
    lambda text: text.replace(" ", "+"),
    lambda text: "".join(f"&#x{ord(char):X};" for char in text),
    lambda text: "".join(f"&#{ord(char)};" for char in text),
    lambda text: html.escape(html.escape(text)),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    lambda text: in_base64(f"acme-sms:{text}"),
    lambda text: in_base64(text).rstrip("=").translate(str.maketrans("+/", "-_")),
    lambda text: quote(in_base64(text), safe=""),
]
"""How a server may write a password."""


class TestQuotes:
    """The gateway's words, fit for a result and a log."""

    @pytest.mark.parametrize(
        "form",
        [
            PASSWORD,
            quote(PASSWORD),
            quote_plus(PASSWORD),
            quote(PASSWORD, safe=""),
            "token-4d2f81",
            "acme-sms",
            PASSWORD.upper(),
            quote(PASSWORD, safe="").lower(),
            "TOKEN-4D2F81",
        ],
    )
    def test_credentials_are_hidden_in_every_spelling(self, form: str) -> None:
        """A gateway may quote the request that it refuses."""
        said = QUOTES.detail(400, decoded(f"bad request: {form}".encode()), ())
        assert said == "HTTP 400: bad request: ***"

    @given(st.text(min_size=6, max_size=24).filter(lambda text: text == text.strip()), st.data())
    def test_no_way_to_write_a_password_shows_it(self, password: str, data: st.DataObject) -> None:
        """Servers escape for URLs, for HTML and for JSON, some of the characters or all, in Base64 too."""
        quotes = Quotes(Credentials("acme-sms", password, None))
        form = data.draw(st.sampled_from(WAYS))(password)
        assert quotes.clean(f"bad: {form} .", ()).rstrip(" .").removesuffix("***") == "bad: "

    def test_a_password_is_hidden_where_its_escapes_are_mixed(self) -> None:
        """Each character may be written in a way of its own."""
        form = "%67ehe&#33;m&amp;w%3d\\u00f6rt"
        assert QUOTES.clean(f"bad: {form}", ()) == "bad: ***"

    @pytest.mark.parametrize("form", ["user%3Dacme-sms%26", '{"user\\u003dacme-sms', "&quot;acme-sms&quot;"])
    def test_the_user_name_is_hidden_beside_an_escape(self, form: str) -> None:
        """An escape's last letters are no part of the word."""
        assert "acme-sms" not in QUOTES.clean(form, ())

    def test_a_report_shows_no_credentials(self) -> None:
        """Its numbers and the rest of its texts are what was asked for."""
        recipient = RecipientStatus("919876543210", "unknown", f"BAD {PASSWORD}")
        report = MessageReport("acme-sms", None, f"Use {quote(PASSWORD)}, 919876543210", (recipient,))
        assert QUOTES.report(report) == MessageReport(
            "***", None, "Use ***, 919876543210", (RecipientStatus("919876543210", "unknown", "BAD ***"),)
        )
        nothing = MessageReport(None, None, None, ())
        assert QUOTES.report(nothing) == nothing

    @given(
        st.lists(
            st.builds(
                MessageReport,
                st.none() | st.sampled_from(["ITONXX", "acme-sms", "acme"]),
                st.none(),
                st.none() | st.sampled_from(["hello", "acme", "-sms", quote(PASSWORD), PASSWORD, "a\\nb"]),
                st.just((RecipientStatus("919876543210", "unknown", "acme-sms"),)) | st.just(()),
            ),
            max_size=3,
        )
    )
    def test_several_reports_show_what_each_would(self, reports: list[MessageReport]) -> None:
        """They are looked at together; no end of one and start of the next makes a word."""
        named = {str(number): report for number, report in enumerate(reports)}
        assert QUOTES.reports(named) == {name: QUOTES.report(report) for name, report in named.items()}

    def test_numbers_and_the_text_are_hidden(self) -> None:
        """Also where JSON escapes them."""
        text = 'Ihr "Code" für नमस्ते'
        for body in (f"bad: {text} 919876543210", json.dumps({"x": [{"y": text}, "919876543210"]})):
            said = QUOTES.detail(200, decoded(body.encode()), (text, "919876543210"))
            assert text not in said
            assert "919876543210" not in said
            assert "Code" not in said

    def test_a_number_of_somebody_else_is_masked(self) -> None:
        """It is a person's as well."""
        assert "919000000001" not in QUOTES.detail(200, decoded(b"no: 919000000001"), ())

    @pytest.mark.parametrize("spelling", ["919876543210", "+919876543210", "98765 43210", "09876543210"])
    def test_a_number_of_the_job_can_be_shown(self, spelling: str) -> None:
        """However the gateway spells it; that of somebody else beside it stays masked."""
        body = decoded(f"Invalid mobile number {spelling}, 919000000001; {quote(PASSWORD)}".encode())
        said = QUOTES.detail(400, body, (), shown=("919876543210", "919876543211"))
        assert said == f"HTTP 400: Invalid mobile number {spelling}, 91********01; ***"

    def test_an_id_stays(self) -> None:
        """Of a reply that could not be read it is the only trace."""
        assert QUOTES.detail(200, decoded(b'{"ids": {"x": "532073f7e4b05199d2c3d812"}}'), ()).endswith(
            '{"ids": {"x": "532073f7e4b05199d2c3d812"}}'
        )

    def test_a_short_text_does_not_tear_words_apart(self) -> None:
        """A message may be as short as *in*."""
        assert QUOTES.detail(200, decoded(b"Invalid Sender ID"), ("in",)) == "HTTP 200: Invalid Sender ID"

    def test_it_is_one_short_line(self) -> None:
        """Without control characters; cut only after everything secret is out."""
        said = QUOTES.clean("a\r\nb\x00\x1b[31m" + "c" * (LONGEST_QUOTE - 20) + PASSWORD + "d" * 300, ())
        assert len(said) == LONGEST_QUOTE
        assert said.startswith("a b [31mccc")
        assert said.isprintable()
        assert "gehe" not in said

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"<html>secret</html>", "HTTP 502 with a page instead of a reply"),
            (b" ", "HTTP 502 with an empty body"),
            (b'{"error": {"message": "no"}}', "HTTP 502: no"),
        ],
    )
    def test_pages_are_named_and_json_is_read(self, body: bytes, said: str) -> None:
        """Markup is of no use in a result."""
        assert QUOTES.detail(502, decoded(body), ()) == said

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"<html>secret</html>", "HTTP 502 with a page instead of a reply"),
            (b" ", "HTTP 502 with an empty body"),
            (b'{"error": "no"}', "HTTP 502 with a reply of 15 characters"),
        ],
    )
    def test_an_outline_has_no_word_of_the_reply(self, body: bytes, said: str) -> None:
        """For the log."""
        assert QUOTES.outline(502, decoded(body)) == said

    def test_its_repr_shows_nothing(self) -> None:
        """It knows the credentials."""
        assert repr(QUOTES) == "Quotes()"
