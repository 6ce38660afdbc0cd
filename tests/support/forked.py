"""Programs of ours by the dozen: forked from a server that has imported everything already.

Each is a process of its own that runs the whole program; only the importing is shared.
"""

import ctypes
import faulthandler
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.deadline import DEADLINE

_PR_SET_PDEATHSIG = 1
# The fork server tells once how a process ended, and every start asks about all of them: two threads that ask
# about the same one at the same time make the second one read "ended somehow", 255.
_ends = threading.Lock()
_context = get_context("forkserver")
_context.set_forkserver_preload(
    [
        "tests.support.chaos_process",
        *("worker.bootstrap.process", "worker.cli.app", "worker.logs", "worker.settings", "uvloop"),
        "tests.support.frozen_imports",
    ]
)


class ForkedChild:
    """A process in a group of its own, as `scripts.children.Child` is one; it dies with the tests.

    Args:
        program: what it does, a function of a module; it is called with *arguments*.
        env: its whole environment.
        log: gets what it prints, behind what is there.
        cwd: its folder.
        errors: gets what it prints on stderr; by default *log* does.
    """

    def __init__(
        self,
        program: Callable[..., object],
        arguments: Sequence[object] = (),
        *,
        env: Mapping[str, str],
        log: Path,
        cwd: Path,
        errors: Path | None = None,
    ) -> None:
        self.log = log
        all_of_it = (program, tuple(arguments), dict(env), (log, errors or log), cwd, os.getpid())
        self._process: ForkServerProcess = _context.Process(target=_live, args=all_of_it)
        with _ends:
            self._process.start()

    @property
    def pid(self) -> int:
        """The process id, also the id of the process group."""
        return self._process.pid or 0

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative where a signal ended it."""
        with _ends:
            return self._process.exitcode

    def stop(self, *, timeout: float = DEADLINE) -> int:
        """Ask with SIGTERM, kill what is left after *timeout* seconds, and return the exit code."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        self._wait(timeout)
        return self.kill()

    def kill(self) -> int:
        """Kill the whole group with SIGKILL and return the exit code."""
        # The group is there once the process has made it; before, there is the process alone.
        for end in (os.killpg, os.kill):
            with suppress(ProcessLookupError):
                end(self.pid, signal.SIGKILL)
        self._wait(None)
        return self.exit_code or 0

    def wait_ended(self, within: float) -> int | None:
        """Wait so many seconds at the most; return the exit code, None where it still runs."""
        self._wait(within)
        return self.exit_code

    def tail(self, lines: int = 15) -> str:
        """Return the end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _wait(self, seconds: float | None) -> None:
        # Several may wait for the end at once; what it was is asked under the lock.
        wait([self._process.sentinel], seconds)


def run_command(arguments: Sequence[str]) -> None:
    """Be ``iton-worker`` with *arguments*."""
    # Here and not above: the tests themselves need none of it.
    from worker.__main__ import main  # noqa: PLC0415

    sys.argv = ["iton-worker", *arguments]
    sys.exit(main())


def run_program(
    *arguments: str, env: Mapping[str, str], cwd: Path, within: float = DEADLINE
) -> "subprocess.CompletedProcess[str]":
    """Run ``iton-worker`` with *arguments* to its end, as `subprocess.run` does, for half of what that costs.

    Raises:
        subprocess.TimeoutExpired: it still ran after *within* seconds; it is killed.
    """
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        child = ForkedChild(run_command, (arguments,), env=env, log=out, cwd=cwd, errors=err)
        code = child.wait_ended(within)
        child.kill()
        printed, said = (file.read_text(errors="replace") if file.exists() else "" for file in (out, err))
    if code is None:
        raise subprocess.TimeoutExpired(["iton-worker", *arguments], within, printed, said)
    return subprocess.CompletedProcess(["iton-worker", *arguments], code, printed, said)


def _live(
    program: Callable[..., object],
    arguments: tuple[object, ...],
    env: dict[str, str],
    prints: tuple[Path, Path],
    cwd: Path,
    watched: int,
) -> None:
    """Be a program; die with the fork server, which dies with the tests."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1 or not Path(f"/proc/{watched}").exists():
        os._exit(1)
    os.setsid()
    for number, file in enumerate(prints, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), number)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    faulthandler.enable()
    program(*arguments)
