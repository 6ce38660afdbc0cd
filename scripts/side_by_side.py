"""Runs targets of the Makefile side by side, with one RabbitMQ for all of them.

Tests of real processes wait for most of their time, and what runs inside one process never does: together
they take little longer than the longer one. What the first target prints is seen as it comes, what the others
print when each of them has ended.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.children import Child
from scripts.debian import PackagesMissingError
from scripts.find_broker import find_broker
from scripts.local_broker import AS_SHIPPED, BrokerNotStartedError, NodeOptions
from scripts.uv_tool import ROOT

FOLDER = ROOT / ".local" / "tests"
BROKER = "TEST_AMQP_URL"
EVERY = 0.2  # seconds
OF_OUR_MAKE = {"MAKEFLAGS", "MAKELEVEL"}
"""What make tells the programs that it starts: the makes that we start are none of its own."""


@dataclass
class Target:
    """One command under way.

    Attributes:
        name: for people.
        began: seconds of the monotonic clock.
        shown: how many bytes of its output are on the terminal.
    """

    name: str
    child: Child
    began: float
    shown: int = 0

    def show(self) -> None:
        """Print what it has printed since the last time."""
        with self.child.log.open("rb") as log:
            log.seek(self.shown)
            new = log.read()
        self.shown += len(new)
        sys.stdout.write(new.decode(errors="replace"))
        sys.stdout.flush()

    def end(self) -> int:
        """Print the rest, and how long it took; return the exit code."""
        self.show()
        code = self.child.kill()
        took = time.monotonic() - self.began
        print(
            f"\n== {self.name}: {'passed' if code == 0 else f'FAILED ({code})'} in {took:.0f} s",
            flush=True,
        )
        return code


def side_by_side(commands: Mapping[str, Sequence[str]], folder: Path, environment: Mapping[str, str]) -> int:
    """Run *commands* at the same time, with their output in files of *folder*; return how many failed."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        under_way: list[Target] = []
        for name, command in commands.items():
            under_way.append(_started(name, command, folder, environment))
            stack.callback(under_way[-1].child.kill)
        failed = 0
        live = under_way[0]
        while under_way:
            live.show()
            for target in [one for one in under_way if one.child.exit_code is not None]:
                under_way.remove(target)
                failed += target.end() != 0
            time.sleep(EVERY)
        return failed


def _started(name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Target:
    log = folder / f"{name}.log"
    log.unlink(missing_ok=True)
    return Target(name, Child(command, env=environment, log=log, cwd=ROOT), time.monotonic())


@contextmanager
def _compiling(environment: Mapping[str, str]) -> Iterator[Child]:
    """Have tests and libraries compiled while the broker starts; in a new checkout each process would do so.

    Whether they can be imported, the targets tell.
    """
    log = FOLDER / "compiling.log"
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq"]
    compiler = Child(command, env=environment, log=log, cwd=ROOT)
    try:
        yield compiler
    finally:
        compiler.kill()


def main() -> int:
    """Make the targets of the command line; 0 where all of them did well."""
    # What make tells its own children is about the make that started us.
    environment = {
        name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        with (
            _compiling(environment) as compiler,
            find_broker(BROKER, FOLDER, options=NodeOptions(waiting=AS_SHIPPED)) as broker,
        ):
            while compiler.exit_code is None:
                time.sleep(EVERY)
            targets = {name: ["make", "--no-print-directory", name] for name in sys.argv[1:]}
            return min(1, side_by_side(targets, FOLDER, environment | {BROKER: broker.url}))
    except (BrokerNotStartedError, PackagesMissingError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
