"""The stand-in over a real socket, and as a process of its own."""

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from scripts.free_ports import free_ports
from tests.support.deadline import DEADLINE
from worker.simulator import RunningSimulator, running_simulator

PHONE = "919876543210"
CREDENTIALS = {"username": "demo", "password": "demo"}
SEND = {**CREDENTIALS, "cmd": "sendSMS", "to": PHONE, "message": "Hello & नमस्ते", "uniCode": "2"}
PROGRAM = """
import sys
from worker.simulator import SimulatorOptions, serve
serve(SimulatorOptions(), port=int(sys.argv[1]))
"""


@pytest.fixture
async def simulator() -> AsyncIterator[RunningSimulator]:
    """A stand-in with default options."""
    async with running_simulator() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that gives up after a while and keeps no connection."""
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        yield session


async def _get(client: aiohttp.ClientSession, url: str, **params: str) -> tuple[int, str]:
    async with client.get(url, params=params) as response:
        return response.status, await response.text()


async def _json(client: aiohttp.ClientSession, method: str, url: str, body: object = None) -> tuple[int, Any]:
    async with client.request(method, url, data=None if body is None else json.dumps(body)) as response:
        return response.status, await response.json()


async def _in_flight(simulator: RunningSimulator, count: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while simulator.control.traffic.in_flight != count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


class TestCalls:
    """The API over HTTP."""

    @pytest.mark.parametrize("path", ["/", "/ItonSMSAPI/smsService/api/", "/any/where"])
    async def test_every_path_serves_the_api(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession, path: str
    ) -> None:
        """``url`` is the one of the gateway's page."""
        url = simulator.root + path

        assert (200, "Remaining_Credits: 1000000") == await _get(client, url, cmd="account", **CREDENTIALS)
        assert simulator.url.endswith("/ItonSMSAPI/smsService/api/")

    async def test_a_form_says_the_same_as_a_query(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """Commas escaped or not, other alphabets, ampersands."""
        async with client.post(simulator.url, data=SEND) as response:
            posted = await response.json()
        status, got = await _get(client, simulator.url, **SEND)

        assert (200, [PHONE]) == (status, list(json.loads(got)["message_id"].values()))
        assert [PHONE] == list(posted["message_id"].values())
        assert ["Hello & नमस्ते"] * 2 == [send.message for send in simulator.control.sends]

    async def test_a_long_request_line_is_414(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """8,192 bytes pass, one more does not; a form may be longer."""
        short = f"{simulator.url}?cmd=account&username=demo&password=demo&x="
        room = 8192 - len(f"GET {short.removeprefix(simulator.root)} HTTP/1.1\r\n")

        statuses = [(await _get(client, short + "x" * length))[0] for length in (room, room + 1, 100_000)]
        async with client.post(simulator.url, data={**SEND, "x": "x" * 100_000}) as response:
            posted = response.status

        assert [200, 414, 414] == statuses
        assert 200 == posted

    async def test_other_methods_are_refused(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """GET and POST only."""
        async with client.put(simulator.url, params=SEND) as response:
            assert 405 == response.status
        assert [] == simulator.control.sends

    async def test_a_repeated_parameter_shows_in_the_state(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """An injected parameter looks so; the first value holds."""
        query = "cmd=account&username=demo&password=demo&cmd=sendSMS"

        status, text = await _get(client, f"{simulator.url}?{query}")

        assert (200, "Remaining_Credits: 1000000") == (status, text)
        assert 1 == simulator.control.state()["repeated_parameters"]


class TestFaults:
    """Faults on the wire."""

    @pytest.mark.parametrize("kind", ["drop", "reset"])
    @pytest.mark.parametrize(("when", "sent"), [("before", 0), ("after", 1)])
    async def test_a_cut_connection_may_hide_a_send(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession, kind: str, when: str, sent: int
    ) -> None:
        """After: the send is recorded and its reply is lost."""
        simulator.control.add_fault(command="sendSMS", kind=kind, when=when)

        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await client.post(simulator.url, data=SEND)

        state = simulator.control.state()
        assert (1, sent, 0) == (state["calls"]["sendSMS"], state["sent"]["messages"], state["in_flight"])

    async def test_a_hanging_call_ends_when_its_client_goes(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """It is in flight until then."""
        simulator.control.add_fault(kind="hang")

        call = asyncio.create_task(client.post(simulator.url, data=SEND))
        await _in_flight(simulator, 1)
        call.cancel()

        await _in_flight(simulator, 0)

    async def test_a_hanging_call_is_cut_when_the_faults_are_cleared(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """The next call is served."""
        simulator.control.add_fault(kind="hang", when="after")
        call = asyncio.create_task(client.post(simulator.url, data=SEND))
        await _in_flight(simulator, 1)

        simulator.control.clear_faults()

        with pytest.raises(aiohttp.ServerDisconnectedError):
            await call
        assert 1 == simulator.control.gateway.sent_calls
        assert 200 == (await _get(client, simulator.url, **SEND))[0]

    async def test_a_truncated_reply_ends_too_early(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """Half of the announced body; the send is recorded."""
        simulator.control.add_fault(kind="truncated")

        with pytest.raises(aiohttp.ClientPayloadError):
            await _get(client, simulator.url, **SEND)

        assert 1 == simulator.control.gateway.sent_calls

    async def test_a_dripping_reply_arrives_whole_in_the_end(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """A byte at a time."""
        simulator.control.add_fault(kind="dripping", interval=0.001)

        assert (
            "Remaining_Credits: 1000000"
            == (await _get(client, simulator.url, cmd="account", **CREDENTIALS))[1]
        )

    async def test_a_client_that_leaves_a_dripping_reply_does_no_harm(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """The call ends soon after."""
        simulator.control.add_fault(kind="dripping", interval=0.01, times=1)

        async with client.get(simulator.url, params=SEND):
            pass

        await _in_flight(simulator, 0)
        assert 200 == (await _get(client, simulator.url, **SEND))[0]

    async def test_latency_keeps_calls_in_flight(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """Before: the command is carried out when the time is up."""
        simulator.control.add_fault(latency=1.0, jitter=0.05)

        call = asyncio.create_task(_get(client, simulator.url, **SEND))
        await _in_flight(simulator, 1)
        sent_meanwhile = simulator.control.gateway.sent_calls
        status, _ = await call

        assert (0, 200, 1) == (sent_meanwhile, status, simulator.control.gateway.sent_calls)

    async def test_replies_can_be_replaced_compressed_and_oversized(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """One after the other, each for one call."""
        add = simulator.control.add_fault
        add(times=1, retry_after=7)
        add(times=1, compressed=True)
        add(times=1, kind="oversized", size=3_000_000)

        async with client.get(simulator.url, params=SEND) as response:
            assert (503, "7") == (response.status, response.headers["Retry-After"])
        assert PHONE in (await _get(client, simulator.url, **SEND))[1]
        assert 3_000_000 == len((await _get(client, simulator.url, **SEND))[1])

    async def test_calls_over_the_limit_are_refused(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """With 503, and counted."""
        simulator.control.change(max_in_flight=1, latency=2.0)  # all three arrive within it

        replies = await asyncio.gather(*(_get(client, simulator.url, **SEND) for _ in range(3)))

        assert [200, 503, 503] == sorted(status for status, _ in replies)
        assert 2 == simulator.control.state()["answers"]["http_503"]

    async def test_calls_over_the_limit_queue_if_asked(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """All are served in the end."""
        simulator.control.change(max_in_flight=1, over_limit="queue", latency=0.01)

        replies = await asyncio.gather(*(_get(client, simulator.url, **SEND) for _ in range(5)))

        assert [200] * 5 == [status for status, _ in replies]


class TestControlEndpoint:
    """The switches over HTTP."""

    async def test_faults_are_added_listed_and_removed(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """One or several at once."""
        url = simulator.control_url + "/faults"

        assert (201, {"ids": [1]}) == await _json(client, "POST", url, {"kind": "html", "times": 2})
        assert (201, {"ids": [2, 3]}) == await _json(client, "POST", url, [{"status": 500}, {"kind": "hang"}])
        assert 200 == (await _json(client, "DELETE", url + "/3"))[0]
        assert "<html>" in (await _get(client, simulator.url, **SEND))[1]
        status, listed = await _json(client, "GET", url)

        first = {"id": 1, "applied": 1, "kind": "html", "times": 2}
        assert (200, {"faults": [first, {"id": 2, "applied": 0, "status": 500}]}) == (status, listed)
        assert (200, {"faults": []}) == await _json(client, "DELETE", url)
        assert 404 == (await _json(client, "DELETE", url + "/1"))[0]

    async def test_settings_change_and_reset(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """The answer has all settings, secrets hidden."""
        url = simulator.control_url

        status, settings = await _json(client, "POST", url + "/settings", {"balance": 5, "password": "new"})
        refused = await _get(client, simulator.url, **SEND)
        reset = await _json(client, "POST", url + "/reset")

        assert (200, 5, "***") == (status, settings["balance"], settings["password"])
        assert (200, "Invalid Username and Password") == refused
        assert (200, 1_000_000) == (reset[0], reset[1]["balance"])
        assert settings != (await _json(client, "GET", url + "/settings"))[1]

    async def test_sends_and_times_prove_that_there_are_no_doubles(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """Or that there are."""
        for _ in range(2):
            await _get(client, simulator.url, **SEND, template_id="7")
        url = simulator.control_url

        state = (await _json(client, "GET", url + "/state"))[1]
        page = (await _json(client, "GET", url + "/sends?after=1&limit=5"))[1]
        times = (await _json(client, "GET", url + f"/times?at_least=2&to={PHONE}"))[1]
        calls = (await _json(client, "GET", url + "/calls?limit=1"))[1]["calls"]

        sent = page["sends"][0]
        assert (2, 1) == (state["sent"]["messages"], state["sent"]["repeats"])
        assert (2, [PHONE], {"template_id": "7"}) == (page["next"], sent["to"], sent["params"])
        assert [{"to": PHONE, "message": SEND["message"], "times": 2}] == times["times"]
        assert ("sendSMS", PHONE) == (calls[0]["command"], calls[0]["params"]["to"])
        assert "password" not in calls[0]["params"]

    @pytest.mark.parametrize(
        ("path", "body", "words"),
        [
            ("/faults", {"kind": "explode"}, "kind: must be"),
            ("/faults", {"kynd": "drop"}, "kynd: is no known name"),
            ("/faults", "drop", "body: "),
            ("/settings", {"lattency": 1}, "lattency: is no known name"),
            ("/settings", {"self": 1}, "self: is no known name"),
            ("/settings", [1], "JSON object"),
        ],
    )
    async def test_wrong_input_is_400_and_names_the_field(
        self,
        simulator: RunningSimulator,
        client: aiohttp.ClientSession,
        path: str,
        body: object,
        words: str,
    ) -> None:
        """In words a person understands."""
        status, answer = await _json(client, "POST", simulator.control_url + path, body)

        assert 400 == status
        assert words in answer["error"]

    async def test_what_is_not_json_and_what_is_not_there(
        self, simulator: RunningSimulator, client: aiohttp.ClientSession
    ) -> None:
        """400 and 404, and no call is counted."""
        url = simulator.control_url
        async with client.post(url + "/faults", data=b"{\xff") as response:
            not_json = response.status

        assert 400 == not_json
        assert 400 == (await _json(client, "GET", url + "/sends?limit=x"))[0]
        assert 404 == (await _json(client, "GET", url + "/sendz"))[0]
        assert 0 == sum(simulator.control.state()["calls"].values())


class TestProcess:
    """``serve``, in a process of its own."""

    @pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
    async def test_it_says_that_it_sends_no_sms_and_stops_on_a_signal(
        self, client: aiohttp.ClientSession, stop: signal.Signals
    ) -> None:
        """First log line, then service, then exit code 0, a hanging call notwithstanding."""
        async with _a_process() as (process, url, first_line):
            await _json(client, "POST", url + "/_control/faults", {"kind": "hang", "command": "sendSMS"})
            hanging = asyncio.create_task(client.post(url, data=SEND))
            await _one_call_in_flight(client, url)
            process.send_signal(stop)
            async with asyncio.timeout(DEADLINE):
                code = await process.wait()
            (outcome,) = await asyncio.gather(hanging, return_exceptions=True)

        assert "a stand-in for ITON: no SMS is sent" in first_line
        assert 0 == code
        assert isinstance(outcome, aiohttp.ClientError)


async def _one_call_in_flight(client: aiohttp.ClientSession, url: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while (await _json(client, "GET", url + "/_control/state"))[1]["in_flight"] != 1:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@asynccontextmanager
async def _a_process() -> AsyncIterator[tuple[asyncio.subprocess.Process, str, str]]:
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        str(port),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": os.getcwd()},  # noqa: PTH109 - a string for the environment
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), DEADLINE)
        yield process, f"http://127.0.0.1:{port}", re.sub(r"\x1b\[[0-9;]*m", "", line.decode())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
