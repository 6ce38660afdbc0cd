"""The gateway's client without a network: which error stands for what."""

import asyncio
import logging
from dataclasses import replace
from decimal import Decimal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from worker.domain.errors import (
    AccountError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.iton.client import ItonGateway, Observers, TimeLimits
from worker.iton.dialect import Credentials, Dialect
from worker.iton.received import with_received
from worker.iton.rules import rules_from
from worker.ports import Gateway, TextMessage

ID = "532073f7e4b05199d2c3d812"
NUMBER = "919876543210"
MESSAGE = TextMessage(text="Hello", unicode=False, sender=None, params={})
CREDENTIALS = Credentials("anna", "gehe!m", None)


class Answers(httpx.AsyncBaseTransport):
    """Answers every request alike, or fails, and remembers the requests."""

    def __init__(self, outcome: bytes | Exception, status: int = 200) -> None:
        self.requests: list[httpx.Request] = []
        self._outcome = outcome
        self._status = status

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the reply, or raise."""
        self.requests.append(request)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return httpx.Response(self._status, content=self._outcome)


def gateway(
    transport: Answers, dialect: Dialect | None = None, observers: Observers | None = None
) -> ItonGateway:
    """Return a gateway that talks to *transport*."""
    return ItonGateway(
        "http://gateway.invalid/", CREDENTIALS, dialect, observers=observers, transport=transport
    )


async def failure(transport: Answers, dialect: Dialect | None = None) -> WorkerError:
    """Return the error of a sendSMS."""
    with pytest.raises(WorkerError) as caught:
        await gateway(transport, dialect).send(MESSAGE, [NUMBER])
    return caught.value


class TestHttpErrors:
    """One table from httpx's exceptions to ours."""

    @pytest.mark.parametrize("raised", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
    async def test_what_happens_before_the_request_is_safe_to_repeat(self, raised: type[Exception]) -> None:
        """Nothing was written."""
        error = await failure(Answers(raised("its name cannot be resolved")))
        assert (type(error), error.code) == (TransientError, "gateway_unreachable")
        assert error.detail == "the gateway cannot be reached: its name cannot be resolved"

    @pytest.mark.parametrize("raised", [httpx.DecodingError, httpx.RemoteProtocolError])
    async def test_a_reply_that_is_none_is_unreadable(self, raised: type[Exception]) -> None:
        """The gateway answered, and nobody knows what."""
        error = await failure(Answers(raised("?password=gehe!m")))
        assert (type(error), error.code) == (OutcomeUncertainError, "reply_unreadable")

    @pytest.mark.parametrize(
        "raised",
        [
            httpx.ReadError,
            httpx.ReadTimeout,
            httpx.WriteError,
            httpx.WriteTimeout,
            httpx.CloseError,
            httpx.LocalProtocolError,
            httpx.ProxyError,
            httpx.UnsupportedProtocol,
            httpx.InvalidURL,
            RuntimeError,
            ValueError,
            TimeoutError,
        ],
    )
    async def test_everything_else_may_have_been_sent(self, raised: type[Exception]) -> None:
        """Also what nobody thought of; the words of such an exception are not quoted."""
        error = await failure(Answers(raised("GET http://gateway.invalid/?password=gehe!m")))
        assert (type(error), error.code) == (OutcomeUncertainError, "reply_lost")
        assert error.detail == f"the reply was lost ({raised.__name__})"
        assert (error.__cause__, error.__context__) == (None, None)


class TestCalls:
    """What the port promises."""

    def test_it_is_a_gateway(self) -> None:
        """The type checker agrees."""
        port: Gateway = gateway(Answers(b""))
        assert port.pack(MESSAGE, [NUMBER]) == ((NUMBER,),)
        assert port.pack_ids([ID]) == ((ID,),)

    async def test_ids_that_cannot_be_asked_about_are_missing(self) -> None:
        """Without a call, where there are no others."""
        transport = Answers(b"{}")
        assert await gateway(transport).message_status(["1,2", "a b"]) == {}
        assert transport.requests == []

    async def test_any_transport_of_httpx_will_do(self) -> None:
        """It gets the whole request."""
        transport = Answers(b"Remaining_Credits: 0")
        assert await gateway(transport).account() == Decimal(0)
        (request,) = transport.requests
        assert (request.method, request.url.host, request.content) == ("GET", "gateway.invalid", b"")
        assert dict(request.url.params) == {"username": "anna", "password": "gehe!m", "cmd": "account"}
        assert request.extensions["timeout"] == {"connect": 5.0, "pool": 5.0, "read": None, "write": None}

    async def test_a_request_shows_nobody_what_it_holds(self) -> None:
        """Neither credentials nor numbers nor text are in its repr."""
        request = gateway(Answers(b""))._requests.send(MESSAGE, [NUMBER])
        assert "gehe" not in repr(request)
        assert NUMBER not in repr(request)

    async def test_a_reply_that_names_nobody_leaves_everybody_out(self) -> None:
        """Each of them is uncertain, which is for the handler to say."""
        strangers: list[tuple[str, int]] = []

        def note(command: str, count: int) -> None:
            strangers.append((command, count))

        transport = Answers(b'{"message_id": {"1a": "919000000001"}}')
        assert await gateway(transport, observers=Observers(on_unasked=note)).send(MESSAGE, [NUMBER]) == {}
        assert strangers == [("sendSMS", 1)]

    async def test_an_error_beside_an_empty_map_is_heard(self) -> None:
        """The words go before a success that says nothing."""
        error = await failure(Answers(b'{"message_id": {}, "error": "Insufficient credits"}'))
        assert isinstance(error, AccountError)

    async def test_an_id_beside_an_error_is_kept(self) -> None:
        """It cannot be asked for again."""
        body = f'{{"message_id": {{"{ID}": "{NUMBER}"}}, "error": "Invalid mobile numbers"}}'
        assert await gateway(Answers(body.encode())).send(MESSAGE, [NUMBER]) == {NUMBER: (ID,)}

    @pytest.mark.parametrize("status", [201, 302, 400, 401, 404, 429, 500, 502, 503])
    @pytest.mark.parametrize(
        "body",
        [
            f'{{"message_id": {{"{ID}": "{NUMBER}"}}}}',
            f'{{"{ID}": "9876543210"}}',
            f'{{"status": "error", "error": "Server Error", "message_id": {{"{ID}": ["{NUMBER}"]}}}}',
            f"Success Your MessageId is {ID}",
        ],
    )
    async def test_in_doubt_the_body_decides_and_not_the_status(self, status: int, body: str) -> None:
        """What a map of ids names was taken by the gateway; whom it leaves out is for the handler to say."""
        client = gateway(Answers(body.encode(), status))
        found = await client.send(MESSAGE, [NUMBER, "919032728149"])
        assert found[NUMBER] == (ID,)
        assert ("919032728149" in found) == body.startswith("Success")

    @pytest.mark.parametrize(
        "body",
        [
            '{"status": "error", "message_id": "0", "error": "Invalid Sender ID"}',
            '{"status": "error", "message_id": "", "error": "Invalid Sender ID"}',
            '{"status": "failed", "message_id": "-1", "message": "Invalid Sender ID"}',
            '{"success": false, "message_id": null, "errors": ["Invalid Sender ID"]}',
            '{"message_id": "null", "error": {"description": "Invalid Sender ID"}}',
            '{"message_id": "NA", "reason": "Invalid Sender ID"}',
            '{"message_id": {"0": "919876543210"}, "error": "Invalid Sender ID"}',
            '{"message_id": {"error": "919876543210"}, "error": "Invalid Sender ID"}',
            '{"message_id": "Rejected", "error": "Invalid Sender ID"}',
        ],
    )
    async def test_a_reply_that_says_it_failed_is_classified_by_its_words(self, body: str) -> None:
        """And no id is made up."""
        error = await failure(Answers(body.encode()))
        assert (type(error), error.code) == (PermanentError, "sender_refused")

    @pytest.mark.parametrize(
        ("words", "kind", "code"),
        [
            ("Invalid Sender ID", PermanentError, "sender_refused"),
            ("Something odd", OutcomeUncertainError, "reply_unreadable"),
            ("Insufficient credits", OutcomeUncertainError, "reply_unreadable"),
            ("Invalid Username and Password", OutcomeUncertainError, "reply_unreadable"),
        ],
    )
    async def test_a_real_id_beside_a_failure_is_told_in_its_detail(
        self, words: str, kind: type[WorkerError], code: str
    ) -> None:
        """It is no acceptance, and it is not sent again: the gateway may have taken it."""
        for name in (f'"{ID}"', "8624389"):
            body = f'{{"status": "error", "error": "{words}", "message_id": {name}}}'
            error = await failure(Answers(body.encode()))
            assert (type(error), error.code) == (kind, code)
            assert f"(message id {name.strip(chr(34))})" in (error.own_detail or "")
            assert error.names_ids

    @pytest.mark.parametrize(
        "form",
        [
            '{{"messages": [{0}]}}',
            '{{"message_id": {{{1},"cut o',
            "<br /><b>Warning</b>: odd<br />{{message_id: {1}",
            "{0}",
        ],
    )
    async def test_whatever_looks_like_an_id_in_a_reply_that_cannot_be_read_is_told(self, form: str) -> None:
        """All of them, for it stands nowhere else."""
        ids = [f"532073f7e4b05199d2c3d8{place:02x}" for place in range(100)]
        body = form.format(
            ", ".join(f'{{"to": "{NUMBER}", "id": "{name}"}}' for name in ids),
            ", ".join(f'"{name}":"9032728149"' for name in ids),
        )
        error = await failure(Answers(body.encode()))
        assert (OutcomeUncertainError, "reply_unreadable") == (type(error), error.code)
        assert error.detail.endswith(f"(perhaps message ids: {', '.join(ids)})")
        assert (error.own_detail or "").endswith(f"(perhaps message ids: {', '.join(ids)})")

    async def test_what_the_request_said_is_no_id(self) -> None:
        """A reply may repeat all of it: the text, its parameters, the credentials."""
        message = replace(
            MESSAGE, text="Open aB3dE5gH7jK9mN1p", params={"template_id": "1207161234567890123"}
        )
        client = ItonGateway(
            "http://gateway.invalid/",
            Credentials("anna", "geheim4711geheim4711", "4f9d2c3d812532073f7e4b05"),
            transport=Answers(
                b"Open aB3dE5gH7jK9mN1p 1207161234567890123 geheim4711geheim4711 4f9d2c3d812532073f7e4b05"
            ),
        )
        with pytest.raises(OutcomeUncertainError) as caught:
            await client.send(message, [NUMBER])
        assert "message id" not in caught.value.detail.replace("message ids: ***", "")
        for secret in ("geheim4711geheim4711", "4f9d2c3d812532073f7e4b05", "aB3dE5gH7jK9mN1p"):
            assert secret not in caught.value.detail

    async def test_the_beginning_of_a_credential_is_no_id_either(self) -> None:
        """A reply that is cut may end within it."""
        client = ItonGateway(
            "http://gateway.invalid/",
            Credentials("anna", "geheim4711geheim4711", "4f9d2c3d812532073f7e4b05"),
            transport=Answers(
                with_received(httpx.ReadError("closed"), b"geheim4711geheim47 4f9d2c3d812532073f7")
            ),
        )
        with pytest.raises(OutcomeUncertainError) as caught:
            await client.send(MESSAGE, [NUMBER])
        assert "the reply was lost (ReadError)" == caught.value.detail

    async def test_an_id_of_a_page_is_none(self) -> None:
        """Servers in between number their refusals, which mean what they meant."""
        page = b"<html><body>503 Service Unavailable. Ray 532073f7e4b05199d2c3d812</body></html>"
        error = await failure(Answers(page, 503))
        assert (TransientError, "gateway_busy") == (type(error), error.code)
        assert ID not in (await failure(Answers(page))).detail

    async def test_a_reply_with_ids_of_nobody_says_so(self) -> None:
        """And that the call was carried out: it is no reason to call again."""
        error = await failure(Answers(f'{{"message_id": {{"{ID}": null}}}}'.encode()))
        assert isinstance(error, OutcomeUncertainError)
        assert (True, True) == (error.names_ids, error.detail.endswith(f"(message id {ID})"))

    @pytest.mark.parametrize(("status", "code"), [(500, "gateway_error"), (503, "reply_unreadable")])
    async def test_an_id_beside_a_failed_server_is_never_a_reason_to_send_again(
        self, status: int, code: str
    ) -> None:
        """Not with a status either that means that nothing was done."""
        body = f'{{"status": {status}, "error": "Server Error", "message_id": "{ID}"}}'
        error = await failure(Answers(body.encode(), status))
        assert (type(error), error.code) == (OutcomeUncertainError, code)
        assert ID in error.detail

    @pytest.mark.parametrize("status", [500, 503])
    async def test_a_map_about_strangers_alone_does_not_hide_a_status(self, status: int) -> None:
        """It names nobody who was asked about."""
        error = await failure(Answers(b'{"message_id": {"1a": "919000000001"}}', status))
        assert error.code == {500: "gateway_error", 503: "gateway_busy"}[status]

    async def test_lookups_trust_no_error_page(self) -> None:
        """They may be asked again: an answer of a server that failed could let somebody be sent to."""
        with pytest.raises(OutcomeUncertainError):
            await gateway(Answers(b'{"9876543210": false}', 500)).check_dnd([NUMBER])

    async def test_the_texts_of_other_messages_are_not_quoted(self) -> None:
        """A status reply that cannot be read may hold them."""
        with pytest.raises(OutcomeUncertainError) as caught:
            await gateway(Answers(b'[{"message": "Your code is 4711"}]')).message_status([ID])
        assert "4711" not in str(caught.value)

    async def test_a_rule_of_the_operator_is_used(self) -> None:
        """It corrects the table without a release."""
        rules = rules_from([{"error": "permanent", "code": "text_refused", "pattern": "E-17"}])
        error = await failure(Answers(b"<b>E-17</b>"), Dialect(rules=rules))
        assert (type(error), error.code) == (PermanentError, "text_refused")

    @given(st.binary(), st.sampled_from([200, 201, 302, 400, 401, 404, 429, 500, 503]))
    def test_any_reply_gives_a_value_or_an_error_of_ours(self, content: bytes, status: int) -> None:
        """For every command."""
        client = gateway(Answers(content, status))

        async def all_commands() -> tuple[object, ...]:
            calls = (
                client.send(MESSAGE, [NUMBER]),
                client.check_dnd([NUMBER]),
                client.message_status([ID]),
                client.account(),
            )
            return await asyncio.gather(*calls, return_exceptions=True)

        for outcome in asyncio.run(all_commands()):
            assert isinstance(outcome, dict | Decimal | WorkerError)


class TestHeaders:
    """Sender IDs that nobody has registered."""

    @pytest.mark.parametrize(("sender", "default", "lines"), [("ITONXX-P", None, 1), (None, "itonxx-t", 1)])
    async def test_an_operator_s_suffix_is_warned_of_once(
        self, sender: str | None, default: str | None, lines: int
    ) -> None:
        """The operator would append another; the message goes out as the job wants it."""
        client = gateway(Answers(f"Success Your MessageId is {ID}".encode()), Dialect(default_sender=default))
        with capture_logs() as logs:
            for _ in range(3):
                await client.send(replace(MESSAGE, sender=sender), [NUMBER])
        assert lines == len([line for line in logs if line["event"] == "sender.suffixed"])

    @pytest.mark.parametrize("sender", ["ITONXX", "ITON-PS", "-P", "A-B", "9876-1", "ITONP"])
    async def test_others_are_not(self, sender: str) -> None:
        """Nor is anybody who names none."""
        client = gateway(Answers(f"Success Your MessageId is {ID}".encode()))
        with capture_logs() as logs:
            await client.send(replace(MESSAGE, sender=sender), [NUMBER])
            await client.send(MESSAGE, [NUMBER])
        assert logs == []


class TestTimeLimits:
    """How a call's time is shared out."""

    @pytest.mark.parametrize(("call", "start"), [(30.0, 5.0), (15.0, 5.0), (3.0, 1.0)])
    def test_the_start_never_uses_up_the_time_for_the_reply(self, call: float, start: float) -> None:
        """Waiting and connecting take at most a third together; the whole has a limit around it."""
        assert TimeLimits(call=call, connect=5.0).patience() == (start, call)


class TestLogs:
    """httpx's line about each request."""

    async def test_it_is_not_written(self, caplog: pytest.LogCaptureFixture) -> None:
        """At no level, whoever sets it."""
        client = gateway(Answers(b"Remaining_Credits: 1"))
        with caplog.at_level(logging.DEBUG, "httpx"):
            await client.account()
        assert caplog.text == ""
