"""What calls to the gateway lean on of aiohttp below its session, and of httpx: new versions must keep it."""

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import httpcore
import httpx
import pytest
from aiohttp import ClientRequest, StreamReader, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from yarl import URL

from tests.support.deadline import DEADLINE
from tests.support.gateway_side import SENT, answering, hang
from tests.support.raw_server import raw_server, wait_until

REQUEST = b"GET /api/ HTTP/1.1\r\nHost: gateway\r\n\r\n"


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[TCPConnector, Connection, ResponseHandler]]:
    """Provide a connection to *url*, a request for a reply written on it."""
    connector = TCPConnector()
    request = ClientRequest("GET", URL(url), loop=asyncio.get_running_loop())
    connection = await connector.connect(request, [], aiohttp.ClientTimeout(connect=DEADLINE))
    protocol = connection.protocol
    assert protocol is not None
    assert protocol.transport is not None
    protocol.set_response_params(read_until_eof=True, auto_decompress=False)
    protocol.transport.write(REQUEST)
    try:
        yield connector, connection, protocol
    finally:
        connection.close()
        await connector.close()


class TestSignatures:
    """Names that are called."""

    @pytest.mark.parametrize(
        ("called", "names"),
        [
            (TCPConnector.connect, ["self", "req", "traces", "timeout"]),
            (TCPConnector.close, ["self", "abort_ssl"]),
            (ResponseHandler.data_received, ["self", "data"]),
            (ResponseHandler.read, ["self"]),
            (ResponseHandler.set_exception, ["self", "exc", "exc_cause"]),
            (Connection.release, ["self"]),
            (Connection.close, ["self"]),
            (StreamReader.is_eof, ["self"]),
            (StreamReader.readany, ["self"]),
            (StreamReader.read_nowait, ["self", "n"]),
            (StreamReader.set_exception, ["self", "exc", "exc_cause"]),
        ],
        ids=lambda item: getattr(item, "__qualname__", ""),
    )
    def test_they_take_what_is_given(self, called: object, names: list[str]) -> None:
        """Public ones, but in no document."""
        assert callable(called)
        assert names == list(inspect.signature(called).parameters)

    @pytest.mark.parametrize(
        ("called", "names"),
        [
            (TCPConnector.__init__, {"limit", "ttl_dns_cache", "ssl", "keepalive_timeout", "force_close"}),
            (ClientRequest.__init__, {"method", "url", "loop", "proxy", "proxy_headers"}),
            (ResponseHandler.set_response_params, {"read_until_eof", "auto_decompress"}),
        ],
        ids=lambda item: getattr(item, "__qualname__", ""),
    )
    def test_they_know_these_names(self, called: object, names: set[str]) -> None:
        """By keyword."""
        assert callable(called)
        parameters = inspect.signature(called).parameters
        assert names <= set(parameters) or any(one.kind is one.VAR_KEYWORD for one in parameters.values())

    def test_a_reply_has_a_code_and_headers(self) -> None:
        """And both as they were sent."""
        assert {"code", "headers", "raw_headers"} <= set(dir(RawResponseMessage))


class TestBehaviour:
    """What none of these names promises."""

    async def test_a_connector_makes_its_protocols_by_its_factory(self) -> None:
        """The one private name: there is no public way to give a connection another protocol."""
        made: list[ResponseHandler] = []

        class Own(ResponseHandler):
            """One of ours."""

        def factory() -> Own:
            own = Own(asyncio.get_running_loop())
            made.append(own)
            return own

        async with raw_server(answering(SENT)) as heard:
            connector = TCPConnector()
            connector._factory = factory  # type: ignore[assignment]
            request = ClientRequest("GET", URL(heard.url), loop=asyncio.get_running_loop())
            connection = await connector.connect(request, [], aiohttp.ClientTimeout())
            assert [connection.protocol] == made
            connection.close()
            await connector.close()

    async def test_a_request_knows_its_host_and_proxy(self) -> None:
        """As they are written in a head."""
        loop = asyncio.get_running_loop()
        request = ClientRequest("GET", URL("http://[::1]:8080"), loop=loop, proxy=URL("http://proxy"))
        assert ("[::1]:8080", URL("http://proxy")) == (request.headers["Host"], request.proxy)

    async def test_a_reply_that_came_at_once_is_read_without_waiting(self) -> None:
        """Its connection is kept."""
        async with (
            raw_server(answering(SENT)) as heard,
            connected(heard.url) as (connector, connection, wire),
        ):
            message, body = await wire.read()
            await wait_until(body.is_eof)
            assert (200, SENT) == (message.code, body.read_nowait())
            assert not wire.should_close
            connection.release()
            ((kept, _),) = next(iter(connector._conns.values()))
            assert kept is wire

    async def test_whoever_waits_for_a_reply_gets_the_error_that_is_set(self) -> None:
        """And the connection is used up."""
        async with raw_server(hang) as heard, connected(heard.url) as (_, _connection, wire):
            waiting = asyncio.create_task(wire.read())
            await asyncio.sleep(0)
            wire.set_exception(TimeoutError())
            with pytest.raises(TimeoutError):
                await waiting
            assert wire.should_close

    async def test_bytes_that_nobody_asked_for_make_a_connection_one_to_close(self) -> None:
        """Else they would be taken for the next reply."""
        async with raw_server(answering(SENT)) as heard, connected(heard.url) as (_, _connection, wire):
            _, body = await wire.read()
            await wait_until(body.is_eof)
            assert not wire.should_close
            wire.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            assert wire.should_close


class TestHttpx:
    """What httpx's own transport leans on, where it is chosen."""

    def test_its_pool_has_a_backend_that_can_be_wrapped(self) -> None:
        """Two private names: there is no public way to see the bytes before they are parsed."""
        transport = httpx.AsyncHTTPTransport()
        assert isinstance(transport._pool, httpcore.AsyncConnectionPool)
        assert isinstance(transport._pool._network_backend, httpcore.AsyncNetworkBackend)

    async def test_it_says_when_the_first_byte_of_a_request_goes_out(self) -> None:
        """By the name of an event that its documents do not promise."""
        events: list[str] = []

        async def trace(event: str, _about: object) -> None:
            events.append(event)

        async with raw_server(answering(SENT)) as heard, httpx.AsyncHTTPTransport() as transport:
            request = httpx.Request("GET", heard.url, extensions={"trace": trace})
            await (await transport.handle_async_request(request)).aread()
        connected, written = "connection.connect_tcp.complete", "http11.send_request_headers.started"
        assert events.index(connected) < events.index(written)
