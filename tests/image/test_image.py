"""The image, and the worker in a container of it: read-only, without capabilities, without a shell."""

import json
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import yaml

from scripts.base_image import default_base
from scripts.container_engine import ROOT, Engine
from scripts.find_broker import FoundBroker
from scripts.free_ports import free_ports
from tests.support.containers import CANARY, HARDENED, SHELLS, Dock
from tests.support.results_side import Collector, Producer, numbers
from tests.support.simulator_process import SimulatorProcess
from tests.support.trial import Trial, trial_on
from tests.support.worker_process import PASSWORD, USERNAME, wait_until

pytestmark = [
    pytest.mark.timeout(900),  # the first test makes the base image and builds
    pytest.mark.slow,
]
MB = 1_000_000
OURS_AT_MOST = 140 * MB
DRAIN_TIMEOUT = 25  # seconds, the default of WORKER_DRAIN_TIMEOUT
JOBS_OF_THE_CAMPAIGN = 3  # in examples/campaign.csv: one for each text and category
Figures = Callable[[str, object], None]
TOOLS = ("pip", "pip3", "uv", "uvx", "gcc", "cc", "make", "git")
_STATUS = "print(open('/proc/1/status').read())"


def python_in(engine: Engine, image: str, program: str) -> str:
    """Run a Python *program* in a new container and return what it printed."""
    return engine("run", "--rm", "--network=none", "--entrypoint=python", image, "-c", program)


@pytest.fixture(scope="module")
def config(engine: Engine, image: str) -> dict[str, Any]:
    """Return what the image says of itself."""
    found: dict[str, Any] = json.loads(engine("inspect", "--format={{json .Config}}", image))
    return found


class TestTheImage:
    """What is in it, and what is not."""

    def test_it_is_small(self, engine: Engine, image: str, figures: Figures) -> None:
        """What we put on top of the base stays below a bound."""
        whole, base = (int(engine("inspect", "--format={{.Size}}", one)) for one in (image, default_base()))
        figures("image size", f"{whole / MB:.0f} MB, of which ours {(whole - base) / MB:.0f} MB")
        assert whole - base < OURS_AT_MOST

    def test_it_runs_the_worker_as_a_numeric_user(self, config: dict[str, Any]) -> None:
        """Kubernetes cannot tell of a name whether it is root; no shell stands between signal and worker."""
        assert ("10001:10001", ["iton-worker"], ["run"]) == (
            config["User"],
            config["Entrypoint"],
            config["Cmd"],
        )

    def test_its_labels_say_what_it_is(self, engine: Engine, image: str, config: dict[str, Any]) -> None:
        """The version of the label is the one that the program tells."""
        labels = {name.rpartition(".")[2]: value for name, value in config["Labels"].items()}
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert (project["name"], project["license"]) == (labels["title"], labels["licenses"])
        assert f"iton-worker {labels['version']}" == engine("run", "--rm", image, "--version")
        assert labels["revision"]

    def test_nothing_in_it_builds_or_installs(self, engine: Engine, image: str) -> None:
        """Neither the tools of the build nor those of the base are there."""
        tools = f"import shutil; print([tool for tool in {TOOLS} if shutil.which(tool)])"
        assert "[]" == python_in(engine, image, tools)
        assert "[]" == python_in(
            engine, image, "import glob; print(glob.glob('/usr/local/lib/python3*/site-packages/*'))"
        )

    def test_it_holds_the_locked_packages_and_no_other(self, engine: Engine, image: str) -> None:
        """Nothing of the development's, nothing that was resolved in passing."""
        lock = (ROOT / "requirements" / "otel.txt").read_text().splitlines()
        locked = {line.split(" ")[0].rstrip("\\").lower() for line in lock if "==" in line}
        listed = python_in(
            engine,
            image,
            "import importlib.metadata as m;"
            "print(*(f'{d.name}=={d.version}'.lower() for d in m.distributions(path=["
            "p for p in __import__('sys').path if p.startswith('/opt')])))",
        )
        installed = {name.replace("_", "-") for name in listed.split()} - {"iton-worker==0.1.0"}
        assert set() == installed - locked
        assert len(installed) > 20

    def test_it_is_compiled(self, engine: Engine, image: str) -> None:
        """A read-only container could not keep what it compiles: each start would do it again."""
        program = (
            "import importlib.util as u, pathlib as p;"
            "files = [f for f in p.Path('/opt/iton-worker/lib').rglob('*.py')];"
            "print(len(files), [str(f) for f in files if not p.Path(u.cache_from_source(f)).exists()])"
        )
        count, _, missing = python_in(engine, image, program).partition(" ")
        assert int(count) > 500
        assert "[]" == missing

    def test_so_is_what_it_takes_of_the_standard_library(self, engine: Engine, image: str) -> None:
        """Which the official base brings as source alone; seen at the modules that the worker loads."""
        program = (
            "import sys, pathlib as p, worker.bootstrap.process, worker.cli.run, worker.cli.check;"
            "files = [m.__cached__ for m in list(sys.modules.values()) if getattr(m, '__cached__', None)];"
            "print(len(files), [f for f in files if not p.Path(f).exists()])"
        )
        count, _, missing = python_in(engine, image, program).partition(" ")
        assert int(count) > 300
        assert "[]" == missing

    def test_no_forgotten_file_got_into_it(self, engine: Engine, image: str) -> None:
        """Credentials that lay about in the checkout are neither in its files nor in its history."""
        find = ("run", "--rm", "--user=0", "--network=none", "--entrypoint=grep", image)
        found = engine.attempt(*find, "-rlF", CANARY, "/opt", "/var/lib", "/root", "/tmp", "/usr/local")  # noqa: S108 - a place to search
        assert (1, "") == (found.returncode, found.stdout), found.stderr
        told = engine("history", "--no-trunc", image) + engine("inspect", image)
        assert CANARY not in told


