"""Child processes that never outlive us."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

# Reads until its parent lets go of the pipe. A line means that all is well; the end of the pipe means
# that the parent died without a word (SIGKILL, SIGTERM), and the group of the child dies with it.
GUARD = 'trap "" INT TERM HUP; read -r line || kill -KILL "-$1" 2>/dev/null'


class Child:
    """A process in a group of its own, stopped with all that it started, also when we are killed."""

    def __init__(
        self, command: Sequence[str | Path], *, env: Mapping[str, str], log: Path, cwd: Path
    ) -> None:
        """Start *command* in *cwd*; what it prints is appended to *log*.

        Raises:
            OSError: the program is not there or cannot be run.
        """
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "guard", str(self.pid)], stdin=subprocess.PIPE, start_new_session=True
        )

    @property
    def pid(self) -> int:
        """The process id, also the id of the process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative where a signal ended it."""
        return self._process.poll()

    def stop(self, *, timeout: float = 30) -> int:
        """Ask with SIGTERM, kill what is left after *timeout* seconds, and return the exit code."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        return self.kill()

    def kill(self) -> int:
        """Kill the whole group with SIGKILL and return the exit code."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        code = self._process.wait()
        self._dismiss_guard()
        return code

    def tail(self, lines: int = 15) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _dismiss_guard(self) -> None:
        if self._guard.stdin and not self._guard.stdin.closed:
            with suppress(BrokenPipeError):
                self._guard.stdin.write(b"\n")
                self._guard.stdin.close()
        self._guard.wait()
