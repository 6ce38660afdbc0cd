"""The command line of the worlds."""

import argparse
import gc
import signal
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing import TimeoutError as NoEndError
from multiprocessing import get_context
from multiprocessing.pool import AsyncResult

from tests.worlds.figures import Figures
from tests.worlds.judge import Finding, judge
from tests.worlds.making import THEMES, make
from tests.worlds.mutations import MUTATIONS
from tests.worlds.plan import differences
from tests.worlds.shrink import shrunk

_OF_A_PROCESS = 20  # worlds; what they leave goes with it, which is a fifth cheaper than looking for it
_LONGEST = 600.0  # seconds; a world takes one or two, and a process that was killed never answers


_Played = tuple[int, Figures, list[Finding]]
"""Its seed, what it held, and what is wrong with it."""


def run(arguments: Sequence[str]) -> int:
    """Play, print, and return 0 if nothing was found."""
    options = _options(arguments)
    gc.disable()  # its rounds would come in the middle of worlds
    gc.freeze()
    warnings.simplefilter("ignore")  # of what a killed host never awaited
    if options.seed is not None:
        return _one(options.seed, options)
    return _many(options)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.worlds", description=__doc__)
    parser.add_argument("--worlds", type=int, default=360, help="how many (default 360)")
    parser.add_argument("--minutes", type=float, default=0.0, help="how long, in place of a number")
    parser.add_argument("--hours", type=float, default=0.0, help="the same")
    parser.add_argument("--processes", type=int, default=1, help="side by side")
    parser.add_argument("--start", type=int, default=1, help="the first seed")
    parser.add_argument("--seed", type=int, help="play this one alone")
    parser.add_argument("--theme", choices=THEMES, default="", help="of all worlds; else as the seed says")
    parser.add_argument("--planted", default="", help="with this fault of the table in the worker")
    parser.add_argument("--trace", action="store_true", help="tell what happened when")
    parser.add_argument("--whole", action="store_true", help="do not shrink what fails")
    parser.add_argument(
        "--go-on", action="store_true", help="do not end at the first that fails; so with a time"
    )
    return parser.parse_args(arguments)


def _one(seed: int, options: argparse.Namespace) -> int:
    world = make(seed, options.theme)
    print(differences(world))
    history, findings = judge(world, debug=options.trace)
    if options.trace:
        for line in history.trace():
            print(line[:400])
    for finding in findings:
        print(f"{finding.oracle}: {finding.words}")
    seconds = history.ended - history.began
    print(f"seed {seed}: {len(findings)} findings, {seconds:.1f} s, {history.steps} steps")
    return 1 if findings else 0


def _many(options: argparse.Namespace) -> int:
    figures, began = Figures(), time.monotonic()
    try:
        _look(options, began, figures)
        code = 1 if figures.found else 0
    except KeyboardInterrupt:
        print("\ninterrupted; until then:", end="")
        code = 128 + signal.SIGINT
    print("", *figures.lines(time.monotonic() - began), sep="\n", flush=True)
    return code


def _look(options: argparse.Namespace, began: float, figures: Figures) -> None:
    """Play, count in *figures*, and tell what is wrong."""
    expected = {oracle for each in MUTATIONS if each.name == options.planted for oracle in each.found_by}
    for seed, one, said in _played(options, began):
        findings = [each for each in said if each.oracle in expected] if options.planted else said
        oracles = {finding.oracle for finding in findings}
        new = oracles - set(figures.found)
        figures.merge(one)
        figures.found.update(oracles)
        if findings:
            _tell(seed, findings, options, shrink=bool(new) and not options.whole)
            if options.planted:
                print(f"found after {figures.worlds} worlds by {findings[0].oracle}")
            if not _goes_on(options):
                break


def _played(options: argparse.Namespace, began: float) -> Iterator[_Played]:
    """Play worlds in processes side by side; they come in the order of their seeds."""
    under_way: deque[tuple[int, AsyncResult[_Played]]] = deque()
    left_to_us = (signal.signal, (signal.SIGINT, signal.SIG_IGN))
    with get_context("fork").Pool(options.processes, *left_to_us, maxtasksperchild=_OF_A_PROCESS) as pool:
        for seed in _seeds(options, began):
            under_way.append((seed, pool.apply_async(_play, (options.theme, seed))))
            if len(under_way) > 2 * options.processes:
                yield _end(*under_way.popleft())
        while under_way:
            yield _end(*under_way.popleft())


def _end(seed: int, world: "AsyncResult[_Played]") -> _Played:
    try:
        return world.get(_LONGEST)
    except NoEndError:
        raise SystemExit(f"seed {seed} has no end in {_LONGEST:.0f} s, or its process was killed") from None


def _play(theme: str, seed: int) -> _Played:
    history, findings = judge(make(seed, theme))
    return seed, Figures.of(history), findings


def _goes_on(options: argparse.Namespace) -> bool:
    """Whether a world that fails is not the last one: never in a run that was given a time."""
    return bool(options.go_on or options.minutes or options.hours)


def _seeds(options: argparse.Namespace, began: float) -> Iterator[int]:
    seconds = options.minutes * 60 + options.hours * 3_600
    last = options.start + options.worlds
    seed = options.start
    while (time.monotonic() - began < seconds) if seconds else seed < last:
        yield seed
        seed += 1


def _tell(seed: int, findings: list[Finding], options: argparse.Namespace, *, shrink: bool) -> None:
    world = make(seed, options.theme)
    theme = f" --theme {options.theme}" if options.theme else ""
    print(f"\nseed {seed} ({world.theme}): python -m tests.worlds --seed {seed}{theme} --trace", flush=True)
    for finding in findings:
        print(f"  {finding.oracle}: {finding.words}", flush=True)
    if shrink:
        print(f"  shrunk: {differences(shrunk(world, findings[0].oracle))}", flush=True)
