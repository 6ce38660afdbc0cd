"""Which systems meet which loads, and in what order: A B C, A B C, so that a slow minute hits all alike."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.figures import MemoryRun, PacedRun, Run
from bench.loads import LOADS, PACED, Load, Paced
from bench.memory import idle_memory, weigh
from bench.paced import pace
from bench.scene import Scene
from bench.systems import System
from bench.throughput import measure

OURS = ("ours", "coalesced", "other", "other-coalesced")
QUICK = {"systems": ("ours", "other", "tuned", "httpx"), "loads": ("unique", "status")}
EVERYONE = ("unique", "status")  # the other loads are for the worker and the best peer
ON_SERVERS = ("on-redis", "on-postgresql")  # the same worker, its ledger in a server
WITH_SERVERS = ("unique",)
WEIGHED = ("ours", "coalesced", "other", "tuned")
Measured = Run | PacedRun | MemoryRun


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to measure."""

    load: str
    system: str
    measure: Callable[[Scene], Measured]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    Attributes:
        systems: by name, in the order of each round.
        loads: names of loads, paced ones and ``memory`` included.
        scale: of the number of jobs; below 1 only to try the benchmark itself.
    """

    systems: dict[str, System]
    loads: tuple[str, ...]
    rounds: int
    scale: float = 1.0

    def steps(self) -> Iterator[Step]:
        """Return every step of every round; a load's rounds follow each other."""
        for name in self.loads:
            for _ in range(self.rounds):
                yield from self._round(name)

    def _round(self, name: str) -> Iterator[Step]:
        for load in LOADS:
            if load.name == name:
                for system in self._of(load):
                    yield Step(name, system.name, _measuring(system, load, self.scale))
        for paced in PACED:
            if paced.name == name:
                # Work queues are quorum queues: what that alone costs shows in the peer on one of them.
                for system in self._named((*WEIGHED, "tuned-quorum")):
                    yield Step(name, system.name, _pacing(system, paced, self.scale))
        if name == "memory":
            yield from self._memory()

    def _of(self, load: Load) -> list[System]:
        if load.name in EVERYONE:
            others = {"untold"} if load.name in WITH_SERVERS else {"untold", *ON_SERVERS}
            return [system for system in self.systems.values() if system.name not in others]
        return self._named((*OURS, "untold", "tuned") if load.connections else (*OURS, "tuned"))

    def _named(self, names: tuple[str, ...]) -> list[System]:
        return [self.systems[name] for name in names if name in self.systems]

    def _memory(self) -> Iterator[Step]:
        for system in self.systems.values():
            if system.name in WEIGHED:
                yield Step("memory", system.name, _weighing(system, self.scale))
            elif system.name != "untold":
                yield Step("memory", system.name, _idling(system))


def every_load() -> tuple[str, ...]:
    """Return the names of all loads."""
    return (*(load.name for load in LOADS), *(paced.name for paced in PACED), "memory")


def _measuring(system: System, load: Load, scale: float) -> Callable[[Scene], Measured]:
    return lambda scene: measure(scene, system, load, scale=scale)


def _pacing(system: System, paced: Paced, scale: float) -> Callable[[Scene], Measured]:
    return lambda scene: pace(scene, system, paced, scale=scale)


def _weighing(system: System, scale: float) -> Callable[[Scene], Measured]:
    return lambda scene: weigh(scene, system, recipients=max(1_000, int(100_000 * scale)))


def _idling(system: System) -> Callable[[Scene], Measured]:
    return lambda scene: idle_memory(scene, system)
