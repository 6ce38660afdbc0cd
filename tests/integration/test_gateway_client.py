"""The gateway's client on connections that fail: at most one request a call, and the right error."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.support.gateway_side import (
    DROPS,
    ID,
    NUMBER,
    SELF_SIGNED,
    SENT,
    after_a_good_call,
    answering,
    failure,
    gateway,
    hang,
    has_idle_connection,
    reset_after_the_request,
    reset_at_the_first_byte,
    send,
    talking_by,
    talking_to,
)
from tests.support.raw_server import FrameSocket, Script, raw_server, wait_until
from worker.domain.errors import OutcomeUncertainError, TransientError
from worker.iton.client import ItonGateway
from worker.iton.dialect import Dialect
from worker.iton.transport import Pool

Call = Callable[[ItonGateway], Awaitable[object]]
READING_CALLS: list[Call] = [
    ItonGateway.account,
    lambda client: client.check_dnd([NUMBER]),
    lambda client: client.message_status([ID]),
]


@pytest.fixture(autouse=True, params=["pooled", "httpx"])
def _transport(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have every test talk by each transport."""
    with talking_by(request.param):
        yield


class TestDroppedConnections:
    """aiohttp would send a GET again; an SMS must not go twice."""

    @pytest.mark.parametrize("drop", DROPS, ids=lambda drop: drop.__name__)
    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_a_kept_alive_connection_that_drops_carries_the_request_once(
        self, drop: Script, method: str
    ) -> None:
        """Nobody can say whether it was read, and nobody sends it again."""
        dialect = Dialect(method="POST" if method == "POST" else "GET")
        async with talking_to(after_a_good_call(drop), dialect=dialect) as (client, heard):
            await send(client)
            error = await failure(client)
            assert isinstance(error, OutcomeUncertainError)
            assert (heard.connections, len(heard.requests)) == (1, 2)

    @pytest.mark.parametrize("drop", DROPS, ids=lambda drop: drop.__name__)
    async def test_a_new_connection_that_drops_carries_the_request_once(self, drop: Script) -> None:
        """A first request is no safer than a later one."""
        async with talking_to(drop) as (client, heard):
            error = await failure(client)
            assert (OutcomeUncertainError, "reply_lost") == (type(error), error.code)
            assert (heard.connections, len(heard.requests)) == (1, 1)

    @pytest.mark.parametrize("call", READING_CALLS, ids=["account", "check_dnd", "message_status"])
    async def test_commands_that_only_read_make_one_request_too(self, call: Call) -> None:
        """Whether to repeat them is for the retries to decide."""
        async with talking_to(after_a_good_call(reset_after_the_request)) as (client, heard):
            await send(client)
            with pytest.raises(OutcomeUncertainError):
                await call(client)
            assert len(heard.requests) == 2

    async def test_a_connection_that_was_closed_while_idle_is_not_used(self) -> None:
        """The next call opens another, and nothing is uncertain."""

        async def one_each(wire: FrameSocket) -> None:
            await wire.request()
            await wire.reply(SENT)

        # Kept for long: an end of the keeping is not what lets go of it.
        async with talking_to(one_each, pool=Pool(keepalive=1000)) as (client, heard):
            await send(client)
            await wait_until(lambda: not has_idle_connection(client))
            assert await send(client) == {NUMBER: (ID,)}
            assert heard.connections == 2

    async def test_a_reply_that_nobody_asked_for_is_not_taken_for_the_next_one(self) -> None:
        """Else the ids of one job would go to the recipients of another."""
        told = asyncio.Event()

        async def twice(wire: FrameSocket) -> None:
            await wire.request()
            await wire.reply(SENT)
            if wire.number == 1:
                await told.wait()
                await wire.reply(b"Success Your MessageId is 000000000000000000000000")
                await wire.closed()

        async with talking_to(twice, pool=Pool(keepalive=1000)) as (client, heard):
            await send(client)
            assert has_idle_connection(client)
            told.set()
            await wait_until(lambda: not has_idle_connection(client))
            assert await send(client) == {NUMBER: (ID,)}
            assert heard.connections == 2

    async def test_connections_are_kept_for_the_next_call(self) -> None:
        """A TLS handshake for each message would cost more than the message."""
        async with talking_to(answering(SENT)) as (client, heard):
            for _ in range(3):
                await send(client)
            assert (heard.connections, len(heard.requests)) == (1, 3)

    async def test_without_keepalive_each_call_has_its_own(self) -> None:
        """The safest setting, for a gateway that drops idle connections at once."""
        async with talking_to(answering(SENT), pool=Pool(keepalive=0)) as (client, heard):
            for _ in range(2):
                await send(client)
            assert heard.connections == 2


class TestConnectionsThatNeverStood:
    """Nothing was sent, so a retry is safe."""

    async def test_a_refused_port(self) -> None:
        """The gateway is down."""
        async with raw_server(hang) as heard:
            pass
        error = await failure(client := gateway(heard.url))
        assert (TransientError, "gateway_unreachable") == (type(error), error.code)
        assert "Connection refused" in error.detail
        await client.aclose()

    async def test_a_name_that_does_not_resolve(self) -> None:
        """Nobody to talk to (RFC 6761: .invalid never resolves)."""
        error = await failure(client := gateway("http://gateway.invalid/api/"))
        assert (TransientError, "gateway_unreachable") == (type(error), error.code)
        await client.aclose()

    async def test_tls_with_a_server_that_speaks_none(self) -> None:
        """The handshake fails before the request."""

        async def babble(wire: FrameSocket) -> None:
            await wire.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await wire.closed()

        async with raw_server(babble) as heard:
            error = await failure(client := gateway(heard.url.replace("http:", "https:")))
            await client.aclose()
        assert (TransientError, "gateway_unreachable") == (type(error), error.code)
        assert heard.requests == []

    async def test_a_certificate_that_nobody_vouches_for(self) -> None:
        """The credentials do not leave for whoever answers."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(SELF_SIGNED)
        async with raw_server(answering(SENT), tls=context) as heard:
            error = await failure(client := gateway(heard.url))
            await client.aclose()
        assert (TransientError, "gateway_unreachable") == (type(error), error.code)
        assert error.detail == "the gateway cannot be reached: its certificate is not trusted"
        assert heard.requests == []

    async def test_tls_that_is_hung_up_on(self) -> None:
        """The handshake fails before the request."""
        async with raw_server(reset_at_the_first_byte) as heard:
            error = await failure(client := gateway(heard.url.replace("http:", "https:")))
            await client.aclose()
        assert (TransientError, "gateway_unreachable") == (type(error), error.code)

    async def test_a_connection_that_takes_too_long(self) -> None:
        """The server accepts and then says nothing to the TLS handshake."""

        async def silent(wire: FrameSocket) -> None:
            await wire.closed()

        async with raw_server(silent) as heard:
            client = gateway(heard.url.replace("http:", "https:"), connect=0.1)
            error = await failure(client)
            await client.aclose()
        assert (TransientError, "gateway_unreachable") == (type(error), error.code)
        assert "no connection in time" in error.detail

    async def test_no_connection_that_is_free(self) -> None:
        """The wait has a limit of its own, so that it cannot use up the time for the reply."""
        async with talking_to(hang, seconds=2.0, pool=Pool(connections=1)) as (client, heard):
            first = asyncio.create_task(failure(client))
            await wait_until(lambda: len(heard.requests) == 1)
            second = await failure(client)
            assert (TransientError, "gateway_unreachable") == (type(second), second.code)
            assert isinstance(await first, OutcomeUncertainError)
            assert len(heard.requests) == 1
