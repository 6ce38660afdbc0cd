"""A Docker engine for the image's tests: one of our own, with its images below ``.local/docker``.

It takes root, listens on a socket in /tmp, changes no firewall and leaves no process behind.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts import debian
from scripts.children import Child

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / ".local" / "docker"
# Debian's client builds with the engine's own BuildKit; others want a plug-in for that.
CLIENT = Path("/usr/bin/docker")
START_TIMEOUT = 60.0
NEEDS_ROOT = (
    "No Docker engine that can fetch the base image answers, and one of our own needs root. "
    "Start Docker (or let DOCKER_HOST name an engine), or run this as root: sudo make ..."
)


class EngineMissingError(Exception):
    """There is no Docker engine; the text says why and what to do."""


class EngineFailedError(Exception):
    """The engine refused a command; the text holds what it said."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A Docker engine that answers.

    Attributes:
        client: the program to ask it with.
        env: what the client needs in its environment, the engine's address among it.
        client_folder: of the client's settings and plug-ins where the engine is ours alone, else None.
    """

    client: Path
    env: Mapping[str, str] = field(repr=False)
    client_folder: Path | None = None

    def __call__(self, *arguments: str | Path, timeout: float = 120, given: str = "") -> str:
        """Run one command of the client; return what it printed on stdout, without the last line end.

        It reads *given* from stdin.

        Raises:
            EngineFailedError: it failed.
            subprocess.TimeoutExpired: it took longer than *timeout* seconds.
        """
        done = self.attempt(*arguments, timeout=timeout, given=given)
        if done.returncode:
            said = (done.stdout + done.stderr).strip()[-4000:]
            raise EngineFailedError(f"docker {arguments[0]} ended with {done.returncode}:\n{said}")
        return done.stdout.rstrip("\n")

    def attempt(
        self, *arguments: str | Path, timeout: float = 120, given: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """Run one command of the client, whatever its exit code."""
        return subprocess.run(
            [self.client, *arguments],
            env=self.env,
            cwd=ROOT,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def has(self, image: str) -> bool:
        """Whether it holds that image."""
        return self.attempt("image", "inspect", image).returncode == 0

    def remove_containers(self) -> None:
        """Remove every container, running or not, and its unnamed volumes."""
        ids = self("ps", "--all", "--quiet").split()
        if ids:
            self("rm", "--force", "--volumes", *ids)


def engine_that_answers() -> Engine | None:
    """Return the engine that the user's own ``docker`` reaches, or None."""
    client = shutil.which("docker")
    if client is None:
        return None
    engine = Engine(Path(client), os.environ | {"DOCKER_BUILDKIT": "1"})
    try:
        answered = engine.attempt("version", "--format", "{{.Server.Version}}", timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return engine if answered.returncode == 0 else None


@contextmanager
def private_engine(images: Path = IMAGES) -> Iterator[Engine]:
    """Run an engine with its images below *images*; one at a time, others wait.

    Raises:
        EngineMissingError: we are not root, or it does not start.
        PackagesMissingError: Debian's docker.io is not there and cannot be installed.
    """
    if os.geteuid() != 0:
        raise EngineMissingError(NEEDS_ROOT)
    if not CLIENT.exists() or shutil.which("dockerd") is None:
        debian.install(["docker.io"])
    images.mkdir(parents=True, exist_ok=True)
    with (images / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _running(images) as engine:
            yield engine


@contextmanager
def _running(images: Path) -> Iterator[Engine]:
    # A socket's path has at most 107 characters.
    place = Path("/tmp") / f"iton-docker-{hashlib.sha256(bytes(images)).hexdigest()[:12]}"  # noqa: S108 - ours alone: mode 700, made by root
    place.mkdir(mode=0o700, exist_ok=True)
    host = f"unix://{place}/engine.sock"
    client_folder = images / "client"
    ours = {
        "DOCKER_HOST": host,
        "DOCKER_CONFIG": str(client_folder),
        "DOCKER_BUILDKIT": "1",
        "DOCKER_CONTEXT": "",
    }
    engine = Engine(CLIENT, os.environ | ours, client_folder)
    log = images / "dockerd.log"
    log.unlink(missing_ok=True)
    _unmount_below(place, images)
    child = Child(_command(images, place, host), env=os.environ, log=log, cwd=images)
    try:
        _wait_until_up(engine, child)
        engine.remove_containers()
        yield engine
        engine.remove_containers()
        engine("image", "prune", "--force")  # what an earlier build has left without a name
    finally:
        child.stop()
        _unmount_below(place, images)
        shutil.rmtree(place, ignore_errors=True)


def _unmount_below(*folders: Path) -> None:
    """Undo what an engine that was killed could not: nobody could remove the folders."""
    points = [line.split(" ")[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in reversed(points):
        if any(point.startswith(f"{folder}/") for folder in folders):
            subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)


def _command(images: Path, place: Path, host: str) -> list[str]:
    return [
        "dockerd",
        f"--data-root={images / 'data'}",
        f"--exec-root={place / 'exec'}",
        f"--pidfile={place / 'pid'}",
        f"--host={host}",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--userland-proxy=true",
    ]


def _wait_until_up(engine: Engine, child: Child) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while engine.attempt("version").returncode:
        if child.exit_code is not None or time.monotonic() > deadline:
            raise EngineMissingError(
                f"No Docker engine answers, and dockerd did not start. The end of its log:\n{child.tail()}"
            )
        time.sleep(0.1)
