"""A world's verdict."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tests.worlds.history import History
from tests.worlds.oracles.manners import MANNERS
from tests.worlds.oracles.progress import PROGRESS, slows_nobody
from tests.worlds.oracles.safety import SAFETY
from tests.worlds.plan import World
from tests.worlds.run import play

_MOST = 3  # of the findings of one oracle are enough


@dataclass(frozen=True, slots=True)
class Finding:
    """What an oracle says."""

    oracle: str
    words: str


def judge(world: World, *, debug: bool = False) -> tuple[History, list[Finding]]:
    """Play *world* and ask every oracle."""
    history = play(world, debug=debug)
    findings = [finding for oracle in (*SAFETY, *PROGRESS, *MANNERS) for finding in _asked(oracle, history)]
    if history.finished and is_own(world):
        calm = play(replace(world, troubles=()))
        words = [Finding("slows_nobody", each) for each in slows_nobody(history, calm)]
        findings += words
        history.steps += calm.steps
    return history, findings


def is_own(world: World) -> bool:
    """Whether *world* is about trouble that is not everybody's."""
    return world.theme == "own" and bool(world.troubles)


def _asked(oracle: Callable[[History], Iterator[str]], history: History) -> list[Finding]:
    return [Finding(oracle.__name__, words) for words, _ in zip(oracle(history), range(_MOST), strict=False)]
