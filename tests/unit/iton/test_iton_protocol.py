"""Requests: what they say, that nothing can be smuggled into them, and how they are packed."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.errors import PermanentError
from worker.iton.dialect import Credentials, Dialect
from worker.iton.protocol import Request, Requests, nameable_ids
from worker.ports import TextMessage

ADDRESS = "https://sms.iton.in/ItonSMSAPI/smsService/api/"
ACCOUNT = [("username", "us&er"), ("password", "p=w d+%")]
NUMBERS = [str(919876500000 + number) for number in range(300)]

# What UTF-8 can say.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def requests(**dialect: Any) -> Requests:  # noqa: ANN401 - the fields of Dialect
    """Return the builder of an account whose credentials need quoting."""
    return Requests(ADDRESS, Credentials("us&er", "p=w d+%", "t0ken"), Dialect(**dialect))


def message(text: str = "Hello", **fields: Any) -> TextMessage:  # noqa: ANN401 - the fields of TextMessage
    """Return a message with everything at its simplest."""
    return TextMessage(**{"text": text, "unicode": False, "sender": None, "params": {}, **fields})


def said(request: Request) -> list[tuple[str, str]]:
    """Return the parameters as a server decodes them."""
    form = request.content.decode() if request.content is not None else urlsplit(request.url).query
    return parse_qsl(form, keep_blank_values=True, strict_parsing=True)


class TestRequests:
    """One command each, as the document shows them."""

    def test_send_says_who_what_and_to_whom(self) -> None:
        """Numbers are separated by a comma without a space."""
        request = requests().send(
            message("Hi", sender="ITONXX", params={"template_id": "7 & 8"}), NUMBERS[:2]
        )
        assert said(request) == [
            *ACCOUNT,
            ("cmd", "sendSMS"),
            ("to", "919876500000,919876500001"),
            ("uniCode", "0"),
            ("sender", "ITONXX"),
            ("message", "Hi"),
            ("template_id", "7 & 8"),
        ]
        assert request.url.startswith(
            f"{ADDRESS}?username=us%26er&password=p%3Dw%20d%2B%25&cmd=sendSMS&to=9198"
        )

    def test_unicode_is_two(self) -> None:
        """Else it is 0."""
        assert ("uniCode", "2") in said(requests().send(message("नमस्ते", unicode=True), NUMBERS[:1]))

    @pytest.mark.parametrize(
        ("own", "default", "sent"),
        [(None, None, []), (None, "ITONXX", ["ITONXX"]), ("OWN", "ITONXX", ["OWN"])],
    )
    def test_the_sender_is_the_message_s_or_the_default_or_absent(
        self, own: str | None, default: str | None, sent: list[str]
    ) -> None:
        """The job goes before the setting."""
        request = requests(default_sender=default).send(message(sender=own), NUMBERS[:1])
        assert [value for name, value in said(request) if name == "sender"] == sent

    def test_the_text_s_parameter_can_be_named(self) -> None:
        """The document forgot its name."""
        assert ("text", "Hello") in said(requests(text_parameter="text").send(message(), NUMBERS[:1]))

    def test_the_reading_commands(self) -> None:
        """Each with its list, spelt as the document does."""
        build = requests()
        assert said(build.account()) == [*ACCOUNT, ("cmd", "account")]
        assert said(build.message_status(["8624389", "86 &4390"])) == [
            *ACCOUNT,
            ("cmd", "message_status"),
            ("ids", "8624389,86 &4390"),
        ]
        assert said(build.check_dnd(NUMBERS[:2])) == [
            *ACCOUNT,
            ("cmd", "check_DNDnumber"),
            ("phoneNumbers", "919876500000,919876500001"),
        ]

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_post_says_the_same_in_its_form(self, method: Literal["GET", "POST"]) -> None:
        """And has no query."""
        request = requests(method=method).send(message("a&b\r\nc"), NUMBERS[:3])
        assert request.method == method
        assert said(request) == said(requests().send(message("a&b\r\nc"), NUMBERS[:3]))
        assert (method == "POST") == (request.url == ADDRESS)

    def test_the_token_is_sent_where_there_is_one(self) -> None:
        """In the header that the document names."""
        usual = {"Accept-Encoding": "gzip", "User-Agent": "iton-worker"}
        assert dict(requests().account().headers) == usual | {"Authorization": "ITON t0ken"}
        assert dict(Requests(ADDRESS, Credentials("u", "p"), Dialect()).account().headers) == usual

    def test_a_bare_host_gets_a_path(self) -> None:
        """So that its length is the one on the wire."""
        assert (
            Requests("http://host:8080", Credentials("u", "p"), Dialect())
            .account()
            .url.startswith("http://host:8080/?username=u&")
        )

    @pytest.mark.parametrize(
        "address",
        ["ftp://host/", "host", "", "http://", "http://u:p@host/", "http://host/?a=b", "http://host/#a"],
    )
    def test_what_is_no_address_of_a_gateway_is_refused(self, address: str) -> None:
        """At once, not at the first call."""
        with pytest.raises(ValueError, match="the gateway's address must"):
            Requests(address, Credentials("u", "p"), Dialect())

    @pytest.mark.parametrize("token", ["a b", "a\r\nX: y", "é"])
    def test_a_token_that_would_break_the_header_is_refused(self, token: str) -> None:
        """It must be visible ASCII."""
        with pytest.raises(ValueError, match="visible ASCII"):
            Credentials("u", "p", token)


class TestNothingIsSmuggledIn:
    """No value can end its parameter or start another."""

    @given(text=TEXTS, sender=TEXTS, params=st.dictionaries(st.from_regex(r"\Ax[a-z_]{1,9}\Z"), TEXTS))
    def test_every_value_arrives_as_it_was(self, text: str, sender: str, params: dict[str, str]) -> None:
        """Whatever it is made of: ``&``, ``#``, line breaks, percent signs, other alphabets."""
        request = requests().send(message(text, sender=sender, params=params), NUMBERS[:1])
        expected = [("uniCode", "0"), ("sender", sender), ("message", text), *params.items()]
        assert said(request)[4:] == expected
        assert request.url.isascii()
        assert not any(char.isspace() for char in request.url)

    @pytest.mark.parametrize(
        "name", ["to", "TO", "cmd", "username", "password", "unicode", "uniCode", "sender", "message"]
    )
    def test_params_cannot_override(self, name: str) -> None:
        """Even where a setting allowed the name by mistake."""
        with pytest.raises(PermanentError, match="reserved_param"):
            requests().send(message(params={name: "1"}), NUMBERS[:1])

    @pytest.mark.parametrize(
        "numbers",
        [[], NUMBERS[:101], ["91,92"], ["+919876543210"], ["९८"], ["919876543210&cmd=account"], [""]],
    )
    def test_only_digits_are_numbers(self, numbers: list[str]) -> None:
        """A comma would be a second number that nobody asked the ledger about."""
        with pytest.raises(ValueError, match="numbers"):
            requests().send(message(), numbers)
        with pytest.raises(ValueError, match="numbers"):
            requests().check_dnd(numbers)

    def test_half_a_character_cannot_be_sent(self) -> None:
        """UTF-8 has no way to say it."""
        with pytest.raises(PermanentError, match="invalid_unicode") as caught:
            requests().send(message("\ud83d"), NUMBERS[:1])
        assert caught.value.__context__ is None

    def test_ids_that_a_list_cannot_name_are_left_out(self) -> None:
        """ITON issued none of them; each other is named once."""
        assert nameable_ids(["1a", "2,3", "", "4 5", "6\n", "\ud83d", "1a", "7&8"]) == ("1a", "7&8")


