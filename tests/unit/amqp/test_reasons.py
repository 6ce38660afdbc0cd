"""Why there is no connection, in words that stay the same."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiormq.exceptions import AMQPConnectionError
from pamqp import commands, frame
from pamqp.base import Frame
from structlog.testing import capture_logs

from tests.support.deadline import DEADLINE
from tests.support.tcp_server import tcp_server
from worker.amqp.connection.opening import RawConnection, Timing, open_connection
from worker.amqp.connection.reasons import no_connection
from worker.amqp.connection.supervisor import Supervisor
from worker.amqp.wire.transport import CloseReason
from worker.domain.errors import BrokerUnavailableError

TLS = Path(__file__).parents[2] / "samples" / "tls"
SECRET = "s3same-pw"
PATIENT = Timing(connect=DEADLINE, call=DEADLINE, backoff=0.05)
SHORT = Timing(connect=2.0, call=2.0, backoff=0.05)
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def says(first: bytes) -> Script:
    """Hear the greeting, answer something and hang up."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(first)

    return script


def closes(code: int, words: str, *, behind_login: bool) -> Script:
    """Close as a broker does: with a reason, in place of Tune or of OpenOk."""

    def method(one: Frame) -> bytes:
        return frame.marshal(one, 0)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(method(commands.Connection.Start(server_properties={}, mechanisms="PLAIN")))
        await reader.read(4096)
        if behind_login:
            writer.write(method(commands.Connection.Tune(2047, 131_072, 10)))
            await reader.read(4096)
        writer.write(method(commands.Connection.Close(code, words, 10, 40)))
        await reader.read(4096)

    return script


