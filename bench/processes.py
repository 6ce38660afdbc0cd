"""CPU and memory of processes, sampled from outside."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil

REFRESH = 0.5  # seconds between two looks for new children: that look costs milliseconds
MB = 1_000_000


@dataclass(slots=True)
class Tree:
    """A process and all below it."""

    pid: int
    _known: dict[int, psutil.Process] = field(default_factory=dict)
    _cpu: dict[int, float] = field(default_factory=dict)
    _looked: float = 0.0

    def cpu(self) -> float:
        """Return the seconds of CPU that it has used so far, user and system, those that ended included."""
        for process in self._members():
            with contextlib.suppress(psutil.Error):
                used = process.cpu_times()
                self._cpu[process.pid] = used.user + used.system
        return sum(self._cpu.values())

    def memory(self) -> float:
        """Return its resident megabytes; pages that forked processes share count once."""
        total = 0
        members = list(self._members())
        for process in members:
            with contextlib.suppress(psutil.Error):
                shared = len(members) > 1
                total += process.memory_full_info().pss if shared else process.memory_info().rss
        return total / MB

    def _members(self) -> Iterator[psutil.Process]:
        if time.monotonic() - self._looked > REFRESH:
            self._looked = time.monotonic()
            with contextlib.suppress(psutil.Error):
                root = psutil.Process(self.pid)
                for process in (root, *root.children(recursive=True)):
                    self._known.setdefault(process.pid, process)
        yield from self._known.values()


def machine_cpu() -> float:
    """Return the seconds of CPU that the machine spent on all but this process, stolen time included."""
    used, own = psutil.cpu_times(), psutil.Process().cpu_times()
    busy = sum(used) - used.idle - used.iowait - used.guest - used.guest_nice
    return float(busy - own.user - own.system)