class TestAWrongStart:
    """What a person sees who made a mistake."""

    def test_a_misspelt_setting_ends_it_with_one_line(self, engine: Engine, image: str) -> None:
        """Exit code 2, and the right name."""
        done = engine.attempt("run", "--rm", "--network=none", "--env=ITON_PASWORD=x", image)
        assert 2 == done.returncode
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("iton-worker: ")]
        assert "did you mean ITON_PASSWORD?" in line

    def test_a_ledger_that_would_go_with_the_container_is_not_made(self, engine: Engine, image: str) -> None:
        """With a read-only root and no volume: it does not start, and names the setting."""
        nobody = ("AMQP_URL=amqp://127.0.0.1:1/", "ITON_BASE_URL=http://127.0.0.1:1/")
        settings = [f"--env={each}" for each in ("ITON_USERNAME=u", "ITON_PASSWORD=p", *nobody)]
        done = engine.attempt("run", "--rm", *HARDENED, *settings, image, "check")
        (line,) = [line for line in done.stdout.splitlines() if line.split()[1:2] == ["ledger"]]
        assert line.startswith("failed")
        assert "LEDGER_URL" in line


class TestTheContainer:
    """`docker run` with a read-only root, no capability, no new privilege, and no shell."""

    @pytest.fixture
    def collector(self, broker: FoundBroker, amqp_prefix: str) -> Callable[[ExitStack], Collector]:
        """Provide a start of the consumer of results, once the worker has declared the exchanges."""
        return lambda stack: stack.enter_context(Collector(broker.url, amqp_prefix))

    @pytest.fixture
    def producer(self, broker: FoundBroker, amqp_prefix: str) -> Callable[[ExitStack], Producer]:
        """Provide a start of the producer of jobs."""

        def start(stack: ExitStack) -> Producer:
            producer = Producer(broker.url, amqp_prefix)
            stack.callback(producer.close)
            return producer

        return start

    def test_it_does_a_job(
        self,
        dock: Dock,
        producer: Callable[[ExitStack], Producer],
        collector: Callable[[ExitStack], Collector],
        figures: Figures,
    ) -> None:
        """The result is on the exchange; the process is what it should be, and tells no credential."""
        container = dock.start(free_ports(1)[0]).wait_ready()
        (number,) = numbers(1)
        with ExitStack() as stack:
            results = collector(stack)
            job = producer(stack).send([number], "Your order is on its way.")
            assert {number: "accepted"} == results.one(job).outcomes
        status = dict(
            line.split(":\t", 1) for line in container.python(_STATUS).splitlines() if ":\t" in line
        )
        assert {"10001"} == set(status["Uid"].split())
        assert (0, "1") == (int(status["CapEff"], 16), status["NoNewPrivs"])
        hidden = f"import os; print([s for s in {SHELLS} if os.access(s, os.X_OK)])"
        assert "[]" == container.python(hidden)
        told = container.inspected() + container.output()
        secrets = (USERNAME, PASSWORD, quote(PASSWORD), quote_plus(PASSWORD))
        assert [] == [secret for secret in secrets if secret in told]
        figures("container", "read-only, no capabilities, no shell, uid 10001: one job accepted")

    def test_sigterm_ends_it_with_0_after_the_job_in_flight(
        self,
        dock: Dock,
        gateway: SimulatorProcess,
        producer: Callable[[ExitStack], Producer],
        collector: Callable[[ExitStack], Collector],
        figures: Figures,
    ) -> None:
        """The call under way is waited for, its result published; all within the drain time."""
        container = dock.start(free_ports(1)[0]).wait_ready()
        gateway.change(latency=2)
        (number,) = numbers(1)
        with ExitStack() as stack:
            results = collector(stack)
            job = producer(stack).send([number], "In flight", category="service")
            wait_until(lambda: gateway.calls("sendSMS"), "the call is under way")
            began = time.monotonic()
            assert 0 == container.stop(grace=DRAIN_TIMEOUT + 10), container.output()
            took = time.monotonic() - began
            assert {number: "accepted"} == results.one(job).outcomes
        assert took < DRAIN_TIMEOUT
        figures("SIGTERM", f"exit code 0 after {took:.1f} s, a call of 2 s under way")

    def test_a_volume_keeps_the_ledger(
        self,
        dock: Dock,
        gateway: SimulatorProcess,
        producer: Callable[[ExitStack], Producer],
        collector: Callable[[ExitStack], Collector],
    ) -> None:
        """A new container on the volume of an old one knows its jobs: a repeated one is not sent again."""
        volume = dock.volume()
        first = dock.start(free_ports(1)[0], ledger=volume).wait_ready()
        (number,) = numbers(1)
        with ExitStack() as stack:
            results, jobs = collector(stack), producer(stack)
            job = jobs.send([number], "Once only")
            ids = results.one(job).ids
            first.stop(grace=30)
            dock.start(free_ports(1)[0], ledger=volume).wait_ready()
            jobs.send([number], "Once only", job_id=job)
            again = results.wait_for(lambda result: result.job_id == job, "the second answer", count=2)
        assert ids == again[1].ids
        assert {number: 1} == gateway.times("Once only")


