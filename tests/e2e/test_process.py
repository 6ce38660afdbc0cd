"""The process as an operator sees it (contract, sections 5 and 6)."""

import json
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts.local_broker import PrivateBroker
from tests.support.deadline import DEADLINE
from tests.support.forked import run_program
from tests.support.line import Line, line_on
from tests.support.results_side import numbers
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import AS_TYPED, PASSWORD, PROGRAM, Workshop, wait_until, worker_environment

pytestmark = pytest.mark.slow

ONE = "919876543210"
NOWHERE = "http://127.0.0.1:1/"
DRAIN_TIMEOUT = 25  # seconds, the default of WORKER_DRAIN_TIMEOUT
WRONG: dict[str, str] = {
    "AMQP_URL": "http://localhost/",
    "AMQP_PREFIX": "a b",
    "AMQP_DECLARE": "perhaps",
    "ITON_BASE_URL": "ftp://sms",
    "ITON_USERNAME": "",
    "ITON_PASSWORD": "",
    "ITON_API_TOKEN": "of\ntwo lines",
    "ITON_TIMEOUT": "soon",
    "ITON_RATE_LIMIT": "-1",
    "ITON_ALLOWED_PARAMS": "to",
    "LEDGER_URL": "mysql://x",
    "HEALTH_HOST": "nowhere",
    "HEALTH_PORT": "99999",
    "LOG_FORMAT": "xml",
    "LOG_LEVEL": "loud",
    "WORKER_DRAIN_TIMEOUT": "-5",
    "WORKER_DEFAULT_REGION": "Mars",
    "WORKER_PREFETCHH": "5",
}


