"""Worker processes by the dozen, each of which may strike itself at a moment of its walk."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from tests.support.chaos_steps import Moment, Walk
from tests.support.credit_notes import Note, note_credits, read_notes
from tests.support.deadline import DEADLINE
from tests.support.forked import ForkedChild
from tests.support.worker_process import NotInTimeError, wait_until


class ForkedWorker:
    """One worker, running from construction on, that may strike itself at a moment of its walk.

    Args:
        env: its whole environment.
        folder: for its log and its track.
        name: of those two files.
        moment: where it kills or freezes itself.
        gathers: jobs that shall meet at its gate, see `tests.support.chaos_steps.Walk`.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        folder: Path,
        *,
        name: str,
        moment: Moment | None = None,
        gathers: int = 0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{name}.log"
        self.health_url = f"http://127.0.0.1:{env['HEALTH_PORT']}"
        self._track = folder / f"{name}.track"
        self._track.touch()
        self._credits = folder / f"{name}.credits"
        self._child = ForkedChild(
            _walk, (moment, gathers, self._track, self._credits), env=env, log=self.log, cwd=self.log.parent
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative where a signal ended it."""
        return self._child.exit_code

    @property
    def frozen(self) -> bool:
        """Whether it is stopped and can be thawed."""
        return self.exit_code is None and _state_of(self.pid) == "T"

    @property
    def memory(self) -> float:
        """Resident memory in MiB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 2**20

    @property
    def steps(self) -> list[str]:
        """The steps of its walk so far."""
        return self._track.read_text().split()

    @property
    def credits(self) -> list[Note]:
        """What its metrics counted of credits so far."""
        return read_notes(self._credits)

    def readiness(self) -> tuple[int, str]:
        """Return status and body of /readyz; 0 where nobody answers."""
        try:
            with urlopen(f"{self.health_url}/readyz", timeout=30) as reply:  # noqa: S310 - always http
                return reply.status, reply.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (URLError, OSError) as error:
            return 0, str(error)

    def wait_ready(self, within: float = DEADLINE) -> "ForkedWorker":
        """Wait for 200 from /readyz, fail at once where it ended; return the worker itself."""
        self.wait_up(lambda: self.readiness()[0] == 200, within)
        return self

    def wait_up(self, is_up: Callable[[], bool], within: float = DEADLINE) -> None:
        """Wait until *is_up*; fail at once, with its last words, where it ended."""

        def up() -> bool:
            if self.exit_code is not None:
                raise NotInTimeError(f"the worker ended with {self.exit_code}:\n{self.tail()}")
            return is_up()

        wait_until(up, f"the worker is up; {self.log}", within)

    def wait_not_ready(self, within: float = DEADLINE) -> str:
        """Wait for 503 from /readyz; return the body."""
        seen: list[str] = []

        def not_ready() -> bool:
            status, body = self.readiness()
            seen.append(body)
            return status == 503

        wait_until(not_ready, f"/readyz says 503; {self.log}", within)
        return seen[-1]

    def events(self, name: str) -> int:
        """Return how often it has logged an event."""
        return self.log.read_text(errors="replace").count(f'"event": "{name}"')

    def wait_dead(self, within: float = DEADLINE) -> int:
        """Wait until it has ended; return the exit code."""
        with suppress(NotInTimeError):
            wait_until(lambda: self.exit_code is not None, "it has ended", within)
        code = self.exit_code
        assert code is not None, f"still alive; steps {self.steps}; log:\n{self.tail()}"
        return code

    def wait_frozen(self, within: float = DEADLINE) -> None:
        """Wait until it has stopped itself."""
        wait_until(lambda: self.frozen, "the worker froze itself", within)

    def freeze(self) -> None:
        """Stop it in its tracks."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def terminate(self) -> None:
        """Ask for a clean stop."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait; nothing if it is dead."""
        self._child.kill()

    def tail(self, lines: int = 15) -> str:
        """Return the end of its output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _state_of(pid: int) -> str:
    """Return the state letter of a process; "T" is stopped."""
    # Behind the name in parentheses, which may hold anything.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _walk(moment: Moment | None, gathers: int, track: Path, credits_notes: Path) -> None:
    """Be a worker whose steps are written down."""
    note_credits(credits_notes)
    Walk(moment, track, gathers=gathers).install()
    sys.exit(_run())


def _run() -> int:
    # Here and not above: the tests themselves need none of it.
    from worker.bootstrap.process import run_worker  # noqa: PLC0415
    from worker.cli.terminal import start_logs  # noqa: PLC0415
    from worker.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    start_logs(settings)
    return run_worker(settings)
