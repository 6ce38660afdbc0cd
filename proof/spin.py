"""Running Spin: from a model and its definitions to what the search found."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MODEL = Path(__file__).parent
_DEPTH = 100_000  # steps of a run at most; the deepest has a few thousand


class SpinFailedError(Exception):
    """Spin or the C compiler is missing, or did not accept the model; the text says why."""


@dataclass(frozen=True, slots=True)
class Search:
    """How to look at one configuration.

    Attributes:
        defines: of the model.
        liveness: every job ends, in place of what must never happen.
        optimise: of the C compiler: a level that pays for searches of minutes only.
        memory: MiB at most.
        slots: of the hash table, as a power of two.
    """

    defines: Mapping[str, int | str]
    liveness: bool = False
    optimise: int = 0
    memory: int = 2_000
    slots: int = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    Attributes:
        broken: the promises that do not hold, as the model calls them.
        complete: every state was visited.
        rows: lines of transitions.pml whose change was made.
    """

    broken: frozenset[str]
    complete: bool
    states: int
    depth: int
    seconds: float
    memory: float
    rows: frozenset[int]

    def names(self) -> str:
        """Return the broken promises in words."""
        return ", ".join(sorted(self.broken))

    def figures(self) -> str:
        """Return the figures in words."""
        return f"{self.states:,} states, depth {self.depth:,}, {self.seconds:.1f} s, {self.memory:,.0f} MiB"


def search(asked: Search) -> Found:
    """Look at every state that can be reached.

    Raises:
        SpinFailedError: a program is missing or failed.
    """
    with tempfile.TemporaryDirectory(prefix="spin-") as name:
        folder = Path(name)
        for source in MODEL.glob("*.pml"):
            shutil.copy(source, folder)
        defines = {**asked.defines, **({"LIVENESS": 1} if asked.liveness else {})}
        words = [f"-D{key}={value}" for key, value in defines.items()]
        _run(["spin", "-a", *words, "protocol.pml"], folder)
        _run(["gcc", "-w", f"-O{asked.optimise}", *_compiled(asked), "-o", "pan", "pan.c"], folder)
        # -c0: go on behind an error, and name every promise that is broken.
        options = ["-a", "-f"] if asked.liveness else ["-c0"]
        out = _run(["./pan", f"-m{_DEPTH}", f"-w{asked.slots}", *options], folder)
    return _read(out)


def _compiled(asked: Search) -> list[str]:
    kind = "NOREDUCE" if asked.liveness else "SAFETY"
    return [f"-D{kind}", "-DCOLLAPSE", "-DPRINTF", f"-DMEMLIM={asked.memory}"]


def _run(command: Sequence[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SpinFailedError(f"{command[0]} is not installed. Type: make packages") from None
    if done.returncode:
        raise SpinFailedError(f"{' '.join(command)}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def _read(out: str) -> Found:
    broken = re.findall(r"^pan:\d+: (?:assertion violated )?(.*?) \(at depth", out, re.MULTILINE)
    incomplete = "Search not completed" in out or "max search depth too small" in out
    return Found(
        broken=frozenset(broken),
        complete=not incomplete,
        states=int(_number(r"(\S+) states, stored", out)),
        depth=int(_number(r"depth reached (\d+)", out)),
        seconds=_number(r"pan: elapsed time (\S+)", out),
        memory=_number(r"(\S+)\s+total actual memory usage", out),
        rows=frozenset(map(int, re.findall(r"^ *row (\d+)$", out, re.MULTILINE))),
    )


def _number(pattern: str, out: str) -> float:
    found = re.search(pattern, out)
    if not found:
        raise SpinFailedError(f"Spin's report has no figures: {out[-2000:]}")
    return float(found[1])