@pytest.fixture
def workshop(workshop: Workshop) -> Workshop:
    """Provide a workshop whose workers are started as an operator starts them."""
    workshop.command = AS_TYPED
    return workshop


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Exit code and output of a worker for each wrong setting; a few at a time."""
    folder = tmp_path_factory.mktemp("settings")
    env = worker_environment(amqp_url="amqp://127.0.0.1:1/", prefix="x", gateway_url=NOWHERE, folder=folder)

    def end(variable: str) -> tuple[int, str]:
        done = run_program("run", env=env | {variable: WRONG[variable]}, cwd=folder)
        return done.returncode, done.stdout + done.stderr

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(WRONG, pool.map(end, WRONG), strict=True))


class TestHealthEndpoints:
    """``/livez``, ``/readyz``, ``/metrics`` on HEALTH_PORT."""

    def test_all_answer(self, line: Line) -> None:
        """200 with a working worker; readiness is JSON, metrics are Prometheus text."""
        assert 200 == line.worker.get("/livez")[0]
        status, body = line.worker.get("/readyz")
        assert (200, dict) == (status, type(json.loads(body)))
        status, body = line.worker.get("/metrics")
        assert 200 == status
        assert "\niton_worker_" in body

    def test_there_is_nothing_else(self, line: Line) -> None:
        """404."""
        assert 404 == line.worker.get("/")[0]

    def test_a_broker_that_is_away_is_503_with_the_reason(self, workshop: Workshop) -> None:
        """Alive, not ready; the password of the broker is not shown."""
        worker = workshop.start(AMQP_URL="amqp://someone:brokerpass@127.0.0.1:1/")
        reasons = json.loads(worker.wait_not_ready())
        assert reasons
        assert 200 == worker.get("/livez")[0]
        assert "brokerpass" not in worker.output() + json.dumps(reasons)
        assert 0 == worker.terminate()


class TestStop:
    """SIGTERM."""

    def test_an_idle_worker_exits_0_at_once(self, own_line: Callable[..., Line]) -> None:
        """It does not wait for the time that work in flight would have; and no port is left open."""
        worker = own_line().worker
        started = time.monotonic()
        assert 0 == worker.terminate()
        assert time.monotonic() - started < DRAIN_TIMEOUT / 2
        assert 0 == worker.get("/livez")[0]

    def test_sigint_does_the_same(self, own_line: Callable[..., Line]) -> None:
        """As on a terminal."""
        worker = own_line().worker
        worker.signal(signal.SIGINT)
        assert 0 == worker.wait_ended(DRAIN_TIMEOUT / 2)

    def test_what_is_in_flight_ends_and_the_rest_goes_back(self, own_line: Callable[..., Line]) -> None:
        """A call that began is waited for, none is cut off; what was not sent waits for the next worker."""
        line = own_line(WORKER_MAX_CALLS=4, WORKER_URGENT_CALLS=1, WORKER_DRAIN_TIMEOUT=8)
        line.gateway.change(latency=0.5)
        people = numbers(40)
        jobs = [line.producer.send([number], "stopped", category="service") for number in people]
        wait_until(lambda: line.gateway.calls("sendSMS") >= 4, "calls are under way")
        assert 0 == line.worker.terminate()
        line.gateway.change(latency=0)
        line.workshop.ready()
        results = [line.collector.one(job) for job in jobs]
        assert dict.fromkeys(people, 1) == line.gateway.times("stopped")
        assert {"send.accepted": 40} == Counter(result.key for result in results)

    @pytest.mark.row(
        "stopped-parts",
        "SIGTERM in the middle",
        "calls under way are finished, the rest is sent by the next worker; nothing `uncertain`",
    )
    def test_a_large_job_ends_its_calls_and_goes_back(self, own_line: Callable[..., Line]) -> None:
        """The next worker sends the parts that were not begun; nothing is in doubt."""
        line = own_line(WORKER_MAX_CALLS=4, WORKER_URGENT_CALLS=1)
        # Three calls at a time: there are eight seconds to stop it before the last ones begin.
        line.gateway.change(latency=4)
        people = numbers(800)
        job = line.producer.send(people, "stopped in parts", category="service")
        wait_until(lambda: line.gateway.calls("sendSMS") >= 1, "calls are under way")
        assert 0 == line.worker.terminate()
        assert line.gateway.calls("sendSMS") < 8
        line.gateway.change(latency=0)
        line.workshop.ready()
        parts = line.collector.whole(job)
        assert {"send.accepted"} == {part.key for part in parts}
        assert dict.fromkeys(people, 1) == line.gateway.times("stopped in parts")

    def test_a_broker_that_hangs_takes_no_longer(
        self, own_broker: PrivateBroker, own_broker_prefix: str, gateway: SimulatorProcess, tmp_path: Path
    ) -> None:
        """A call that does not end and a broker that says nothing are no more than `WORKER_DRAIN_TIMEOUT`."""
        shop = Workshop(
            amqp_url=own_broker.url,
            prefix=own_broker_prefix,
            gateway_url=gateway.url,
            folder=tmp_path,
            command=AS_TYPED,
        )
        with ExitStack() as stack:
            stack.callback(shop.close)
            worker = shop.ready(WORKER_DRAIN_TIMEOUT=4, ITON_TIMEOUT=60)
            line = line_on(stack, shop, gateway)
            gateway.change(latency=50)
            line.producer.send([ONE], "hangs", category="service")
            wait_until(lambda: gateway.calls("sendSMS") == 1, "a call is under way")
            stack.callback(own_broker.signal, signal.SIGCONT)
            own_broker.signal(signal.SIGSTOP)
            started = time.monotonic()
            assert 0 == worker.terminate()
            # Each part that waits for the broker on its own account takes two seconds more; they are several.
            assert time.monotonic() - started < 4 + 2 * 2, worker.output()

    def test_a_call_that_outlasts_the_drain_is_told_later(self, own_line: Callable[..., Line]) -> None:
        """Stop in time; the next worker says what became of the job, without a second call."""
        limit = 6  # seconds; by far more than the drain has
        line = own_line(WORKER_DRAIN_TIMEOUT=1, ITON_TIMEOUT=limit)
        line.gateway.fault(command="sendSMS", kind="hang", when="after", times=1)
        job = line.producer.send([ONE], "outlasts", category="service")
        wait_until(lambda: line.gateway.calls("sendSMS") == 1, "the call is under way")
        assert 0 == line.worker.terminate()
        # Given back when the drain's time was over, and not answered when the call's was.
        (drained,) = line.worker.log_lines("worker.drained")
        assert 1 == drained["returned"]
        line.workshop.ready(ITON_TIMEOUT=limit)
        assert {ONE: "uncertain"} == line.collector.one(job, within=limit + 15).outcomes
        assert {ONE: 1} == line.gateway.times("outlasts")


class TestWrongSettings:
    """Exit code 2 and one line that names the variable."""

    @pytest.mark.parametrize("variable", WRONG)
    def test_each_is_named(self, ended: dict[str, tuple[int, str]], variable: str) -> None:
        """Exactly one line, without a traceback, a credential or the value of a secret."""
        code, output = ended[variable]
        assert 2 == code
        (said,) = output.strip().splitlines()
        assert variable in said
        assert PASSWORD not in said

    def test_a_health_port_that_is_taken_is_one(self, workshop: Workshop) -> None:
        """Found when it is opened, and said the same way, without a line of the log."""
        with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104 - where the worker listens
            port = taken.getsockname()[1]
            env = workshop.environment(HEALTH_PORT=port)
            done = subprocess.run(
                [PROGRAM, "run"], env=env, cwd=workshop.folder, capture_output=True, text=True, check=False,
                timeout=DEADLINE,
            )  # fmt: skip
        assert (2, "") == (done.returncode, done.stdout)
        (said,) = done.stderr.strip().splitlines()
        assert f"HEALTH_PORT: port {port} cannot be opened" in said
        assert "set it to a free port" in said

    def test_a_missing_password_is_named(self, workshop: Workshop) -> None:
        """Not set at all."""
        env = workshop.environment()
        del env["ITON_PASSWORD"]
        done = subprocess.run(
            [PROGRAM, "run"], env=env, cwd=workshop.folder, capture_output=True, text=True, check=False,
            timeout=DEADLINE,
        )  # fmt: skip
        assert (2, 1) == (done.returncode, len((done.stdout + done.stderr).strip().splitlines()))
        assert "ITON_PASSWORD" in done.stdout + done.stderr

    def test_a_wrong_value_in_a_secret_variable_is_not_quoted(self, workshop: Workshop) -> None:
        """The broker's URL holds a password."""
        done = run(workshop, AMQP_URL="ampq://shop:brokerpass@host/")
        assert 2 == done.returncode
        assert "brokerpass" not in done.stdout + done.stderr

    def test_a_dotenv_file_and_secret_files_serve_too(
        self, workshop: Workshop, gateway: SimulatorProcess
    ) -> None:
        """The environment wins over both."""
        env = workshop.environment()
        secrets = workshop.folder / "secrets"
        secrets.mkdir()
        (secrets / "iton_password").write_text(f"{env.pop('ITON_PASSWORD')}\n")
        (workshop.folder / ".env").write_text(
            f"ITON_USERNAME={env.pop('ITON_USERNAME')}\nAMQP_PREFIX=other-than-the-environment\n"
        )
        workshop.start_in(env | {"WORKER_SECRETS_DIR": str(secrets)}).wait_ready()
        with ExitStack() as stack:
            line = line_on(stack, workshop, gateway)
            assert "send.accepted" == line.collector.one(line.producer.send([ONE], "secret files")).key


