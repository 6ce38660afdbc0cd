"""The gateway's client and what comes back over HTTP."""

import asyncio
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from tests.support.deadline import DEADLINE
from tests.support.gateway_side import (
    ID,
    MESSAGE,
    NUMBER,
    SECRETS,
    SENT,
    answering,
    failure,
    gateway,
    hang,
    raw,
    send,
    talking_by,
    talking_to,
)
from tests.support.raw_server import FrameSocket, raw_server
from worker.domain.errors import (
    AccountError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.iton.dialect import Dialect

BODIES = {
    b"cmd=sendSMS": SENT,
    b"cmd=account": b"Remaining_Credits: 417",
    b"cmd=check_DNDnumber": b'{"9876543210": true}',
}


@pytest.fixture(autouse=True, params=["pooled", "httpx"])
def _transport(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have every test talk by each transport."""
    with talking_by(request.param):
        yield


class TestReplies:
    """What comes back over HTTP, well and badly."""

    async def test_a_slow_reply_is_uncertain_at_the_time_limit(self) -> None:
        """The message may have been sent."""
        async with talking_to(hang, seconds=2.0) as (client, heard):
            error = await failure(client)
            assert (OutcomeUncertainError, "reply_lost") == (type(error), error.code)
            assert len(heard.requests) == 1

    async def test_a_dripping_reply_does_not_outlive_the_limit(self) -> None:
        """Each byte comes in time, all of them do not: the limit is for the call as a whole."""

        async def drip(wire: FrameSocket) -> None:
            await wire.request()
            await wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
            while True:
                await wire.write(b"S")
                await asyncio.sleep(0.05)

        async with talking_to(drip, seconds=2.0) as (client, _):
            async with asyncio.timeout(DEADLINE):
                error = await failure(client)
            assert (OutcomeUncertainError, "reply_lost") == (type(error), error.code)

    async def test_a_compressed_reply_is_read(self) -> None:
        """Gzip is what the request offers."""
        async with talking_to(answering(gzip.compress(SENT), headers="Content-Encoding: gzip\r\n")) as (
            client,
            _,
        ):
            assert await send(client) == {NUMBER: (ID,)}

    @pytest.mark.parametrize(
        ("content", "encoding"),
        [
            (gzip.compress(SENT)[:-9], "gzip"),
            (gzip.compress(SENT)[:20], "gzip"),
            (gzip.compress(SENT) + gzip.compress(SENT)[:-9], "gzip"),
            (b"", "gzip"),
            (gzip.compress(b"x" * 5_000_000), "gzip"),
            (gzip.compress(gzip.compress(b"x" * 50_000_000)), "gzip, gzip"),
        ],
        ids=["no end", "cut", "half of it", "empty", "bomb", "bomb in a box"],
    )
    async def test_a_compression_that_cannot_be_undone_is_uncertain(
        self, content: bytes, encoding: str
    ) -> None:
        """The gateway has worked on the request, whatever it meant to say."""
        async with talking_to(answering(content, headers=f"Content-Encoding: {encoding}\r\n")) as (client, _):
            error = await failure(client)
            assert (OutcomeUncertainError, "reply_unreadable") == (type(error), error.code)

    @pytest.mark.parametrize(
        "label",
        [
            "UTF-8",
            "utf-8, gzip",
            "identity",
            "none",
            "binary",
            "br",
            "gzip",
            "deflate",
            "x-gzip",
            "",
            "8bit, ,",
        ],
    )
    @pytest.mark.parametrize("packed", [bytes, gzip.compress, zlib.compress], ids=["plain", "gzip", "zlib"])
    async def test_in_doubt_the_body_decides_and_not_its_label(
        self, label: str, packed: Callable[[bytes], bytes]
    ) -> None:
        """For every command: an unknown coding means that the body is as it is."""
        status = f'{{"{ID}": {{"phoneNumberWithRespectiveStatus": {{"{NUMBER}": "DELIVIRED"}}}}}}'.encode()

        async def script(wire: FrameSocket) -> None:
            while True:
                request = await wire.request()
                named = (name for name in BODIES if name in request)
                body = BODIES.get(next(named, b""), status)
                await wire.reply(packed(body), headers=f"Content-Encoding: {label}\r\n")

        async with talking_to(script) as (client, _):
            assert await send(client) == {NUMBER: (ID,)}
            assert Decimal(417) == await client.account()
            assert await client.check_dnd([NUMBER]) == {NUMBER: True}
            assert (await client.message_status([ID]))[ID].recipients[0].status == "delivered"

    @pytest.mark.parametrize(
        "head",
        [
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: identity, chunked\r\nContent-Encoding: UTF-8\r\n",
        ],
    )
    async def test_a_length_beside_chunks_is_not_heeded(self, head: str) -> None:
        """Chunks say themselves where they end (RFC 9112, 6.3); the connection is not used again."""

        async def script(wire: FrameSocket) -> None:
            await wire.request()
            await wire.write(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())
            for piece in (SENT[:10], SENT[10:], b""):
                await wire.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await wire.closed()

        async with talking_to(script) as (client, heard):
            for _ in range(2):
                assert await send(client) == {NUMBER: (ID,)}
            assert (heard.connections, len(heard.requests)) == (2, 2)

    async def test_chunks_that_are_none_are_read_by_their_length(self) -> None:
        """Somebody in between has taken them away and left the header."""
        head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: {len(SENT)}\r\n\r\n"
        async with talking_to(raw(head.encode() + SENT)) as (client, _):
            assert await send(client) == {NUMBER: (ID,)}

    @pytest.mark.parametrize(
        "fault",
        ["Content-Length: 500\r\n\r\n%s", "Transfer-Encoding: chunked\r\n\r\n41\r\n%s\r\n"],
        ids=["length", "chunk"],
    )
    async def test_ids_in_a_map_that_is_whole_are_not_lost_with_the_connection(self, fault: str) -> None:
        """JSON says itself where it ends; a sentence does not, and its id may be cut."""
        for body, whole in ((f'{{"message_id": {{"{ID}": "{NUMBER}"}}}}', True), (SENT.decode(), False)):
            content = ("HTTP/1.1 200 OK\r\n" + fault % body.ljust(65)).encode()
            async with talking_to(raw(content)) as (client, _):
                if whole:
                    assert await send(client) == {NUMBER: (ID,)}
                else:
                    assert (await failure(client)).code == "reply_lost"

    @pytest.mark.parametrize("stays", [True, False], ids=["time", "connection"])
    @pytest.mark.parametrize("head", ["Content-Length: 500", "Transfer-Encoding: chunked"])
    async def test_ids_in_what_came_of_a_reply_are_told(self, head: str, stays: bool) -> None:  # noqa: FBT001
        """They cannot be asked for again. The last one may lack its end; a log has none of them."""
        bodies = {
            f'{{"message_id": {{"{ID}": "{NUMBER}", "{ID[:-1]}3": "91': f"{ID}, {ID[:-1]}3",
            SENT.decode()[:-4]: f"{ID[:-4]}\u2026",
        }
        for body, told in bodies.items():
            content = f"1f4\r\n{body}" if "chunked" in head else body

            async def script(wire: FrameSocket, content: str = content) -> None:
                await wire.request()
                await wire.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n{content}".encode())
                if stays:
                    await wire.closed()

            async with talking_to(script, seconds=2.0) as (client, _):
                error = await failure(client)
                assert (OutcomeUncertainError, "reply_lost") == (type(error), error.code)
                assert error.detail.endswith(f" (perhaps message ids: {told})")
                assert ID[:-4] not in error.for_log

    @pytest.mark.parametrize("label", ["Content-Encoding: gzip", "X-Label: none"], ids=["gzip", "no label"])
    @pytest.mark.parametrize("end", ["time", "connection", "body"])
    async def test_so_they_are_where_it_was_compressed(self, end: str, label: str) -> None:
        """What can be unpacked of a transfer that broke off, and of a body that is broken itself."""
        ids = [f"{ID[:-4]}{number * 17 % 7_919:04x}" for number in range(100)]
        body = json.dumps({"message_id": dict.fromkeys(ids, NUMBER)}).encode()
        content = gzip.compress(body)[:-40]
        length = len(content) + (0 if end == "body" else 40)

        async def script(wire: FrameSocket) -> None:
            await wire.request()
            head = f"HTTP/1.1 200 OK\r\n{label}\r\nContent-Length: {length}\r\n\r\n"
            await wire.write(head.encode() + content)
            if end == "time":
                await wire.closed()

        async with talking_to(script, seconds=2.0) as (client, _):
            error = await failure(client)
        code = "reply_unreadable" if end == "body" else "reply_lost"
        assert (OutcomeUncertainError, code) == (type(error), error.code)
        told = re.findall(r"[0-9a-f]{24}", error.detail)
        assert (told, True) == (ids[: len(told)], len(told) > 50)
        assert (error.tells_ids, error.names_ids) == (True, False)

    @pytest.mark.parametrize(
        "head",
        ["Content-Length: 500", "Transfer-Encoding: chunked", "X-Length: none"],
        ids=["length", "chunk", "no length"],
    )
    async def test_ids_in_a_map_that_is_whole_are_not_lost_with_time(self, head: str) -> None:
        """The end that was announced never comes, and the connection stays; nothing else is read from it."""
        body = f"{{'message_id': {{'{ID}': '{NUMBER}'}}}}"
        content = f"{len(body):x}\r\n{body}\r\n" if "chunked" in head else body

        async def script(wire: FrameSocket) -> None:
            await wire.request()
            await wire.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n{content}".encode())
            await wire.closed()

        async with talking_to(script, seconds=2.0) as (client, heard):
            for _ in range(2):
                assert await send(client) == {NUMBER: (ID,)}
            assert (heard.connections, len(heard.requests)) == (2, 2)

    @pytest.mark.parametrize(
        "reply",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n%b",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n%b",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n%b",
            b"HTTP/1.1 200 OK\r\nno colon\r\nX Y: z\r\nContent-Length: 60\r\n\r\n%b",
            b"HTTP/1.1 200 OK\r\nSet-Cookie: " + b"x" * 20_000 + b"\r\nContent-Length: 60\r\n\r\n%b",
            b"HTTP/1.1 200 OK\r\n" + b"Set-Cookie: x\r\n" * 200 + b"Content-Length: 60\r\n\r\n%b",
            b"HTTP/1.1 200 OK\r\nContent-Length: 59\r\n\r\n%b",
            b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n%b<!-- 0.1 s -->",
            b"HTTP/2 200 OK\r\nContent-Length: 60\r\n\r\n%b",
        ],
        ids=["-1", "two", "chunks", "identity", "lines", "long", "many", "short", "more", "version"],
    )
    async def test_a_head_that_a_parser_would_refuse_loses_no_id(self, reply: bytes) -> None:
        """Nor does a length that is wrong, where the body says itself where it ends."""
        body = f'{{"message_id": {{"{ID}": "{NUMBER}"}}}}'.encode()
        assert len(body) == 60
        async with talking_to(raw(reply % body)) as (client, _):
            assert await send(client) == {NUMBER: (ID,)}

    async def test_a_407_of_the_gateway_s_own_may_have_been_carried_out(self) -> None:
        """Without a proxy nobody else says so; and its ids count like those beside any other status."""
        async with talking_to(answering(b"", "407 Proxy Authentication Required")) as (client, _):
            assert isinstance(await failure(client), OutcomeUncertainError)
        async with talking_to(answering(SENT, "407 Proxy Authentication Required")) as (client, _):
            assert await send(client) == {NUMBER: (ID,)}

    async def test_an_empty_reply_needs_no_decompression(self) -> None:
        """Its status still says what it means."""
        async with talking_to(answering(b"", "503 Busy", "Content-Encoding: gzip\r\n")) as (client, _):
            assert isinstance(await failure(client), TransientError)

    async def test_an_oversized_reply_is_not_read_to_its_end(self) -> None:
        """Memory is not the gateway's to fill."""

        async def endless(wire: FrameSocket) -> None:
            await wire.request()
            await wire.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            while True:
                await wire.write(b"x" * 65_536)

        async with talking_to(endless) as (client, _):
            error = await failure(client)
            assert (OutcomeUncertainError, "reply_unreadable") == (type(error), error.code)

    @pytest.mark.parametrize(
        "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
    )
    async def test_a_redirect_is_not_followed(self, status: str) -> None:
        """The message may have been sent (303 says so), and the credentials go nowhere else."""
        async with (
            raw_server(answering(SENT)) as elsewhere,
            talking_to(answering(b"", status, f"Location: {elsewhere.url}\r\n")) as (client, heard),
        ):
            error = await failure(client)
            assert (OutcomeUncertainError, "reply_unreadable") == (type(error), error.code)
            assert (len(heard.requests), elsewhere.connections) == (1, 0)

    @pytest.mark.parametrize(
        "content",
        [
            b"hello\r\n\r\n",
            b"\x16\x03\x01\x02\x00",
            b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 20_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello",
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        ],
        ids=["text", "tls", "length", "header", "chunk", "upgrade", "304", "lengths"],
    )
    async def test_what_is_no_http_is_uncertain(self, content: bytes) -> None:
        """Something answered; what it did is anybody's guess."""
        async with talking_to(raw(content)) as (client, heard):
            assert isinstance(await failure(client), OutcomeUncertainError)
            assert len(heard.requests) == 1

    @pytest.mark.parametrize(
        "headers", ["Content-Type: text/html\r\n", "Content-Type: image/png\r\n", "X-Odd: \xe9\r\n"]
    )
    async def test_content_types_and_odd_headers_do_not_matter(self, headers: str) -> None:
        """The body says what it is."""
        body = f'{{"message_id": {{"{ID}": "{NUMBER}"}}}}'.encode()
        async with talking_to(answering(body, headers=headers)) as (client, _):
            assert await send(client) == {NUMBER: (ID,)}

    async def test_interim_replies_are_skipped(self) -> None:
        """The final one counts (RFC 9110, 15.2)."""
        head = f"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {len(SENT)}\r\n\r\n"
        async with talking_to(raw(head.encode() + SENT)) as (client, _):
            assert await send(client) == {NUMBER: (ID,)}

    async def test_a_body_without_length_ends_with_the_connection(self) -> None:
        """HTTP/1.0 servers do so."""
        async with talking_to(raw(b"HTTP/1.0 200 OK\r\n\r\n" + SENT)) as (client, _):
            assert await send(client) == {NUMBER: (ID,)}

    async def test_cookies_are_not_kept(self) -> None:
        """No session of one job leaks into another."""
        async with talking_to(answering(SENT, headers="Set-Cookie: a=b; Path=/\r\n")) as (_, heard):
            # By name: no cookie jar keeps anything for an address.
            client = gateway(heard.url.replace("127.0.0.1", "localhost"))
            await send(client)
            await send(client)
            await client.aclose()
            assert len(heard.requests) == 2
            assert not any(b"cookie" in request.lower() for request in heard.requests)

    @pytest.mark.parametrize(
        ("status", "body", "kind", "code"),
        [
            ("200 OK", b"<html>Down for maintenance</html>", OutcomeUncertainError, "reply_unreadable"),
            ("200 OK", b"", OutcomeUncertainError, "reply_unreadable"),
            ("204 No Content", b"", OutcomeUncertainError, "reply_unreadable"),
            ("200 OK", b"Invalid Sender ID", PermanentError, "sender_refused"),
            ("400 Bad Request", b"?", PermanentError, "rejected_by_gateway"),
            ("414 URI Too Long", b"", PermanentError, "rejected_by_gateway"),
            ("401 Unauthorized", b"", AccountError, "credentials_refused"),
            ("200 OK", b"Invalid Username and Password", AccountError, "credentials_refused"),
            ("200 OK", b"Insufficient credits", AccountError, "credits_exhausted"),
            ("429 Too Many Requests", b"", TransientError, "gateway_busy"),
            ("503 Service Unavailable", b"<html></html>", TransientError, "gateway_busy"),
            ("500 Internal Server Error", b"", OutcomeUncertainError, "gateway_error"),
            ("502 Bad Gateway", b"<html></html>", OutcomeUncertainError, "gateway_error"),
            ("504 Gateway Timeout", b"", OutcomeUncertainError, "gateway_error"),
        ],
    )
    async def test_every_kind_of_refusal_has_its_class(
        self, status: str, body: bytes, kind: type[WorkerError], code: str
    ) -> None:
        """As the notes demand."""
        async with talking_to(answering(body, status)) as (client, heard):
            error = await failure(client)
            assert (kind, code) == (type(error), error.code)
            assert len(heard.requests) == 1

    @pytest.mark.parametrize("status", ["200 OK", "429 Slow Down", "503 Busy"])
    async def test_ids_that_are_nobody_s_are_told_and_never_sent_again(self, status: str) -> None:
        """Whatever the status says, the gateway has issued them."""
        body = f'{{"message_id": ["{ID}", "{ID[:-1]}3"]}}'.encode()
        async with talking_to(answering(body, status)) as (client, _):
            with pytest.raises(OutcomeUncertainError) as caught:
                await client.send(MESSAGE, [NUMBER, "919032728149"])
            assert caught.value.detail.endswith(f"(message id {ID}, {ID[:-1]}3)")

    async def test_retry_after_is_handed_on(self) -> None:
        """The retries obey it."""
        async with talking_to(answering(b"", "503 Busy", "Retry-After: 7\r\n")) as (client, _):
            error = await failure(client)
            assert isinstance(error, TransientError)
            assert error.retry_after == 7.0

    async def test_the_other_commands_are_read(self) -> None:
        """One reply each."""
        status = f'{{"{ID}": {{"phoneNumberWithRespectiveStatus": {{"{NUMBER}": "DELIVIRED"}}}}}}'

        async def script(wire: FrameSocket) -> None:
            while True:
                request = await wire.request()
                if b"cmd=account" in request:
                    await wire.reply(b"Remaining_Credits: 417")
                elif b"cmd=check_DNDnumber" in request:
                    await wire.reply(b'{"9876543210": true}')
                else:
                    await wire.reply(status.encode())

        async with talking_to(script) as (client, _):
            assert Decimal(417) == await client.account()
            assert await client.check_dnd([NUMBER]) == {NUMBER: True}
            assert (await client.message_status([ID]))[ID].recipients[0].status == "delivered"


class TestRequestsOnTheWire:
    """The bytes that leave."""

    async def test_a_get_is_sent_as_it_was_packed(self) -> None:
        """Nothing on the way quotes it again, so the length that was packed is the length that is sent."""
        async with talking_to(answering(SENT)) as (client, heard):
            await client.send(MESSAGE, [NUMBER, "919032728149"])
            target = heard.requests[0].split(b" ")[1].decode()
            built = client._requests.send(MESSAGE, [NUMBER, "919032728149"])
            assert built.url == f"http://127.0.0.1:{heard.port}{target}"
            assert f"authorization: iton {SECRETS[3]}" in heard.requests[0].decode().lower()

    async def test_a_post_carries_all_of_it_in_its_form(self) -> None:
        """No credential is in the URL."""
        async with talking_to(answering(SENT), dialect=Dialect(method="POST")) as (client, heard):
            assert await send(client) == {NUMBER: (ID,)}
            head, _, form = heard.requests[0].partition(b"\r\n\r\n")
            assert head.startswith(b"POST /api/ HTTP/1.1\r\n")
            assert b"content-type: application/x-www-form-urlencoded" in head.lower()
            assert client._requests.send(MESSAGE, [NUMBER]).content == form