class TestTheTrial:
    """compose.yaml: every service but Grafana, on a network of its own."""

    @pytest.fixture
    def trial(self, engine: Engine, image: str) -> Iterator[Trial]:
        """Provide it; nothing is started yet."""
        assert engine.has(image)
        with trial_on(engine) as trial:
            yield trial

    def test_it_works_as_the_readme_says(self, trial: Trial, figures: Figures) -> None:
        """All become healthy, a campaign goes out, Prometheus counts it and finds each of three workers."""
        trial.up("worker", "prometheus")
        assert {"ok"} == {line.split()[0] for line in trial.worker("check").splitlines()}
        campaign = (ROOT / "examples" / "campaign.csv").read_text()
        trial.worker("submit", "--csv", "-", "--campaign", "sale", given=campaign)
        done = "sum(iton_worker_job_seconds_count)"
        wait_until(lambda: trial.value(done) == JOBS_OF_THE_CAMPAIGN, "Prometheus counts the jobs")
        sent = trial.sent()
        assert sent > 0
        assert sent == trial.value('sum(iton_worker_recipients_total{outcome="accepted"})')
        rules = yaml.safe_load((ROOT / "helm" / "files" / "alerts.yaml").read_text())
        loaded = {group["name"] for group in trial.ask_prometheus("rules")["groups"]}
        assert {group["name"] for group in rules["groups"]} == loaded
        trial.up("worker", workers=3)
        working = 'sum(up{job="iton-worker"})'
        wait_until(lambda: trial.value(working) == 3, "Prometheus scrapes three workers")
        trial("stop", "worker")
        assert [0, 0, 0] == trial.exit_codes("worker")
        figures("trial", f"{sent} texts sent and counted by Prometheus; three workers, all stopped with 0")
