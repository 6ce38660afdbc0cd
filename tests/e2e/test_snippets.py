"""Every fenced block of README, docs and the chart's page, run or checked as it stands there.

What cannot run where there is no container engine, no registry and no cluster is in ``NOT_RUN``, with what
checks it instead. A block or a command that nobody has decided on fails.
"""

import ast
import asyncio
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pika
import pytest
import yaml

from schemas import JobKind, read_job
from schemas.channels import ResultKind
from schemas.results import read_result
from scripts.broker_objects import remove_objects
from scripts.local_broker import PrivateBroker
from scripts.node_tool import node_packages
from tests.support.amqp_side import pika_channel
from tests.support.chart import CHART, run_helm
from tests.support.promtool import promtool
from tests.support.redis_server import RedisServer
from tests.support.simulator_process import SimulatorProcess, simulator_process
from tests.support.snippet_stage import OLD_PASSWORD, Stage
from tests.support.snippets import ROOT, Block, blocks, program_of
from tests.support.worker_process import (
    Workshop,
    base_environment,
    wait_until,
)
from worker.amqp.topology.ladder import key as key_after
from worker.amqp.topology.values import Topology
from worker.client.access import BrokerAccess, declare_topology
from worker.domain.limits import DEFAULT_DELAYS
from worker.domain.messages import Lane

pytestmark = pytest.mark.slow

ALL = blocks()
# By the words that a command begins with.
NOT_RUN = {
    "make demo": "needs what a bare machine has and takes a minute; tests/unit/scripts hold its parts",
    "make test": "is what runs this test",
    "make setup": "has run before this test",
    "make worlds": "takes minutes; tests/worlds runs some of them",
    ".venv/bin/python": "plants faults in worlds, which takes an hour",
    "make image": "needs a container engine; tests/image builds the image where one answers",
    "sudo": "tests of other versions of the broker need root and half an hour; `make test-versions` is that",
    "docker": "needs a container engine and images; tests/image runs the same where one answers",
    "kubectl": "needs a cluster; tests/helm renders and checks what it would act on",
    "helm test": "needs a cluster; tests/helm checks the test's pod",
    "helm history": "needs a cluster",
    "helm rollback": "needs a cluster",
    "amtool": "needs an Alertmanager, which no package of ours brings",
}
TAKEN_FOR_GRANTED: dict[str, list[dict[str, object]]] = {
    "users": [{"name": name, "password": "x", "tags": ""} for name in ("iton-1", "iton-worker")],
    "vhosts": [{"name": "sms"}, {"name": "new"}],
    "permissions": [{"user": "guest", "vhost": "new", "configure": ".*", "write": ".*", "read": ".*"}],
}
RENDERED = ("helm install", "helm upgrade")
RUN = (
    *("iton-worker", "amqp-publish", "curl", "rabbitmqctl", "redis-cli", "sqlite3"),
    *("cat", "export", "for", "ls", "sed", "umask"),
)


def _decided(command: str) -> str | None:
    """Tell what is done with a command."""
    program = program_of(command)
    if any(program.startswith(prefix) for prefix in NOT_RUN):
        return "not run"
    if program in RENDERED:
        return "rendered"
    return "run" if program.split(" ")[0] in RUN else None


def _of(*languages: str) -> list[Block]:
    return [block for block in ALL if block.language in languages]


def _named(block: Block) -> str:
    return block.name


class TestDecisions:
    """Nobody adds a block that nobody runs."""

    def test_every_block_says_what_it_is(self) -> None:
        """In words that somebody below knows."""
        known = {"console", "dotenv", "js", "json", "mermaid", "python", "sh", "text", "yaml"}
        assert [block.name for block in ALL if block.language not in known] == []
        assert len(ALL) > 30

    def test_every_command_is_run_rendered_or_listed_with_a_reason(self) -> None:
        """By the program that it begins with."""
        undecided = [
            (block.name, command)
            for block in _of("console")
            for command in block.commands
            if _decided(command) is None
        ]
        assert undecided == []

    def test_every_block_of_another_kind_has_its_check(self) -> None:
        """By its page and first line, so that a new one is decided on."""
        undecided = [
            (block.name, _first(block))
            for block in _of("dotenv", "js", "json", "python", "sh", "yaml")
            if (block.page, _first(block)) not in DECIDED
        ]
        assert undecided == []

    def test_no_decision_is_about_what_is_gone(self) -> None:
        """So the lists above stay true."""
        programs = [program_of(command) for block in _of("console") for command in block.commands]
        assert [name for name in NOT_RUN if not any(one.startswith(name) for one in programs)] == []
        assert [key for key in DECIDED if key not in {(block.page, _first(block)) for block in ALL}] == []


