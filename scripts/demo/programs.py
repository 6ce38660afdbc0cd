"""The processes of the demo: the stand-in for the gateway, and the worker."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.children import Child
from scripts.demo.failure import DemoError
from scripts.free_ports import free_ports

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".venv" / "bin" / "iton-worker"
FOLDER = ROOT / ".local" / "demo"
START_TIMEOUT = 60.0
RIPEN_AFTER = 1.0
# Settings of the person's own worker are none of the demo's.
OWN_SETTINGS = ("AMQP_", "ITON_", "WORKER_", "LEDGER_", "HEALTH_", "LOG_")


@dataclass(frozen=True, slots=True)
class Simulator:
    """The stand-in for the gateway.

    Attributes:
        root: ``http://HOST:PORT``.
    """

    child: Child
    root: str

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            DemoError: it ended, or did not answer in time.
        """
        _wait(self.child, f"{self.root}/_control/state")

    def calls_with(self, text: str) -> int:
        """Count the sendSMS calls that carried *text*."""
        sends = read_json(f"{self.root}/_control/sends")["sends"]
        return sum(send["message"] == text for send in sends)


@dataclass(frozen=True, slots=True)
class Worker:
    """The worker.

    Attributes:
        env: its settings, for further commands.
    """

    child: Child
    env: Mapping[str, str]

    def check(self) -> None:
        """Raise DemoError where it ended by itself."""
        if self.child.exit_code is not None:
            raise DemoError(
                f"The worker ended with exit code {self.child.exit_code}. Its log:\n{self.child.tail()}"
            )


@contextmanager
def simulator() -> Iterator[Simulator]:
    """Run the stand-in while the block runs; it may not answer yet."""
    (port,) = free_ports(1)
    options = ("--port", str(port), "--set", f"ripen_after={RIPEN_AFTER}")
    child = _start("simulator", _environment(), "simulate-gateway", *options)
    try:
        yield Simulator(child, f"http://127.0.0.1:{port}")
    finally:
        child.stop()


@contextmanager
def worker(url: str, prefix: str, gateway: Simulator) -> Iterator[Worker]:
    """Run a worker that is ready while the block runs, and stop it cleanly.

    Raises:
        DemoError: it was not ready in time, or did not end well.
    """
    (health_port,) = free_ports(1)
    env = _environment() | {
        "AMQP_URL": url,
        "AMQP_PREFIX": prefix,
        "ITON_BASE_URL": f"{gateway.root}/ItonSMSAPI/smsService/api/",
        "ITON_USERNAME": "demo",
        "ITON_PASSWORD": "demo",
        "LEDGER_URL": f"sqlite:///{FOLDER / prefix}.db",
        "HEALTH_PORT": str(health_port),
        "LOG_FORMAT": "json",
    }
    child = _start("worker", env, "run")
    try:
        _wait(child, f"http://127.0.0.1:{health_port}/readyz")
        yield Worker(child, env)
        code = child.stop()
        if code:
            raise DemoError(f"The worker stopped with exit code {code}. Its log:\n{child.tail()}")
    finally:
        child.kill()


def read_json(url: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return what *url* answers."""
    with urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310 - an address of our own, http
        return json.load(reply)


def _environment() -> dict[str, str]:
    """The machine's own, without the settings of a worker; nor is there a ``.env`` where the programs run."""
    return {name: text for name, text in os.environ.items() if not name.startswith(OWN_SETTINGS)}


def _start(name: str, env: Mapping[str, str], *arguments: str) -> Child:
    FOLDER.mkdir(parents=True, exist_ok=True)
    log = FOLDER / f"{name}.log"
    log.unlink(missing_ok=True)
    return Child([PROGRAM, *arguments], env=env, log=log, cwd=FOLDER)


def _wait(child: Child, url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    reason = ""
    while time.monotonic() < deadline and child.exit_code is None:
        try:
            read_json(url)
        except urllib.error.HTTPError as error:
            reason = error.read().decode(errors="replace")
        except OSError as error:
            reason = str(error)
        else:
            return
        time.sleep(0.05)
    what = (
        f"ended with exit code {child.exit_code}"
        if child.exit_code is not None
        else f"is not ready: {reason}"
    )
    child.kill()
    raise DemoError(f"{child.log.stem} {what}. Its log ({child.log}):\n{child.tail()}")
