"""Containers of the image, as hardened as an operations team would have them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from scripts.container_engine import Engine
from tests.support.worker_process import wait_until

# Where the image's shells are: hidden behind an empty file that cannot be executed.
SHELLS = ("/usr/bin/sh", "/usr/bin/dash", "/usr/bin/bash")
HARDENED = (
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--network=host",
    *(f"--volume=/dev/null:{shell}:ro" for shell in SHELLS),
)
LEDGER_HOME = "/var/lib/iton-worker"
CANARY = "canary-in-a-forgotten-file"
"""What stands in files that must not get into the image."""


class Container:
    """One container that runs in the background.

    Attributes:
        id: the engine's name for it.
    """

    def __init__(self, engine: Engine, identity: str, port: int) -> None:
        self.id = identity
        self._engine = engine
        self._port = port

    @property
    def state(self) -> Mapping[str, Any]:
        """What the engine says of it: ``Running``, ``ExitCode``, say."""
        found: dict[str, Any] = json.loads(self._engine("inspect", "--format={{json .State}}", self.id))
        return found

    def wait_ready(self) -> "Container":
        """Wait until its /readyz answers 200; fail at once where it ended; return the container itself."""
        wait_until(self._ready, "the container is ready")
        return self

    def _ready(self) -> bool:
        assert self.state["Running"], f"the container ended:\n{self.output()}"
        try:
            with urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=30) as reply:
                return bool(reply.status == 200)
        except (HTTPError, URLError, OSError):
            return False

    def stop(self, *, grace: int) -> int:
        """Stop it as ``docker stop`` does, kill it after *grace* seconds; return its exit code."""
        self._engine("stop", f"--time={grace}", self.id, timeout=grace + 30)
        return int(self.state["ExitCode"])

    def python(self, program: str) -> str:
        """Run a Python *program* inside and return what it printed."""
        return self._engine("exec", self.id, "python", "-c", program)

    def inspected(self) -> str:
        """Return all that the engine tells anyone about it."""
        return self._engine("inspect", self.id)

    def output(self) -> str:
        """Return all that it printed, stdout and stderr."""
        done = self._engine.attempt("logs", self.id)
        return done.stdout + done.stderr


class Dock:
    """Starts containers of one image for one test.

    Args:
        secrets: files of settings, mounted at ``/run/secrets``.
    """

    def __init__(self, engine: Engine, image: str, secrets: Path) -> None:
        self._engine = engine
        self._image = image
        self._secrets = secrets
        self._started: list[str] = []
        self._volumes: list[str] = []

    def volume(self) -> str:
        """Make an empty named volume and return its name."""
        name = self._engine("volume", "create")
        self._volumes.append(name)
        return name

    def start(self, port: int, *, ledger: str = "", **settings: object) -> Container:
        """Start a worker whose health port is *port*, its ledger on the volume *ledger* or on a new one."""
        variables = {"HEALTH_PORT": port, "ITON_TIMEOUT": 10, **settings}
        words = [f"--env={name}={value}" for name, value in variables.items()]
        places = (f"{self._secrets}:/run/secrets:ro", f"{ledger}:{LEDGER_HOME}".removeprefix(":"))
        mounts = [f"--volume={place}" for place in places]
        identity = self._engine("run", "--detach", *HARDENED, *mounts, *words, self._image)
        self._started.append(identity)
        return Container(self._engine, identity, port)

    def close(self) -> None:
        """Remove what was started."""
        if self._started:
            self._engine("rm", "--force", "--volumes", *self._started)
        if self._volumes:
            self._engine("volume", "rm", *self._volumes)


@contextmanager
def dock_with(engine: Engine, image: str, secrets: Path, settings: Mapping[str, str]) -> Iterator[Dock]:
    """Provide a dock whose containers read *settings* from secret files below *secrets*."""
    secrets.mkdir()
    for name, value in settings.items():
        path = secrets / name
        path.write_text(value)
        path.chmod(0o444)
    dock = Dock(engine, image, secrets)
    try:
        yield dock
    finally:
        dock.close()