@asynccontextmanager
async def server(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Provide HOST:PORT of something that is not the broker we want."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        finally:
            writer.close()

    async with tcp_server(serve, tls) as port:
        yield f"127.0.0.1:{port}"


def certificate(name: str) -> ssl.SSLContext:
    """Return the server's side of TLS with one of the samples."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / name)
    return context


async def trouble(url: str, timing: Timing = PATIENT) -> BrokerUnavailableError:
    """Return why nobody can connect to *url*."""
    with pytest.raises(BrokerUnavailableError) as caught:
        await open_connection(url, name="test", timing=timing)
    return caught.value


async def trouble_at(
    script: Script, *, path: str = "/", tls: ssl.SSLContext | None = None, timing: Timing = PATIENT
) -> str:
    """Return the words about a server, its place left out."""
    async with server(script, tls) as place:
        scheme = "amqps" if tls else "amqp"
        found = await trouble(f"{scheme}://guest:{SECRET}@{place}{path}", timing)
        assert SECRET not in found.detail
        return f"{found.code}: {found.detail.replace(place, 'PLACE')}"


class TestAddresses:
    """Those that the library cannot read."""

    @pytest.mark.parametrize("char", ["\\", "\uff05", "%40\u00b2", "[]"])
    async def test_its_error_which_quotes_the_password_is_not_ours(self, char: str) -> None:
        """Neither in words nor in what they come from."""
        found = await trouble(f"amqp://guest:{SECRET}{char}@127.0.0.1:1/")
        assert "AMQP_URL is no valid URL: percent-encode" in found.detail
        assert (None, None) == (found.__cause__, found.__context__)


class TestWhatTheBrokerSays:
    """It closes the connection with a reason, which the library hides behind an object's address."""

    @pytest.mark.parametrize(
        ("path", "host"), [("/nosuch", "nosuch"), ("/a%20b%2Fc", "a b/c"), ("/", "/"), ("/%2F", "/")]
    )
    async def test_a_virtual_host_that_is_not_there_or_not_ours_is_named(self, path: str, host: str) -> None:
        """Percent-encoded in the URL, plain in the words."""
        script = closes(530, f"NOT_ALLOWED - vhost {host} not found", behind_login=True)
        words = f"virtual_host_refused: the broker at PLACE has no virtual host {host}, or not for this user"
        assert await trouble_at(script, path=path) == words

    @pytest.mark.parametrize("behind_login", [False, True])
    async def test_a_refused_log_in(self, *, behind_login: bool) -> None:
        """At whatever step the broker refuses it."""
        script = closes(403, "ACCESS_REFUSED - Login was refused using PLAIN.", behind_login=behind_login)
        assert await trouble_at(script) == "login_refused: the broker at PLACE refuses user or password"

    async def test_a_user_who_may_only_connect_from_the_brokers_machine(self) -> None:
        """Guest, as RabbitMQ comes."""
        script = closes(
            403, "ACCESS_REFUSED - user 'guest' can only connect via localhost", behind_login=False
        )
        assert (await trouble_at(script)).endswith(": it may only connect from the broker's own machine")

    async def test_anything_else_in_the_brokers_words_without_the_user(self) -> None:
        """A limit of connections is no missing permission."""
        words = "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (3) is reached"
        assert await trouble_at(closes(530, words, behind_login=True)) == (
            "connect_failed: the broker at PLACE refuses the connection: "
            "NOT_ALLOWED - access to vhost '/' refused for our user: connection limit (3) is reached"
        )


class TestWhatIsNoBroker:
    """Something else answers, or nothing does."""

    @pytest.mark.parametrize(
        ("first", "reason"),
        [
            (b"", "it closed the connection before it said a word of AMQP"),
            (b"\x15\x03\x03\x00\x02\x02\x46", "it answers in TLS; amqps:// goes with it"),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what answers there is no AMQP broker"),
            (b"SSH-2.0-OpenSSH_9.2p1\r\n", "what answers there is no AMQP broker"),
            (b"\x02\x00\x00\x00\x00\x00\x01\x00\xce", "a frame cannot be read (error)"),
            (b"\x01\x00\x00\x00\x00\x00\x04\x00\x63\x00\x63\xce", "what answers there is no AMQP broker"),
            (b"AMQP\x03\x01\x00\x00", "it speaks another version of AMQP than 0-9-1"),
        ],
    )
    async def test_another_service_is_told_from_a_broker(self, first: bytes, reason: str) -> None:
        """At once, and not after the time limit."""
        words = f"connect_failed: the broker at PLACE cannot be reached: {reason}"
        assert await trouble_at(says(first)) == words

    async def test_silence(self) -> None:
        """A firewall, or a service that waits for a whole line."""

        async def hush(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read()

        words = await trouble_at(hush, timing=SHORT)
        assert words.endswith("cannot be reached: the broker did not answer within 2 s")

    async def test_a_port_that_nobody_listens_on(self) -> None:
        """In the system's words, without its number."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            place = f"127.0.0.1:{taken.getsockname()[1]}"
            found = await trouble(f"amqp://guest:{SECRET}@{place}/")
        assert found.detail == f"the broker at {place} cannot be reached: connection refused"

    async def test_a_name_that_is_in_no_directory(self) -> None:
        """The resolver's words differ from system to system."""
        found = await trouble("amqp://broker.invalid/")
        assert (
            "the broker at broker.invalid:5672 cannot be reached: its name cannot be resolved" in found.detail
        )

    @pytest.mark.parametrize("addresses", [("::1", "127.0.0.1"), ("127.0.0.1", "::1")])
    async def test_several_addresses_that_refuse_have_one_reason(self, addresses: tuple[str, str]) -> None:
        """In whatever order they were tried."""
        tried = ", ".join(f"[Errno 111] Connect call failed ('{one}', 5672)" for one in addresses)
        found = no_connection(AMQPConnectionError(f"Multiple exceptions: {tried}"), "amqp://broker/", None)
        assert found.detail == "the broker at broker:5672 cannot be reached: connection refused"


class TestTls:
    """Its faults are told apart."""

    @pytest.mark.parametrize(
        ("name", "options", "reason"),
        [
            ("self-signed.pem", "", "self-signed certificate"),
            ("expired.pem", f"cafile={TLS / 'expired.pem'}", "certificate has expired"),
        ],
    )
    async def test_a_certificate_that_is_not_trusted_and_why(
        self, name: str, options: str, reason: str
    ) -> None:
        """In the words of the verification."""
        words = await trouble_at(says(b""), path=f"/?{options}", tls=certificate(name))
        assert words == (
            f"connect_failed: the broker at PLACE cannot be reached: its certificate is not trusted: {reason}"
        )

    async def test_a_port_without_tls(self) -> None:
        """It answers in plain AMQP."""
        async with server(says(b"AMQP\x00\x00\x09\x01")) as place:
            found = await trouble(f"amqps://guest:{SECRET}@{place}/")
        assert found.detail.endswith("it does not answer in TLS; amqp:// goes without")

    async def test_a_file_with_authorities_that_is_not_there(self) -> None:
        """The setting is named, not the certificate blamed."""
        found = await trouble("amqps://127.0.0.1:1/?cafile=/nowhere/ca.pem")
        assert found.detail.endswith("a file that AMQP_URL names behind the ? is not there")

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ("cafile=/", "AMQP_URL names no file behind the ?"),
            (f"cafile={__file__}/ca.pem", "AMQP_URL names no file behind the ?"),
            (
                f"certfile={__file__}&keyfile={__file__}",
                "certfile or keyfile behind the ? of AMQP_URL cannot be read: name files in PEM form",
            ),
            (
                "cadata=x",
                "cadata behind the ? of AMQP_URL cannot be read: it is a certificate's DER in Base64",
            ),
        ],
        ids=["a directory", "below a file", "no PEM", "no Base64"],
    )
    async def test_a_file_that_holds_no_certificate(self, options: str, words: str) -> None:
        """Names the option that is wrong; it was "Error", "unknown" or "is a directory"."""
        found = await trouble(f"amqps://127.0.0.1:1/?{options}")
        assert found.detail.endswith(f"cannot be reached: {words}")


