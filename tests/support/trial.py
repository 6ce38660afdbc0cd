"""compose.yaml, really started: on the images that it names, or on stand-ins where no registry is reached."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from scripts.base_image import default_base
from scripts.container_engine import ROOT, Engine

_HERE = ROOT / "tests" / "image"
_PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"
PROJECT = "iton-worker-under-test"
STAND_INS = ("broker", "ledger", "prometheus")
"""Debian has no Grafana."""
BUILD_TIMEOUT = 600.0
UP_TIMEOUT = 300.0


class Trial:
    """The services of the compose file in a project of their own, on no port of this machine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, *arguments: str, timeout: float = 60, given: str = "") -> str:
        """Run one command of ``docker compose``; return what it printed on stdout."""
        files = (f"--file={ROOT / 'compose.yaml'}", f"--file={_HERE / 'trial.override.yaml'}")
        where = ("--project-directory", str(ROOT), "--project-name", PROJECT)
        return self._engine("compose", *where, *files, *arguments, timeout=timeout, given=given)

    def up(self, *services: str, workers: int = 1) -> None:
        """Start *services* and those they need; wait until all are healthy."""
        options = ("--wait", "--no-build", "--scale", f"worker={workers}")
        self("up", *options, *services, timeout=UP_TIMEOUT)

    def worker(self, *arguments: str, given: str = "") -> str:
        """Run a command of ours in the worker's container, which is read-only."""
        return self("exec", "-T", "worker", "iton-worker", *arguments, given=given)

    def ask_prometheus(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """Return what Prometheus answers, without its envelope."""
        url = f"http://127.0.0.1:9090/api/v1/{path}"
        return json.loads(self("exec", "-T", "prometheus", "wget", "-q", "-O", "-", url))["data"]

    def value(self, query: str) -> float | None:
        """Return the one value of a query; None where there is none yet."""
        found = self.ask_prometheus(f"query?query={quote(query)}")["result"]
        return float(found[0]["value"][1]) if found else None

    def sent(self) -> int:
        """Return how many messages the stand-in for the gateway has taken."""
        program = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8090/_control/state').read().decode())"
        return int(json.loads(self("exec", "-T", "gateway", "python", "-c", program))["sent"]["messages"])

    def exit_codes(self, service: str) -> list[int]:
        """Return how each container of a service ended."""
        ids = self("ps", "--all", "--quiet", service).split()
        return [int(self._engine("inspect", "--format={{.State.ExitCode}}", one)) for one in ids]


@contextmanager
def trial_on(engine: Engine) -> Iterator[Trial]:
    """Provide the trial; all of it is removed afterwards."""
    if engine.client_folder is not None:
        _ensure_stand_ins(engine, engine.client_folder)
    trial = Trial(engine)
    try:
        yield trial
    finally:
        trial("down", "--volumes", "--timeout=1", timeout=120)


def _ensure_stand_ins(engine: Engine, client_folder: Path) -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    for name in STAND_INS:
        _build(engine, name, services[name]["image"])
    plugin = client_folder / "cli-plugins" / "docker-compose"
    if not plugin.exists():
        plugin.parent.mkdir(parents=True, exist_ok=True)
        made = engine("create", services["broker"]["image"])
        engine("cp", f"{made}:/opt/compose/{_PLUGIN}", plugin)
        engine("rm", made)


def _build(engine: Engine, target: str, image: str) -> None:
    options = (f"--target={target}", f"--tag={image}", f"--build-arg=BASE_IMAGE={default_base()}")
    file = f"--file={_HERE / 'trial.Dockerfile'}"
    engine("build", "--network=host", "--quiet", *options, file, _HERE, timeout=BUILD_TIMEOUT)