class TestOtherSettings:
    """Settings of section 5 that the other tests leave alone."""

    def test_a_trial_worker_with_a_rate_limit(self, own_line: Callable[..., Line]) -> None:
        """A ledger in memory, console logs, a token; after a burst of one second's worth so many a second."""
        line = own_line(
            LEDGER_URL="memory://", LOG_FORMAT="console", ITON_RATE_LIMIT=5, ITON_API_TOKEN="token-1"
        )
        line.gateway.change(token="token-1")
        started = time.monotonic()
        jobs = [line.producer.send([number], "slowly", category="service") for number in numbers(16)]
        assert {"send.accepted"} == {line.collector.one(job).key for job in jobs}
        assert time.monotonic() - started > (16 - 5) / 5 - 0.3
        assert not line.worker.output().lstrip().startswith("{")


class TestCheck:
    """``iton-worker check``: broker, gateway, account, one clear line each."""

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({}, ""),
            ({"AMQP_URL": "amqp://127.0.0.1:1/"}, "broker"),
            ({"ITON_BASE_URL": NOWHERE}, "gateway"),
            ({"ITON_PASSWORD": "another"}, "gateway"),
        ],
    )
    def test_what_is_down_is_named(self, workshop: Workshop, settings: dict[str, str], named: str) -> None:
        """With an exit code that is not 0; all is well: 0."""
        done = run(workshop, command="check", **settings)
        assert bool(named) == bool(done.returncode)
        said = (done.stdout + done.stderr).strip().splitlines()
        assert len(said) >= 4
        assert "Traceback" not in done.stdout + done.stderr
        assert not named or [line for line in said if named in line.lower()]


def run(workshop: Workshop, *, command: str = "run", **settings: object) -> subprocess.CompletedProcess[str]:
    """Run a worker that is expected to end by itself."""
    return run_program(command, env=workshop.environment(**settings), cwd=workshop.folder)