@pytest.fixture(scope="module")
def gateway_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """Provide the simulator of this page."""
    with simulator_process(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture(scope="module")
def prepared_broker(
    own_broker_node: PrivateBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrivateBroker]:
    """Provide a broker with the users and virtual hosts that the pages take for granted."""
    own_broker_node.start()
    definitions = tmp_path_factory.mktemp("broker") / "definitions.json"
    definitions.write_text(json.dumps(TAKEN_FOR_GRANTED))
    own_broker_node.rabbitmqctl("import_definitions", str(definitions))
    yield own_broker_node
    own_broker_node.start_afresh()  # for the tests that come after these


def _declare(url: str, *, ladder: bool = False) -> None:
    topology = Topology("iton", DEFAULT_DELAYS, ladder=ladder)
    asyncio.run(declare_topology(BrokerAccess(url, topology, True, 15)))  # noqa: FBT003


@pytest.fixture
def stage(
    prepared_broker: PrivateBroker, gateway_stand_in: SimulatorProcess, tmp_path: Path
) -> Iterator[Stage]:
    """Provide a stage with the topology there."""
    gateway_stand_in.reset()
    (tmp_path / "helm").symlink_to(CHART)
    (tmp_path / "account.env").write_text("AMQP_URL=...\n")
    with RedisServer(tmp_path / "redis", password=OLD_PASSWORD) as redis:
        redis.command("SET", "iton:some", "entry")
        _declare(prepared_broker.url)
        yield Stage(prepared_broker, gateway_stand_in, redis, tmp_path)
    remove_objects(prepared_broker.url, "iton")


def _publish_dead(stage: Stage) -> None:
    """Put a letter among the dead that the pages speak of."""
    headers = {
        "x-iton-reason": "retries_exhausted",
        "x-iton-queue": "iton.send",
        "x-iton-time": datetime.now(UTC).isoformat(),
    }
    body = {"job_id": "order-1841", "recipients": ["919876543210"], "text": "Late"}
    with pika_channel(stage.broker.url) as channel:
        properties = pika.BasicProperties(headers=headers, message_id="order-1841")
        channel.basic_publish("iton.dead", "send", json.dumps(body).encode(), properties)


def _result_of(url: str, queue: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with pika_channel(url) as channel:
        while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
            found.append(json.loads(got[2]))
    return found


def _holds_some(url: str, queue: str) -> bool:
    return bool(_result_of(url, queue))


class TestConsole:
    """What is typed at a prompt ends well, command by command."""

    @pytest.mark.parametrize(
        "block",
        [block for block in _of("console") if any(_decided(one) == "run" for one in block.commands)],
        ids=_named,
    )
    def test_runs(self, block: Block, stage: Stage) -> None:
        """With a worker beside it, where the block asks one that it does not start."""
        _publish_dead(stage)
        typed = [command for command in block.commands if _decided(command) == "run"]
        with ExitStack() as stack:
            if re.search("localhost:8080|ledger.db", block.text) and "iton-worker run" not in block.text:
                shop = Workshop(
                    amqp_url=stage.broker.url,
                    prefix="iton",
                    gateway_url=stage.simulator.url,
                    folder=stage.folder,
                )
                stack.callback(shop.close)
                shop.ready(HEALTH_PORT=stage.health_port)
            done = stage.shell(stage.here("\n".join(typed)))
        assert done.returncode == 0, done.stdout
        assert "Traceback" not in done.stdout
        if any("delete_queue" in command for command in typed):
            assert "iton." not in stage.broker.rabbitmqctl("list_queues", "name")

    def test_jobs_of_the_shell_are_sent(self, stage: Stage) -> None:
        """Both of them: the results come."""
        (block,) = [one for one in _of("console") if any("-r send" in c for c in one.commands)]
        assert stage.shell(stage.here("\n".join(block.commands))).returncode == 0
        _expect_accepted(stage, ["order-1842", "order-1843"])

    @pytest.mark.parametrize(
        ("block", "command"),
        [
            pytest.param(block, command, id=f"{block.name} {command[:40]}")
            for block in _of("console")
            for command in block.commands
            if _decided(command) == "rendered"
        ],
    )
    def test_helm_renders_what_it_would_install(self, block: Block, command: str, tmp_path: Path) -> None:
        """With the values that stand there, and the chart's own schema; a cluster is not asked."""
        assert command in block.commands
        words = shlex.split(command, comments=True)[2:]
        (tmp_path / "values.yaml").write_text("")
        release, _, *options = [word for word in words if word != "--wait"]
        kept: list[str] = []
        skip = False
        for word in options:
            if skip:
                skip = False
            elif word == "--timeout":
                skip = True
            else:
                kept.append(str(tmp_path / word) if word == "values.yaml" else word)
        done = run_helm("template", release, CHART, *kept)
        assert done.returncode == 0, done.stderr
        assert "kind: Secret" in done.stdout or "kind:" in done.stdout


def _expect_accepted(stage: Stage, job_ids: list[str]) -> None:
    """Have a worker carry out what waits, and see the results of *job_ids*."""
    shop = Workshop(
        amqp_url=stage.broker.url, prefix="iton", gateway_url=stage.simulator.url, folder=stage.folder
    )
    found: dict[str, str] = {}

    def arrived() -> bool:
        for result in _result_of(stage.broker.url, "iton.results.unrouted"):
            found[result["job_id"]] = result["status"]
        return found.keys() >= set(job_ids)

    try:
        shop.ready()
        wait_until(arrived, f"results of {job_ids}, got {found}")
    finally:
        shop.close()
    assert {found[job_id] for job_id in job_ids} == {"accepted"}


def _python(block: Block, stage: Stage) -> None:
    """Run a program, awaits at its top included, as a notebook would."""
    code = compile(block.text, block.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert code
    runner = (
        "import ast, asyncio, inspect, sys\n"
        "code = compile(open(sys.argv[1]).read(), 'snippet', 'exec', flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)\n"
        "made = eval(code, {})\n"
        "asyncio.run(made) if inspect.iscoroutine(made) else None\n"
    )
    (stage.folder / "snippet.py").write_text(stage.here(block.text))
    done = subprocess.run(
        [sys.executable, "-c", runner, "snippet.py"],
        cwd=stage.folder, env={**base_environment(), "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if "basic_publish" in block.text:
        _expect_accepted(stage, re.findall(r'job_id="([^"]+)"', block.text))


def _node(block: Block, stage: Stage) -> None:
    (stage.folder / "node_modules").symlink_to(node_packages() / "node_modules")
    (stage.folder / "snippet.mjs").write_text(stage.here(block.text))
    done = subprocess.run(
        ["node", "snippet.mjs"], cwd=stage.folder, env=base_environment(), capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    _expect_accepted(stage, re.findall(r'job_id: "([^"]+)"', block.text))


def _shovel(block: Block, stage: Stage) -> None:
    """Move everything to another virtual host, and see a job arrive there."""
    url = f"{stage.broker.url}new"
    for side in (stage.broker.url, url):
        _declare(side, ladder=True)
    with pika_channel(stage.broker.url) as channel:
        channel.basic_publish("iton.jobs", "send", b'{"job_id": "moved"}', mandatory=True)
        channel.basic_publish("iton.held", "send", b'{"job_id": "held"}', mandatory=True)
        later = key_after(7200, Lane.SEND_URGENT)
        channel.basic_publish("iton.scheduled", later, b'{"job_id": "scheduled"}', mandatory=True)
    done = stage.shell(f"NEW={url}\n{block.text}")
    assert done.returncode == 0, done.stdout
    for queue in ("iton.send", "iton.send.held", "iton.send.urgent"):
        wait_until(partial(_holds_some, url, queue), f"the job in {queue}", 60)


def _read(kind: ResultKind) -> Callable[[Block, Path], None]:
    return lambda block, _folder: _ignored(read_result(kind, block.text.encode()))


def _api_job(block: Block, _folder: Path) -> None:
    assert read_job(JobKind.API, block.text.encode(), message_id=None, max_bytes=100_000).job.path


def _send_job(block: Block, _folder: Path) -> None:
    assert read_job(JobKind.SEND, block.text.encode(), message_id=None, max_bytes=100_000).job.text


def _ignored(_: object) -> None:
    """It could be read: that is all."""


def _json(block: Block, _folder: Path) -> None:
    assert isinstance(json.loads(block.text), dict)


def _yaml(block: Block, _folder: Path) -> None:
    assert isinstance(yaml.safe_load(block.text), dict)


def _prometheus_config(block: Block, folder: Path) -> None:
    (folder / "prometheus.yml").write_text(block.text)
    done = promtool("check", "config", str(folder / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def _prometheus_rules(block: Block, folder: Path) -> None:
    (folder / "rules.yml").write_text(block.text)
    done = promtool("check", "rules", str(folder / "rules.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def _values(block: Block, folder: Path) -> None:
    """The chart takes them, by its own schema."""
    (folder / "values.yaml").write_text(block.text)
    done = run_helm("template", "sms", CHART, "--values", folder / "values.yaml")
    assert done.returncode == 0, done.stderr


def _settings(block: Block, stage: Stage) -> None:
    """A ``.env`` of these lines is taken: the command that needs no broker runs."""
    (stage.folder / ".env").write_text(block.text)
    done = stage.shell("iton-worker topology --json")
    assert done.returncode == 0, done.stdout


STAGED: dict[tuple[str, str], Callable[[Block, Stage], None]] = {
    ("README.md", "import pika"): _python,
    ("README.md", 'import amqp from "amqplib";'): _node,
    ("docs/operations.md", "move() {  # QUEUE EXCHANGE; without an exchange into the que"): _shovel,
    ("docs/simulator.md", "from worker.simulator import SimulatorOptions, running_simul"): _python,
    ("docs/tracing.md", "WORKER_TRACING=true"): _settings,
}
CHECKED: dict[tuple[str, str], Callable[[Block, Path], None]] = {
    ("README.md", '{"job_id": "order-1841", "part": 1, "parts": 1, "status": "a'): _read(ResultKind.SEND),
    ("docs/contract.md", '{"job_id": "order-1841", "part": 1, "parts": 1, "status": "p'): _read(
        ResultKind.SEND
    ),
    ("docs/contract.md", '{"job_id": "poll-7", "part": 1, "parts": 1, "status": "pendi'): _json,
    ("docs/contract.md", '{"job_id": "push-key-7", "status": "done", "http_status": 20'): _read(
        ResultKind.API
    ),
    ("docs/contract.md", '{"job_id": "stop-1841", "target": "order-1841", "status": "r'): _read(
        ResultKind.CANCEL
    ),
    ("docs/contract.md", '{"job_id": "order-1841", "track": 1, "status": "final",'): _read(
        ResultKind.DELIVERY
    ),
    ("docs/timing.md", '{"job_id": "reminder-1840", "recipients": ["919876543210"], '): _send_job,
    ("docs/tracking.md", '{"job_id": "order-1841", "recipients": ["919876543210"], "te'): _send_job,
    ("docs/tracking.md", '{"job_id": "order-1841", "track": 1, "status": "final",'): _read(
        ResultKind.DELIVERY
    ),
    ("docs/web-api.md", '{"job_id": "push-key-7", "method": "POST", "path": "credenti'): _api_job,
    ("docs/web-api.md", '{"job_id": "push-certificate-7", "method": "POST", "path": "'): _api_job,
    ("docs/contract.md", '{"job_id": "balance-1", "status": "balance", "remaining_cred'): _json,
    ("docs/alerts.md", "# alertmanager.yml"): _yaml,
    ("docs/alerts.md", "# prometheus.yml"): _prometheus_config,
    ("docs/alerts.md", "# values.yaml"): _values,
    ("docs/alerts.md", "# a rule of yours"): _prometheus_rules,
    ("docs/logs.md", '{"timestamp": "2026-03-01T12:00:00.123456Z", "level": "info"'): _json,
    ("docs/logs.md", "receivers:"): _yaml,
    ("docs/simulator.md", '{"simulator": "a stand-in for ITON; no SMS is sent",'): _json,
    ("docs/simulator.md", '{"seq": 1, "at": "2026-01-31T10:00:00.000+00:00", "to": ["91'): _json,
    ("docs/simulator.md", '{"at": "2026-01-31T10:00:00.000+00:00", "method": "GET", "co'): _json,
}
DECIDED = STAGED.keys() | CHECKED.keys()


def _first(block: Block) -> str:
    return block.text.splitlines()[0][:60]


def _other(decided: Collection[tuple[str, str]]) -> list[Block]:
    others = _of("dotenv", "js", "json", "python", "sh", "yaml")
    return [block for block in others if (block.page, _first(block)) in decided]


class TestOthers:
    """Programs, results, settings and configuration of other tools."""

    @pytest.mark.parametrize("block", _other(STAGED), ids=_named)
    def test_does_what_it_says(self, block: Block, stage: Stage) -> None:
        """Beside everything that it takes for granted."""
        STAGED[block.page, _first(block)](block, stage)

    @pytest.mark.parametrize("block", _other(CHECKED), ids=_named)
    def test_is_what_it_says(self, block: Block, tmp_path: Path) -> None:
        """By its reader, or the tool that it is for."""
        CHECKED[block.page, _first(block)](block, tmp_path)