class TestLines:
    """One line for each reason, however often it is tried."""

    async def test_a_reason_is_logged_once_and_readiness_has_the_same_words(self) -> None:
        """Until it changes."""

        async def nothing(_connection: RawConnection) -> None:
            """There is nothing to set up."""

        async with server(closes(530, "NOT_ALLOWED - vhost nosuch not found", behind_login=True)) as place:
            with capture_logs() as lines:
                supervisor = Supervisor(
                    f"amqp://guest:{SECRET}@{place}/nosuch",
                    name="test",
                    set_up=nothing,
                    probe=nothing,
                    on_down=attempts_of(enough := asyncio.Event(), 5),
                    timing=PATIENT,
                )
                running = asyncio.create_task(supervisor.run())
                async with asyncio.timeout(DEADLINE):
                    await enough.wait()
                running.cancel()
                await asyncio.wait({running})
        (line,) = [one for one in lines if one["event"] == "broker.unavailable"]
        assert line["reason"] == supervisor.state.reason
        assert supervisor.state.reason.endswith("has no virtual host nosuch, or not for this user")


def attempts_of(enough: asyncio.Event, most: int) -> Callable[[], None]:
    """Set *enough* at the *most*-th call."""
    calls = 0

    def called() -> None:
        nonlocal calls
        calls += 1
        if calls >= most:
            enough.set()

    return called


class TestPlaces:
    """Where the broker is."""

    def test_an_ipv6_address_keeps_its_brackets(self) -> None:
        """Else its port could not be told from it."""
        found = no_connection(
            ConnectionRefusedError(111, ""), "amqp://guest:x@[::1]:5673/", CloseReason(403, "")
        )
        assert found.detail == "the broker at [::1]:5673 refuses user or password"
