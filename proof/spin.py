"""Running Spin: from a model and its definitions to what the search found."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MODEL = Path(__file__).parent
_DEPTH = 100_000  # steps of a run at most; the deepest has a few thousand
_BOUNDS = {
    "WORKERS": 2,
    "FAULTS": 2,
    "FORGETS": 0,
    "REPLAYS": 0,
    "MOST": 2,
    "CANCELS": 0,
    "PLAIN_JOB": 0,
    "RESEND_JOB": 0,
    "LARGE_JOB": 0,
    "SEND_AFTER": 0,
    "EXPIRES": 0,
    "LOOKS": 0,
    "FIRST": 0,
    "LATE": 0,
    "FOLLOWED": 0,
}
_VARIANT = re.compile(r"^#define ([A-Z_]+) +(\d+)\b", re.MULTILINE)


class SpinFailedError(Exception):
    """Spin or the C compiler is missing, or did not accept the model; the text says why."""


@dataclass(frozen=True, slots=True)
class Search:
    """How to look at one configuration.

    Attributes:
        bounds: of the model, where they are not as in most searches.
        model: the file that has it.
        broken: the mistake that is in it.
        liveness: every job ends, in place of what must never happen.
        first: no further than to the first promise that is broken.
        optimise: of the C compiler: a level that pays for searches of minutes only.
        memory: MiB at most.
        slots: of the hash table, as a power of two.
    """

    bounds: Mapping[str, int]
    model: str = "protocol"
    broken: str = "NOTHING"
    liveness: bool = False
    first: bool = False
    optimise: int = 0
    memory: int = 2_000
    slots: int = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    Attributes:
        broken: the promises that do not hold, as the model calls them.
        complete: every state was visited.
        rows: lines of the model's table of changes whose change was made.
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
    program = _program(asked.model, asked.liveness, asked.optimise, asked.memory)
    bounds = {**_BOUNDS, **asked.bounds, "BROKEN": variants()[asked.broken]}
    # -c0: go on behind an error, and name every promise that is broken.
    options = ["-a", "-f"] if asked.liveness else ["-c1" if asked.first else "-c0"]
    with tempfile.TemporaryDirectory(prefix="spin-") as folder:
        command = [str(program), f"-m{_DEPTH}", f"-w{asked.slots}", *options]
        out = _run(command, Path(folder), {name: str(value) for name, value in bounds.items()})
    return _read(out)


def variants() -> Mapping[str, int]:
    """The numbers of the broken variants, by name; NOTHING is 0."""
    return {name: int(number) for name, number in _VARIANT.findall((MODEL / "variants.pml").read_text())}


@cache
def _program(model: str, liveness: bool, optimise: int, memory: int) -> Path:  # noqa: FBT001 - a key of the cache
    """Compile the model: once, for all searches of a kind."""
    scratch = tempfile.TemporaryDirectory(prefix="spin-")
    _SCRATCH.append(scratch)
    folder = Path(scratch.name)
    for source in MODEL.glob("*.pml"):
        shutil.copy(source, folder)
    _run(["spin", "-a", *(["-DLIVENESS"] if liveness else []), f"{model}.pml"], folder)
    kind = ["-DNOREDUCE" if liveness else "-DSAFETY", "-DCOLLAPSE", "-DPRINTF", f"-DMEMLIM={memory}"]
    _run(["gcc", "-w", f"-O{optimise}", *kind, "-o", "pan", "pan.c"], folder)
    return folder / "pan"


_SCRATCH: list[tempfile.TemporaryDirectory[str]] = []  # of the programs; gone with the process


def _run(command: Sequence[str], folder: Path, given: Mapping[str, str] | None = None) -> str:
    environment = {**os.environ, **(given or {})}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
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
