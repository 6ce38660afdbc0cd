"""The gateway behind an egress proxy, with a certificate of an own authority."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.deadline import DEADLINE
from tests.support.gateway_side import (
    CREDENTIALS,
    DROPS,
    ID,
    NUMBER,
    SELF_SIGNED,
    SENT,
    after_a_good_call,
    answering,
    failure,
    send,
    talking_by,
    transport_of,
)
from tests.support.proxy_server import Proxy, proxy_server
from tests.support.raw_server import Heard, Script, raw_server
from worker.domain.errors import OutcomeUncertainError, TransientError
from worker.iton.client import ItonGateway, TimeLimits
from worker.iton.route import Route, route_of
from worker.iton.transport import Pool

OWN_CA = SELF_SIGNED.with_name("own-ca.pem")
SIGNED = SELF_SIGNED.with_name("signed-by-own-ca.pem")
LOGIN = "wörker:p@ss w%rd:1"
IN_A_URL = "w%C3%B6rker:p%40ss%20w%25rd%3A1"


@pytest.fixture(autouse=True, params=["pooled", "httpx"])
def _transport(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have every test talk by each transport."""
    with talking_by(request.param):
        yield


def server_tls() -> ssl.SSLContext:
    """Return the gateway's side of TLS, by an own authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SIGNED)
    return context


@asynccontextmanager
async def client_of(heard: Heard, proxy: str | None, ca_file: Path | None) -> AsyncIterator[ItonGateway]:
    """Provide a gateway by this route."""
    transport = transport_of(Pool(), route_of(proxy, ca_file))
    client = ItonGateway(heard.url, CREDENTIALS, limits=TimeLimits(call=DEADLINE), transport=transport)
    try:
        yield client
    finally:
        await client.aclose()


def url_of(proxy: Proxy) -> str:
    """Return what the setting would say."""
    return f"http://{IN_A_URL + '@' if proxy.login else ''}127.0.0.1:{proxy.port}"


class TestOwnAuthority:
    """A certificate that only the company vouches for."""

    async def test_the_named_authority_is_believed(self) -> None:
        """Directly."""
        async with (
            raw_server(answering(SENT), tls=server_tls()) as heard,
            client_of(heard, None, OWN_CA) as client,
        ):
            assert await send(client) == {NUMBER: (ID,)}

    @pytest.mark.parametrize("ca_file", [None, SELF_SIGNED])
    async def test_no_other_is(self, ca_file: Path | None) -> None:
        """The request does not leave."""
        async with (
            raw_server(answering(SENT), tls=server_tls()) as heard,
            client_of(heard, None, ca_file) as client,
        ):
            error = await failure(client)
            assert (type(error), error.code) == (TransientError, "gateway_unreachable")
            assert error.detail == "the gateway cannot be reached: its certificate is not trusted"
            assert heard.requests == []

    def test_the_system_s_authorities_stay(self) -> None:
        """The file comes beside them."""
        trust = route_of(None, OWN_CA).trust
        assert trust is not None
        assert len(trust.get_ca_certs()) == len(ssl.create_default_context().get_ca_certs()) + 1


class TestProxy:
    """Everything goes through it, or not at all."""

    @pytest.mark.parametrize("login", [None, LOGIN])
    @pytest.mark.parametrize("tls", [False, True])
    async def test_calls_go_through_it(self, login: str | None, *, tls: bool) -> None:
        """A plain gateway gets the request from it, a TLS one through a tunnel that it cannot look into."""
        async with (
            raw_server(answering(SENT), tls=server_tls() if tls else None) as heard,
            proxy_server(login) as proxy,
            client_of(heard, url_of(proxy), OWN_CA) as client,
        ):
            for _ in range(2):
                assert await send(client) == {NUMBER: (ID,)}
            assert (heard.connections, len(heard.requests)) == (1, 2)
            (head,) = proxy.heads
            target = f"CONNECT 127.0.0.1:{heard.port} HTTP/1.1\r\n" if tls else f"GET {heard.url}?username="
            assert head.startswith(target.encode())
            assert (CREDENTIALS.password.encode()[:4] in head) is not tls
            assert not tls or not any(b"proxy-auth" in request.lower() for request in heard.requests)

    @pytest.mark.parametrize(
        ("refusal", "words"),
        [
            ("407 Proxy Authentication Required", "refuses the user or password in its address (HTTP 407)"),
            ("403 Forbidden", "refuses the connection (HTTP 403)"),
            ("502 Bad Gateway", "refuses the connection (HTTP 502)"),
            ("504 Gateway Timeout", "refuses the connection (HTTP 504)"),
            ("799", "refuses the connection (HTTP 799)"),
        ],
    )
    async def test_a_refused_tunnel_has_sent_nothing(self, refusal: str, words: str) -> None:
        """The reason names the proxy."""
        async with (
            raw_server(answering(SENT), tls=server_tls()) as heard,
            proxy_server(refusal=refusal) as proxy,
            client_of(heard, url_of(proxy), OWN_CA) as client,
        ):
            error = await failure(client)
            assert (type(error), error.code) == (TransientError, "gateway_unreachable")
            assert refusal == "799" or error.detail == f"the gateway cannot be reached: the proxy {words}"
            assert (heard.connections, len(proxy.heads)) == (0, 1)

    @pytest.mark.parametrize("tls", [False, True])
    async def test_a_wrong_login_has_sent_nothing(self, *, tls: bool) -> None:
        """Without a tunnel, 407 comes from the proxy alone."""
        async with (
            raw_server(answering(SENT), tls=server_tls() if tls else None) as heard,
            proxy_server("somebody:else") as proxy,
            client_of(heard, f"http://{IN_A_URL}@127.0.0.1:{proxy.port}", OWN_CA) as client,
        ):
            error = await failure(client)
            assert (type(error), error.code) == (TransientError, "gateway_unreachable")
            assert "the proxy refuses the user or password in its address (HTTP 407)" in error.detail
            assert IN_A_URL not in repr(error) + repr(client._transport)
            assert heard.connections == 0

    async def test_a_407_behind_a_tunnel_is_the_gateway_s_own(self) -> None:
        """The call may have been carried out: it is not made again."""
        async with (
            raw_server(answering(b"", "407 Proxy Authentication Required"), tls=server_tls()) as heard,
            proxy_server() as proxy,
            client_of(heard, url_of(proxy), OWN_CA) as client,
        ):
            assert isinstance(await failure(client), OutcomeUncertainError)
            assert len(heard.requests) == 1

    @pytest.mark.parametrize("tls", [False, True])
    async def test_a_proxy_that_is_down_has_sent_nothing(self, *, tls: bool) -> None:
        """Nor one that hangs up on a tunnel."""
        async with proxy_server() as proxy:
            pass
        async with (
            raw_server(answering(SENT), tls=server_tls() if tls else None) as heard,
            client_of(heard, f"http://127.0.0.1:{proxy.port}", OWN_CA) as client,
        ):
            error = await failure(client)
            assert (type(error), error.code) == (TransientError, "gateway_unreachable")
            assert "the proxy cannot be reached: Connection refused" in error.detail
            assert heard.connections == 0

    async def test_a_proxy_that_hangs_up_on_a_tunnel_has_sent_nothing(self) -> None:
        """A request was not even written."""
        async with (
            raw_server(answering(SENT), tls=server_tls()) as heard,
            proxy_server(refusal="") as proxy,
            client_of(heard, url_of(proxy), OWN_CA) as client,
        ):
            error = await failure(client)
            assert (type(error), error.code) == (TransientError, "gateway_unreachable")
            assert error.detail.endswith("the proxy: the connection was closed")
            assert (heard.connections, len(proxy.heads)) == (0, 1)

    async def test_a_proxy_whose_name_is_unknown_has_sent_nothing(self) -> None:
        """RFC 6761: .invalid never resolves."""
        async with (
            raw_server(answering(SENT)) as heard,
            client_of(heard, "http://proxy.invalid", None) as client,
        ):
            error = await failure(client)
            assert isinstance(error, TransientError)
            assert error.detail == "the gateway cannot be reached: the proxy: its name cannot be resolved"

    async def test_a_certificate_is_checked_within_the_tunnel(self) -> None:
        """The proxy is not who vouches for the gateway."""
        async with (
            raw_server(answering(SENT), tls=server_tls()) as heard,
            proxy_server() as proxy,
            client_of(heard, url_of(proxy), None) as client,
        ):
            error = await failure(client)
            assert isinstance(error, TransientError)
            assert "its certificate is not trusted" in error.detail
            assert heard.requests == []

    @pytest.mark.parametrize("tls", [False, True])
    @pytest.mark.parametrize("drop", DROPS, ids=lambda drop: drop.__name__)
    async def test_a_kept_alive_connection_that_drops_carries_the_request_once(
        self, drop: Script, *, tls: bool
    ) -> None:
        """Aiohttp would send a GET again, through a proxy as well."""
        async with (
            raw_server(after_a_good_call(drop), tls=server_tls() if tls else None) as heard,
            proxy_server() as proxy,
            client_of(heard, url_of(proxy), OWN_CA) as client,
        ):
            await send(client)
            assert isinstance(await failure(client), OutcomeUncertainError)
            assert (heard.connections, len(heard.requests), len(proxy.heads)) == (1, 2, 1)


class TestRoute:
    """What the settings say."""

    @pytest.mark.parametrize(
        ("url", "proxy"),
        [
            ("http://proxy.example.com:3128", "http://proxy.example.com:3128"),
            ("http://u:p@[::1]:3128/", "http://[::1]:3128"),
            ("http://u@proxy", "http://proxy"),
        ],
    )
    def test_the_address_is_kept_without_its_credentials(self, url: str, proxy: str) -> None:
        """And nothing shows them."""
        route = route_of(url, None)
        assert route.proxy == proxy
        assert "Basic" not in repr(route)
        assert (route.login is None) == ("@" not in url)

    def test_without_a_proxy_nothing_is_said_to_one(self) -> None:
        """Neither in a request nor before it."""
        assert (Route().headers("http"), Route().tunnel_headers("https")) == ([], None)
