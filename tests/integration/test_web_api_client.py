"""The client of the Web API against the stand-in: one request a call, no credential in what comes back."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from schemas import ApiFile
from worker.client.checking import look_at_web_api
from worker.domain.errors import OutcomeUncertainError, TransientError
from worker.domain.web_body import multipart
from worker.iton.client import TimeLimits
from worker.iton.dialect import Credentials
from worker.iton.httpx_transport import HttpxTransport
from worker.iton.transport import AiohttpTransport, Pool
from worker.iton.web_api import ItonWebApi
from worker.ports import WebCall
from worker.simulator import RunningSimulator, SimulatorOptions, running_simulator

TOKEN = "token-9f31c7"
CREDENTIALS = Credentials("konto-7731", "sesam & dich", TOKEN)
KEY = {"name": "shop", "key": "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"}
CERTIFICATE = bytes(range(256)) * 16


@pytest.fixture
async def simulator() -> AsyncIterator[RunningSimulator]:
    """A stand-in with a token."""
    async with running_simulator(SimulatorOptions(token=TOKEN)) as running:
        yield running


@pytest.fixture(params=[AiohttpTransport, HttpxTransport])
async def web(request: pytest.FixtureRequest, simulator: RunningSimulator) -> AsyncIterator[ItonWebApi]:
    """A client on either transport."""
    transport = request.param(Pool(reply_limit=1 << 20))
    async with aclosing(client_of(simulator, transport)) as client:
        yield client


def client_of(simulator: RunningSimulator, transport: Any, **given: Any) -> ItonWebApi:  # noqa: ANN401 - as given
    """A client with little patience."""
    return ItonWebApi(
        simulator.web_api_url, CREDENTIALS, limits=TimeLimits(call=5.0), transport=transport, **given
    )


def posted(document: object, path: str = "credentials/gcm") -> WebCall:
    """A POST of JSON."""
    return WebCall("POST", path, json.dumps(document).encode(), "application/json")


class TestStored:
    """What is uploaded can be read back."""

    async def test_a_key(self, web: ItonWebApi) -> None:
        """As JSON."""
        made = await web.call(posted(KEY))
        assert (made.status, made.value) == (201, {"id": "1", "path": "credentials/gcm/1"})
        read = await web.call(WebCall("GET", "credentials/gcm/1"))
        assert (read.status, read.value) == (200, {"path": "credentials/gcm/1", "json": KEY})

    async def test_a_certificate(self, web: ItonWebApi, simulator: RunningSimulator) -> None:
        """As a file in a form, byte for byte; names with quotes and line breaks make no second part."""
        hostile = 'a"; filename="b\r\nContent-Type: text/html\r\n\r\nx'
        data = "AAECAwQFBgc="
        files = [
            ApiFile.model_construct(
                name=hostile, filename=hostile, content_type="application/x-pkcs12", data=data
            )
        ]
        content, content_type = multipart({"name": "shop", hostile: "1"}, files)
        made = await web.call(WebCall("POST", "credentials/apns", content, content_type))
        assert made.status == 201
        [kept] = simulator.control.web_store.kept.values()
        escaped = hostile.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        assert kept["fields"] == {"name": "shop", escaped: "1"}
        told = {"name": escaped, "filename": escaped, "content_type": "application/x-pkcs12", "data": data}
        assert kept["files"] == [told]

    async def test_five_megabytes(self, web: ItonWebApi, simulator: RunningSimulator) -> None:
        """In one request."""
        large = WebCall("POST", "media", CERTIFICATE * 1200, "application/octet-stream")
        assert (await web.call(large)).status == 201
        assert simulator.control.web_calls == 1

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
    async def test_without_a_body(self, web: ItonWebApi, method: str) -> None:
        """Each method ends in a reply."""
        assert (await web.call(WebCall(method, "channels/a?x=1"))).status in {200, 201, 404}


class TestReply:
    """What is made of what comes back."""

    async def test_a_redirect_is_a_reply(self, web: ItonWebApi, simulator: RunningSimulator) -> None:
        """It is not followed."""
        location = {"Location": f"{simulator.web_api_url}credentials/elsewhere"}
        simulator.control.add_fault(command="web_api", status=302, body="moved", headers=location)
        assert (await web.call(posted(KEY))).status == 302
        assert simulator.control.web_calls == 1

    async def test_credentials_are_hidden(self, web: ItonWebApi, simulator: RunningSimulator) -> None:
        """In values, keys, plain text and the words of a refusal."""
        body = {"said": f"Authorization: ITON {TOKEN}", CREDENTIALS.password: [CREDENTIALS.username]}
        for text in (json.dumps(body), f"no JSON: {TOKEN} {CREDENTIALS.password}"):
            simulator.control.add_fault(command="web_api", status=400, body=text, times=1)
            reply = await web.call(posted(KEY))
            for secret in (TOKEN, CREDENTIALS.password, CREDENTIALS.username):
                assert secret not in f"{reply.value}{reply.words}{reply.outline}{reply!r}"
            assert "***" in f"{reply.value}"

    @pytest.mark.parametrize("unit", ["x", "é", "😀"])
    async def test_a_long_text_is_cut(self, web: ItonWebApi, simulator: RunningSimulator, unit: str) -> None:
        """At 64 KB, between two characters."""
        for body in (unit * 70_000, json.dumps({"a": unit * 70_000}, ensure_ascii=False)):
            simulator.control.add_fault(command="web_api", body=body, times=1)
            reply = await web.call(posted(KEY))
            assert isinstance(reply.value, str)
            assert reply.truncated
            assert body.startswith(reply.value)
            assert 65_533 <= len(reply.value.encode()) <= 65_536

    @pytest.mark.parametrize(
        ("body", "value"),
        [
            ("", ""),
            ("Stored", "Stored"),
            ("[1, 2.5, null, true]", [1, 2.5, None, True]),
            ('{"a": NaN}', '{"a": NaN}'),
            ("1e999", "1e999"),
            ('"\\ud800"', "?"),
            ("[" * 50 + "]" * 50, "[" * 50 + "]" * 50),
        ],
    )
    async def test_json_or_text(
        self, web: ItonWebApi, simulator: RunningSimulator, body: str, value: object
    ) -> None:
        """What no reader could hold as JSON is text."""
        simulator.control.add_fault(command="web_api", body=body, times=1)
        reply = await web.call(posted(KEY))
        assert (reply.value, reply.truncated) == (value, False)

    async def test_retry_after(self, web: ItonWebApi, simulator: RunningSimulator) -> None:
        """In seconds."""
        simulator.control.add_fault(command="web_api", status=429, retry_after=7)
        assert (await web.call(posted(KEY))).retry_after == 7

    async def test_a_wrong_token(self, simulator: RunningSimulator) -> None:
        """It is refused as the Web API refuses it."""
        other = Credentials("a", "b", "another")
        web = ItonWebApi(
            simulator.web_api_url, other, limits=TimeLimits(), transport=AiohttpTransport(Pool())
        )
        async with aclosing(web):
            assert (await web.call(posted(KEY))).status == 401


class TestLost:
    """No reply."""

    @pytest.mark.parametrize("kind", ["hang", "drop", "reset", "truncated", "oversized"])
    async def test_may_have_been_carried_out(
        self, web: ItonWebApi, simulator: RunningSimulator, kind: str
    ) -> None:
        """Once: nothing is sent a second time. The error knows neither path nor body."""
        simulator.control.add_fault(command="web_api", kind=kind, when="after")
        with pytest.raises(OutcomeUncertainError) as raised:
            await web.call(posted(KEY, "credentials/gcm?secret=4711"))
        assert simulator.control.web_calls == 1
        told = f"{raised.value}{raised.value!r}{raised.value.__context__!r}"
        assert "4711" not in told
        assert "credentials" not in told

    async def test_without_a_connection_nothing_was_sent(self, simulator: RunningSimulator) -> None:
        """Nobody listens."""
        web = ItonWebApi(
            "http://127.0.0.1:1/", CREDENTIALS, limits=TimeLimits(), transport=AiohttpTransport(Pool())
        )
        async with aclosing(web):
            with pytest.raises(TransientError):
                await web.call(posted(KEY))
            assert not await web.is_there()
        assert simulator.control.web_calls == 0

    async def test_whether_it_is_there(self, web: ItonWebApi, simulator: RunningSimulator) -> None:
        """Whatever it says, but for faults of its own."""
        assert await web.is_there()
        simulator.control.add_fault(command="web_api", status=500)
        assert not await web.is_there()

    async def test_check_says_so(self, web: ItonWebApi, simulator: RunningSimulator) -> None:
        """A line of its own, with what to correct."""
        assert (await look_at_web_api(web)).ok
        simulator.control.add_fault(command="web_api", status=503)
        found = await look_at_web_api(web)
        assert (found.ok, "ITON_WEB_API_URL" in found.remedy) == (False, True)

    async def test_each_call_is_counted(self, simulator: RunningSimulator) -> None:
        """By what came of it."""
        seen: list[str] = []
        transport = httpx.MockTransport(lambda request: httpx.Response(int(request.url.path[-3:])))
        web = client_of(
            simulator, transport, on_call=lambda command, outcome, _: seen.append(f"{command} {outcome}")
        )
        for status in (200, 204, 301, 404, 429, 503, 500):
            await web.call(WebCall("GET", f"media/{status}"))
        outcomes = ("ok", "ok", "permanent", "permanent", "transient", "transient", "uncertain")
        assert seen == [f"api {outcome}" for outcome in outcomes]
