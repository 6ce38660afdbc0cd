"""The way of one job through functions of ours, out of what a recorder wrote down."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self


class Function(NamedTuple):
    """A function of ours: its file below the project, its qualified name, its first line."""

    file: str
    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Span:
    """A time, from ``begin`` up to ``end`` in seconds of ``time.monotonic()``."""

    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Way:
    """The functions of one job.

    Attributes:
        times: how often each was called, in the order of the first calls; of a coroutine, how often it was
            begun or went on.
    """

    times: Counter[Function]

    @property
    def functions(self) -> int:
        """The number of functions."""
        return len(self.times)

    @property
    def files(self) -> int:
        """The number of files that they are in."""
        return len({function.file for function in self.times})

    @property
    def calls(self) -> int:
        """The number of calls."""
        return self.times.total()

    def words(self) -> str:
        """Return the three counts in words."""
        return f"{self.functions} functions in {self.files} files, {self.calls} calls"

    def lines(self) -> list[str]:
        """Return the functions in their order, the files by their calls, and the counts, for a person."""
        by_file: dict[str, list[int]] = {}
        for function, times in self.times.items():
            by_file.setdefault(function.file, []).append(times)
        files = sorted(by_file.items(), key=lambda pair: -sum(pair[1]))
        return [
            "calls  function, in the order of the first calls",
            *(f"{times:5}  {one.file}:{one.line} {one.name}" for one, times in self.times.items()),
            "\ncalls  functions  file",
            *(f"{sum(times):5}  {len(times):9}  {file}" for file, times in files),
            f"\n{self.words()}",
        ]


class Recording:
    """What a recorder wrote down."""

    def __init__(self, functions: Sequence[Function], calls: Sequence[tuple[float, int]]) -> None:
        self._functions = functions
        self._calls = calls

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read the recorder's file."""
        found = json.loads(file.read_text())
        return cls([Function(*one) for one in found["functions"]], found["calls"])

    def way(self, job: Span, idle: Span) -> Way:
        """Return what was called in the span of a job, without functions that run while there is none."""
        without = set(self._in(idle))
        return Way(Counter(one for one in self._in(job) if one not in without))

    def _in(self, span: Span) -> list[Function]:
        return [self._functions[number] for at, number in self._calls if span.begin <= at < span.end]


def common(ways: Sequence[Way]) -> Way:
    """Return what all have in common: on a busy machine nearly each job meets a timer, now this, now that.

    Of each function the smallest number of its calls counts; their order is that of the shortest way.
    """
    shortest = min(ways, key=lambda way: way.calls).times
    fewest = {one: min(way.times[one] for way in ways) for one in shortest}
    return Way(Counter({one: times for one, times in fewest.items() if times}))
