"""The real worker as a real process: started, killed, stopped, frozen."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from scripts.children import Child
from scripts.free_ports import free_ports
from tests.support.deadline import DEADLINE
from tests.support.forked import ForkedChild, run_command

PROGRAM = Path(sys.prefix) / "bin" / "iton-worker"
AS_TYPED = (str(PROGRAM), "run")
"""What an operator types."""
USERNAME = "konto-7731"
PASSWORD = "sesam öffne&dich 50%+"
"""What the tests' account is called; distinctive, so that a leak is found and nothing else is."""
POLL = 0.03
SLOWER = 1.15  # from one look to the next
SELDOM = 0.12
# What a process needs of ours; coverage measures the real program as well.
_KEPT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")

alive: list["WorkerProcess"] = []
"""The workers of the test under way, for the report of a failure."""


class NotInTimeError(AssertionError):
    """What a test waited for did not happen before the deadline."""


def wait_until(
    condition: Callable[[], object], what: str, within: float = DEADLINE, *, every: float = POLL
) -> None:
    """Wait until *condition* is true; fail with *what* after *within* seconds.

    Ask each *every* seconds at first, and less often as time goes by: who is asked does it beside its work.
    """
    deadline, pause = time.monotonic() + within, every
    while not condition():
        if time.monotonic() > deadline:
            raise NotInTimeError(f"not within {within:g} s: {what}")
        time.sleep(pause)
        pause = min(pause * SLOWER, max(every, SELDOM))


def base_environment() -> dict[str, str]:
    """Return what of our environment a started program gets: no setting of ours."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {
        "LC_ALL": "C.UTF-8",
        "PYTHONFAULTHANDLER": "1",
    }


def worker_environment(
    *, amqp_url: str, prefix: str, gateway_url: str, folder: Path, **settings: object
) -> dict[str, str]:
    """Return a whole environment for ``iton-worker run``.

    The ledger is a SQLite file in *folder* (the same folder: the same ledger), the health port a free one;
    *settings* are further variables, by their names, and win.
    """
    return base_environment() | {
        "AMQP_URL": amqp_url,
        "AMQP_PREFIX": prefix,
        "ITON_BASE_URL": gateway_url,
        "ITON_USERNAME": USERNAME,
        "ITON_PASSWORD": PASSWORD,
        "ITON_TIMEOUT": "10",
        "LEDGER_URL": f"sqlite:///{folder}/ledger.db",
        "HEALTH_PORT": str(free_ports(1)[0]),
        "LOG_FORMAT": "json",
        "WORKER_SEND_AFTER_LIMIT": "0",  # half of all queues less to make, and to delete again
        "WORKER_TRACK_DELAYS": "1",  # a queue that every worker declares: few tests want more of them
        "WORKER_SECRETS_DIR": str(folder / "no-secrets"),
        **{name: str(value) for name, value in settings.items()},
    }


class WorkerProcess:
    """One ``iton-worker run``. Its output goes to a file in *folder*.

    Attributes:
        env: its whole environment.
        log: the file with all that it printed.
    """

    def __init__(
        self, env: Mapping[str, str], folder: Path, *, name: str = "worker", command: Sequence[str] = ()
    ) -> None:
        """Start it; it is not ready yet.

        Args:
            env: its whole environment.
            folder: of its log, and where it runs.
            name: of its log.
            command: what to type, `AS_TYPED` say. By default the program runs in a fork of a process that
                has imported it, which costs half as much.
        """
        self.env = dict(env)
        self.log = folder / f"{name}.log"
        folder.mkdir(parents=True, exist_ok=True)
        self._began = self.log.stat().st_size if self.log.exists() else 0
        self._child: Child | ForkedChild = (
            Child(command, env=self.env, log=self.log, cwd=folder)
            if command
            else ForkedChild(run_command, (["run"],), env=self.env, log=self.log, cwd=folder)
        )
        alive.append(self)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative where a signal ended it."""
        return self._child.exit_code

    @property
    def peak_memory(self) -> float:
        """The most memory that was resident so far, in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024

    @property
    def health_url(self) -> str:
        """Where the health endpoints are, without a slash at the end."""
        return f"http://127.0.0.1:{self.env['HEALTH_PORT']}"

    def get(self, path: str) -> tuple[int, str]:
        """GET a health endpoint; return status and body, (0, reason) where nobody answers."""
        try:
            with urlopen(self.health_url + path, timeout=30) as reply:  # noqa: S310 - always http
                return reply.status, reply.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (URLError, OSError) as error:
            return 0, str(error)

    def is_ready(self) -> bool:
        """Whether /readyz answers 200."""
        return self.get("/readyz")[0] == 200

    def wait_ready(self, within: float = DEADLINE) -> "WorkerProcess":
        """Wait for /readyz, fail at once where the process ended; return the worker itself."""
        wait_until(lambda: self._ended_or(self.is_ready()), "the worker is ready", within)
        return self

    def wait_not_ready(self, within: float = DEADLINE) -> str:
        """Wait until /readyz answers 503; return its body."""
        wait_until(lambda: self._ended_or(self.get("/readyz")[0] == 503), "/readyz says 503", within)
        return self.get("/readyz")[1]

    def _ended_or(self, so: bool) -> bool:  # noqa: FBT001 - what holds, and the guard beside it
        if self.exit_code is not None:
            raise NotInTimeError(f"the worker ended with {self.exit_code}:\n{self.tail()}")
        return so

    def log_lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return what this process logged, as JSON; only lines of *event* where given."""
        lines = [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]
        return [line for line in lines if event is None or line.get("event") == event]

    def output(self) -> str:
        """Return all that this process printed, stdout and stderr."""
        with self.log.open("rb") as file:
            file.seek(self._began)
            return file.read().decode(errors="replace")

    def tail(self, lines: int = 40) -> str:
        """Return the end of its output."""
        return self._child.tail(lines)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and return at once."""
        os.kill(self.pid, number)

    def freeze(self) -> None:
        """Stop it with SIGSTOP: it does nothing and notices nothing."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self.signal(signal.SIGCONT)

    def kill(self) -> int:
        """Kill it with SIGKILL; return the exit code."""
        code = self._child.kill()
        self._forget()
        return code

    def terminate(self, *, timeout: float = DEADLINE) -> int:
        """Ask it to stop with SIGTERM, wait, kill what is left then; return the exit code."""
        code = self._child.stop(timeout=timeout)
        self._forget()
        return code

    def wait_ended(self, within: float = DEADLINE) -> int:
        """Wait until it ended by itself; return the exit code."""
        wait_until(lambda: self.exit_code is not None, "the worker ended", within)
        return self.kill_what_is_left()

    def kill_what_is_left(self) -> int:
        """Kill whatever still runs of it, if anything; return the exit code."""
        code = self.exit_code
        killed = self.kill()
        return killed if code is None else code

    def _forget(self) -> None:
        if self in alive:
            alive.remove(self)


