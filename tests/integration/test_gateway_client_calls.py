"""The gateway's client in use: calls side by side, what metrics are told, and that secrets stay inside."""

import asyncio
import logging
import traceback
from collections.abc import Iterator, Mapping

import pytest

from tests.support.deadline import DEADLINE
from tests.support.gateway_side import (
    CREDENTIALS,
    DROPS,
    ID,
    MESSAGE,
    NUMBER,
    SECRETS,
    SENT,
    answering,
    drop_after_the_request,
    failure,
    gateway,
    hang,
    send,
    talking_by,
    talking_to,
)
from tests.support.raw_server import FrameSocket, Script, raw_server, wait_until
from worker.domain.errors import OutcomeUncertainError
from worker.iton.client import Observers
from worker.iton.transport import Pool


@pytest.fixture(autouse=True, params=["pooled", "httpx"])
def _transport(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have every test talk by each transport."""
    with talking_by(request.param):
        yield


class TestCallsAtOnce:
    """Calls overlap, end early, and leave nothing broken."""

    async def test_a_hundred_calls_run_side_by_side(self) -> None:
        """None of them waits for another to end."""
        arrived = asyncio.Event()

        async def all_together(wire: FrameSocket) -> None:
            await wire.request()
            if wire.number == 100:
                arrived.set()
            await arrived.wait()
            await wire.reply(SENT)

        async with talking_to(all_together) as (client, heard):
            replies = await asyncio.gather(*(send(client) for _ in range(100)))
            assert replies == [{NUMBER: (ID,)}] * 100
            assert len(heard.requests) == 100

    async def test_a_cancelled_call_gives_its_connection_back(self) -> None:
        """And the connection, on which a late reply may come, is not used again."""

        async def first_hangs(wire: FrameSocket) -> None:
            await (hang(wire) if wire.number == 1 else answering(SENT)(wire))

        async with talking_to(first_hangs, pool=Pool(connections=1)) as (client, heard):
            call = asyncio.create_task(send(client))
            await wait_until(lambda: len(heard.requests) == 1)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await send(client) == {NUMBER: (ID,)}
            assert heard.connections == 2

    async def test_a_call_that_is_cancelled_while_it_waits_sends_nothing(self) -> None:
        """Its place is free again."""
        going = asyncio.Event()

        async def wait_first(wire: FrameSocket) -> None:
            while True:
                await wire.request()
                await going.wait()
                await wire.reply(SENT)

        async with talking_to(wait_first, pool=Pool(connections=1)) as (client, heard):
            first, second = (asyncio.create_task(send(client)) for _ in range(2))
            await wait_until(lambda: len(heard.requests) == 1)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            going.set()
            assert await first == {NUMBER: (ID,)}
            assert await send(client) == {NUMBER: (ID,)}
            assert len(heard.requests) == 2

    async def test_closing_ends_a_call_as_uncertain(self) -> None:
        """Its request is out."""
        async with talking_to(hang) as (client, heard):
            call = asyncio.create_task(failure(client))
            await wait_until(lambda: len(heard.requests) == 1)
            await client.aclose()
            assert isinstance(await call, OutcomeUncertainError)

    async def test_closing_without_a_call_is_nothing(self) -> None:
        """No connection was ever opened."""
        await gateway("http://127.0.0.1:1/").aclose()


class TestObservers:
    """What metrics are told."""

    @pytest.mark.parametrize(
        ("script", "outcome"),
        [
            (answering(SENT), "ok"),
            (answering(b"Invalid Sender ID"), "permanent"),
            (answering(b"", "503 Busy"), "transient"),
            (answering(b"", "403 Forbidden"), "account"),
            (drop_after_the_request, "uncertain"),
        ],
        ids=["ok", "permanent", "transient", "account", "uncertain"],
    )
    async def test_each_call_is_told_once(self, script: Script, outcome: str) -> None:
        """With its command, its outcome, its time and how many numbers it was for."""
        calls: list[tuple[str, str, float, int]] = []

        def note(command: str, outcome: str, seconds: float, keys: int) -> None:
            calls.append((command, outcome, seconds, keys))

        async with raw_server(script) as heard:
            client = gateway(heard.url, observers=Observers(on_call=note))
            await asyncio.gather(send(client), return_exceptions=True)
            await client.aclose()
        assert [("sendSMS", outcome, 1)] == [(*call[:2], call[3]) for call in calls]
        assert 0 < calls[0][2] < DEADLINE

    async def test_each_call_says_how_many_it_asks_about(self) -> None:
        """And what was answered of numbers on the DND list."""
        keys: list[tuple[str, int]] = []
        answers: list[tuple[int, Mapping[str, bool]]] = []
        observers = Observers(
            on_call=lambda command, _outcome, _seconds, count: keys.append((command, count)),
            on_dnd=lambda asked, said: answers.append((asked, said)),
        )
        async with raw_server(answering(f'{{"{NUMBER}": true}}'.encode())) as heard:
            client = gateway(heard.url, observers=observers)
            await client.check_dnd([NUMBER, "919032728149"])
            for call in (client.message_status([ID]), client.account()):
                await asyncio.gather(call, return_exceptions=True)
            await client.aclose()
        assert [("check_DNDnumber", 2), ("message_status", 1), ("account", 0)] == keys
        assert [(2, {NUMBER: True})] == answers

    async def test_ids_for_strangers_are_counted(self) -> None:
        """They go nowhere else."""
        strangers: list[tuple[str, int]] = []

        def note(command: str, count: int) -> None:
            strangers.append((command, count))

        ids = f'{{"{ID}": "{NUMBER}", "1a": "910000000000", "2b": ["910000000001", "{NUMBER}"]}}'
        body = f'{{"message_id": {ids}}}'.encode()
        async with raw_server(answering(body)) as heard:
            client = gateway(heard.url, observers=Observers(on_unasked=note))
            assert await send(client) == {NUMBER: (ID, "2b")}
            await client.aclose()
        assert strangers == [("sendSMS", 2)]


class TestSecrets:
    """No credential in a log, an error, a repr or a chain of exceptions."""

    @pytest.fixture
    def everything_logged(self, caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
        """Provide the log of all libraries at DEBUG."""
        names = ("", "httpx", "httpcore", "aiohttp", "aiohttp.client", "asyncio")
        before = {name: logging.getLogger(name).level for name in names}
        for name in names:
            logging.getLogger(name).setLevel(logging.DEBUG)
        with caplog.at_level(logging.DEBUG):
            yield caplog
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)

    @pytest.mark.parametrize("script", [answering(SENT), *DROPS], ids=lambda script: script.__name__)
    async def test_logs_at_debug_hold_none(
        self, script: Script, everything_logged: pytest.LogCaptureFixture
    ) -> None:
        """Even where somebody sets the levels of the libraries later."""
        async with talking_to(script) as (client, _):
            asyncio.get_running_loop().set_debug(True)
            await asyncio.gather(send(client), return_exceptions=True)
        assert not any(secret in everything_logged.text for secret in (*SECRETS, NUMBER, MESSAGE.text))

    @pytest.mark.parametrize(
        "script",
        [
            *DROPS,
            answering(f"Invalid Username {SECRETS[0]} and Password {SECRETS[1]} {SECRETS[2]}".encode()),
            answering(f"Message too long: {MESSAGE.text} for {NUMBER} {SECRETS[3]}".encode()),
        ],
        ids=lambda script: script.__name__,
    )
    async def test_errors_and_all_that_hangs_on_them_hold_none(self, script: Script) -> None:
        """Neither words, nor causes, nor the variables of the frames that a traceback leads to."""
        async with talking_to(script) as (client, _):
            error = await failure(client)
            assert (error.__cause__, error.__context__) == (None, None)
            shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
            ours = [line for line in shown.splitlines() if "SECRETS" not in line]
            assert not any(secret in "\n".join(ours) for secret in SECRETS)
            assert not any(secret in error.detail for secret in (*SECRETS, NUMBER, MESSAGE.text))

    async def test_a_connection_that_never_stood_says_nothing_of_the_url(self) -> None:
        """Not even in a TransientError."""
        error = await failure(client := gateway("http://127.0.0.1:1/"))
        await client.aclose()
        assert (error.__cause__, error.__context__) == (None, None)
        assert not any(secret in repr(error) for secret in SECRETS)

    def test_reprs_hold_none(self) -> None:
        """Of anything that a log line or a debugger may show."""
        client = gateway("http://127.0.0.1:1/")
        shown = [
            client,
            CREDENTIALS,
            client._requests,
            client._requests.account(),
            client._quotes,
            client._transport,
        ]
        assert not any(secret in repr(item) for item in shown for secret in SECRETS)
