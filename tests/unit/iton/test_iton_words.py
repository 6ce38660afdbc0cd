"""What may be quoted of a reply."""

import json
from urllib.parse import quote, quote_plus

import pytest

from worker.iton.bodies import decoded
from worker.iton.dialect import Credentials
from worker.iton.words import LONGEST_QUOTE, Quotes

PASSWORD = "gehe!m&w=ört"
QUOTES = Quotes(Credentials("acme-sms", PASSWORD, "token-4d2f81"))


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
        ],
    )
    def test_credentials_are_hidden_in_every_spelling(self, form: str) -> None:
        """A gateway may quote the request that it refuses."""
        said = QUOTES.detail(400, decoded(f"bad request: {form}".encode()), ())
        assert said == "HTTP 400: bad request: ***"

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

    def test_its_repr_shows_nothing(self) -> None:
        """It knows the credentials."""
        assert repr(QUOTES) == "Quotes()"
