"""The command line of the worlds."""

import argparse
import gc
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.worlds.judge import Finding, judge
from tests.worlds.making import THEMES, make
from tests.worlds.mutations import MUTATIONS
from tests.worlds.plan import differences
from tests.worlds.shrink import shrunk

_BETWEEN_COLLECTIONS = 5  # worlds; the collector's rounds would come in the middle of them


@dataclass
class Figures:
    """What was played."""

    worlds: int = 0
    steps: int = 0
    virtual: float = 0.0
    calls: int = 0
    themes: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)


def run(arguments: Sequence[str]) -> int:
    """Play, print, and return 0 if nothing was found."""
    options = _options(arguments)
    gc.disable()
    warnings.simplefilter("ignore")  # of what a killed host never awaited
    if options.seed is not None:
        return _one(options.seed, options)
    return _many(options)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.worlds", description=__doc__)
    parser.add_argument("--worlds", type=int, default=0, help="how many")
    parser.add_argument("--minutes", type=float, default=0.0, help="how long, in place of a number")
    parser.add_argument("--hours", type=float, default=0.0, help="the same")
    parser.add_argument("--start", type=int, default=1, help="the first seed")
    parser.add_argument("--step", type=int, default=1, help="from one seed to the next")
    parser.add_argument("--seed", type=int, help="play this one alone")
    parser.add_argument("--theme", choices=THEMES, default="", help="of all worlds; else as the seed says")
    parser.add_argument("--planted", default="", help="with this fault of the table in the worker")
    parser.add_argument("--trace", action="store_true", help="tell what happened when")
    parser.add_argument("--whole", action="store_true", help="do not shrink what fails")
    parser.add_argument("--go-on", action="store_true", help="do not end at the first that fails")
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
    print(
        f"seed {seed}: {len(findings)} findings, {history.ended - history.began:.1f} s, {history.steps} steps"
    )
    return 1 if findings else 0


def _many(options: argparse.Namespace) -> int:
    figures, began = Figures(), time.monotonic()
    expected = {oracle for each in MUTATIONS if each.name == options.planted for oracle in each.found_by}
    for seed in _seeds(options, began):
        world = make(seed, options.theme)
        history, findings = judge(world)
        if options.planted:
            findings = [each for each in findings if each.oracle in expected]
        figures.worlds += 1
        figures.steps += history.steps
        figures.calls += len(history.calls)
        figures.virtual += history.ended - history.began
        figures.themes[world.theme] += 1
        if figures.worlds % _BETWEEN_COLLECTIONS == 0:
            gc.collect()
        if findings:
            figures.found.update({finding.oracle for finding in findings})
            _tell(seed, findings, options)
            if options.planted:
                print(f"found after {figures.worlds} worlds by {findings[0].oracle}")
            if not options.go_on:
                break
    _sum_up(figures, time.monotonic() - began)
    return 1 if figures.found else 0


def _seeds(options: argparse.Namespace, began: float) -> Iterator[int]:
    seconds = options.minutes * 60 + options.hours * 3_600
    seed = options.start
    while (
        (time.monotonic() - began < seconds)
        if seconds
        else seed < options.start + options.worlds * options.step
    ):
        yield seed
        seed += options.step


def _tell(seed: int, findings: list[Finding], options: argparse.Namespace) -> None:
    world = make(seed, options.theme)
    theme = f" --theme {options.theme}" if options.theme else ""
    print(f"\nseed {seed} ({world.theme}): python -m tests.worlds --seed {seed}{theme} --trace", flush=True)
    for finding in findings:
        print(f"  {finding.oracle}: {finding.words}", flush=True)
    if not options.whole:
        print(f"  shrunk: {differences(shrunk(world, findings[0].oracle))}", flush=True)


def _sum_up(figures: Figures, seconds: float) -> None:
    themes = ", ".join(f"{name} {many}" for name, many in sorted(figures.themes.items()))
    rate, hours = figures.worlds / max(seconds, 0.001), figures.virtual / 3_600
    print(f"\n{figures.worlds} worlds in {seconds:.0f} s ({rate:.1f} a second; {themes}):")
    print(f"{figures.steps:,} steps, {figures.calls:,} calls of the gateway, {hours:.1f} virtual hours")
    print(f"found: {dict(figures.found)}" if figures.found else "nothing found", flush=True)
