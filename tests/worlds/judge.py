"""A world's verdict."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tests.worlds.history import History
from tests.worlds.oracles.ledger import LEDGER
from tests.worlds.oracles.manners import MANNERS
from tests.worlds.oracles.progress import PROGRESS, slows_nobody
from tests.worlds.oracles.safety import SAFETY
from tests.worlds.oracles.stopping import STOPPING
from tests.worlds.oracles.times import TIMES
from tests.worlds.oracles.tracking import TRACKING
from tests.worlds.oracles.web import WEB
from tests.worlds.plan import World
from tests.worlds.run import play

ORACLES = (*SAFETY, *LEDGER, *STOPPING, *TIMES, *TRACKING, *WEB, *PROGRESS, *MANNERS)
_MOST = 3  # of the findings of one oracle are enough


@dataclass(frozen=True, slots=True)
class Finding:
    """What an oracle says."""

    oracle: str
    words: str


def judge(world: World, *, debug: bool = False) -> tuple[History, list[Finding]]:
    """Play *world* and ask every oracle. A world that cannot be played to its end is a finding too."""
    try:
        return _judged(world, debug=debug)
    except Exception as error:  # noqa: BLE001 - an hour of worlds must not end with it
        where = traceback.extract_tb(error.__traceback__)[-1]
        words = f"{type(error).__name__}: {error} in {where.filename}, line {where.lineno}"
        return History(world), [Finding("played", words)]


def _judged(world: World, *, debug: bool) -> tuple[History, list[Finding]]:
    history = play(world, debug=debug)
    findings = [finding for oracle in ORACLES for finding in _asked(oracle, history)]
    if history.finished and is_own(world):
        calm = play(replace(world, troubles=()))
        words = [Finding("slows_nobody", each) for each in slows_nobody(history, calm)]
        findings += words
        history.steps += calm.steps
    return history, findings


def is_own(world: World) -> bool:
    """Whether *world* is about trouble that is not everybody's."""
    return world.is_about_own_trouble and bool(world.troubles)


def _asked(oracle: Callable[[History], Iterator[str]], history: History) -> list[Finding]:
    return [Finding(oracle.__name__, words) for words, _ in zip(oracle(history), range(_MOST), strict=False)]