@contextmanager
def worker_process(
    env: Mapping[str, str], folder: Path, *, name: str = "worker", command: Sequence[str] = ()
) -> Iterator[WorkerProcess]:
    """Run a worker while the block lasts; it is killed at the end, whatever happened."""
    worker = WorkerProcess(env, folder, name=name, command=command)
    try:
        yield worker
    finally:
        worker.kill_what_is_left()


class Workshop:
    """Starts workers for one test, all on the same broker prefix, gateway and folder.

    Attributes:
        folder: of ledger and logs.
        workers: all that were started, oldest first.
        command: what to type, as in `WorkerProcess`.
    """

    def __init__(
        self, *, amqp_url: str, prefix: str, gateway_url: str, folder: Path, command: Sequence[str] = ()
    ) -> None:
        self.amqp_url = amqp_url
        self.prefix = prefix
        self.gateway_url = gateway_url
        self.folder = folder
        self.command = command
        self.workers: list[WorkerProcess] = []

    def environment(self, **settings: object) -> dict[str, str]:
        """Return the environment of one more worker."""
        return worker_environment(
            amqp_url=self.amqp_url,
            prefix=self.prefix,
            gateway_url=self.gateway_url,
            folder=self.folder,
            **settings,
        )

    def start(self, **settings: object) -> WorkerProcess:
        """Start a worker with *settings* beside the usual ones; it is not ready yet."""
        return self.start_in(self.environment(**settings))

    def start_in(self, env: Mapping[str, str], command: Sequence[str] = ()) -> WorkerProcess:
        """Start a worker in a whole environment."""
        name = f"worker-{len(self.workers) + 1}"
        worker = WorkerProcess(env, self.folder, name=name, command=command or self.command)
        self.workers.append(worker)
        return worker

    def ready(self, **settings: object) -> WorkerProcess:
        """Start a worker and wait until it is ready."""
        return self.start(**settings).wait_ready()

    def close(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            worker.kill_what_is_left()