class TestPack:
    """Recipients into the fewest calls."""

    @given(
        numbers=st.lists(st.from_regex(r"\A[1-9][0-9]{7,14}\Z"), max_size=250),
        text=st.text(st.sampled_from("aé€न😀& \n"), max_size=900),
        limit=st.integers(200, 9_000),
    )
    def test_calls_hold_everybody_once_in_order_and_within_the_limits(
        self, numbers: list[str], text: str, limit: int
    ) -> None:
        """The URL of a call of several is below the limit; each call is as full as it can be."""
        build = requests(url_limit=limit)
        calls = build.pack(message(text), numbers)
        assert [number for call in calls for number in call] == numbers
        for call in calls:
            assert 1 <= len(call) <= 100
            assert len(call) == 1 or len(build.send(message(text), call).url) < limit
        for call, following in pairwise(calls):
            fuller = (*call, following[0])
            assert len(call) == 100 or len(build.send(message(text), fuller).url) >= limit

    def test_a_short_text_goes_to_a_hundred_at_once(self) -> None:
        """The gateway's limit."""
        assert [len(call) for call in requests().pack(message(), NUMBERS)] == [100, 100, 100]

    def test_a_long_text_goes_to_fewer(self) -> None:
        """Four segments of Devanagari pass 8 KB with 100 numbers: each character is nine bytes."""
        calls = requests().pack(message("न" * 4 * 67 * 3, unicode=True, params={}), NUMBERS[:100])
        assert len(calls) > 1

    def test_a_text_that_fits_no_url_goes_alone(self) -> None:
        """The gateway may take it; its refusal is an outcome."""
        assert requests().pack(message("न" * 2_000), NUMBERS[:3]) == tuple(
            (number,) for number in NUMBERS[:3]
        )

    def test_a_post_is_packed_by_number_alone(self) -> None:
        """It has no long URL."""
        calls = requests(method="POST").pack(message("न" * 2_000), NUMBERS)
        assert [len(call) for call in calls] == [100, 100, 100]

    def test_nobody_needs_no_call(self) -> None:
        """An empty job packs to nothing."""
        assert requests().pack(message(), []) == ()

    @given(ids=st.lists(st.text(st.characters(min_codepoint=33), min_size=1, max_size=128), max_size=250))
    def test_ids_are_packed_likewise(self, ids: list[str]) -> None:
        """By the length that they have on the wire."""
        build = requests(url_limit=2_000)
        calls = build.pack_ids(ids)
        assert [name for call in calls for name in call] == ids
        assert all(self.fits(build, call) for call in calls)

    def fits(self, build: Requests, call: Sequence[str]) -> bool:
        """Tell whether a call keeps to the limits."""
        named = nameable_ids(call)
        return len(call) <= 100 and (len(call) == 1 or len(build.message_status(named).url) < 2_000)
