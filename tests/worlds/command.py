"""The command line of the worlds."""

import argparse
import gc
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.worlds.figures import Figures
from tests.worlds.judge import Finding, judge
from tests.worlds.making import THEMES, make
from tests.worlds.mutations import MUTATIONS
from tests.worlds.plan import differences
from tests.worlds.shrink import shrunk

_BETWEEN_COLLECTIONS = 5  # worlds; the collector's rounds would come in the middle of them
_FIGURES = "FIGURES "


def run(arguments: Sequence[str]) -> int:
    """Play, print, and return 0 if nothing was found."""
    options = _options(arguments)
    if options.processes > 1 and options.seed is None:
        return _side_by_side(options, arguments)
    gc.disable()
    gc.freeze()  # what is imported stays: it need not be walked after every few worlds
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
    parser.add_argument("--step", type=int, default=1, help="from one seed to the next")
    parser.add_argument("--seed", type=int, help="play this one alone")
    parser.add_argument("--theme", choices=THEMES, default="", help="of all worlds; else as the seed says")
    parser.add_argument("--planted", default="", help="with this fault of the table in the worker")
    parser.add_argument("--trace", action="store_true", help="tell what happened when")
    parser.add_argument("--whole", action="store_true", help="do not shrink what fails")
    parser.add_argument(
        "--go-on", action="store_true", help="do not end at the first that fails; so with a time"
    )
    parser.add_argument("--part", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _side_by_side(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Share the seeds among processes, and sum up."""
    began, several = time.monotonic(), options.processes
    processes = []
    for number in range(several):
        share = ["--processes", "1", "--part", "--start", str(options.start + number), "--step", str(several)]
        worlds = ["--worlds", str(-(-(options.worlds - number) // several))]
        command = [sys.executable, "-m", "tests.worlds", *arguments, *share, *worlds]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    figures = Figures()
    with ThreadPoolExecutor(several) as readers:
        codes = list(readers.map(lambda process: _listen(process, figures), processes))
    print("", *figures.lines(time.monotonic() - began), sep="\n", flush=True)
    return max(codes)


def _listen(process: "subprocess.Popen[str]", figures: Figures) -> int:
    """Pass on what a process tells as it tells it, and add its figures; return 0 if all went well."""
    assert process.stdout is not None
    told = False
    for line in process.stdout:
        if line.startswith(_FIGURES):
            figures.merge(Figures.from_json(line.removeprefix(_FIGURES)))
            told = True
        else:
            print(line, end="", flush=True)
    code = process.wait()
    if not told:
        print(f"a process ended with {code} and without figures", flush=True)
    return code or not told


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
    expected = {oracle for each in MUTATIONS if each.name == options.planted for oracle in each.found_by}
    for seed in _seeds(options, began):
        history, findings = judge(make(seed, options.theme))
        if options.planted:
            findings = [each for each in findings if each.oracle in expected]
        new = {finding.oracle for finding in findings} - set(figures.found)
        figures.add(history, {finding.oracle for finding in findings})
        if figures.worlds % _BETWEEN_COLLECTIONS == 0:
            gc.collect()
        if findings:
            _tell(seed, findings, options, shrink=bool(new) and not options.whole)
            if options.planted:
                print(f"found after {figures.worlds} worlds by {findings[0].oracle}")
            if not _goes_on(options):
                break
    lines = figures.lines(time.monotonic() - began)
    print(*([f"{_FIGURES}{figures.to_json()}"] if options.part else ["", *lines]), sep="\n", flush=True)
    return 1 if figures.found else 0


def _goes_on(options: argparse.Namespace) -> bool:
    """Whether a world that fails is not the last one: never in a run that was given a time."""
    return bool(options.go_on or options.minutes or options.hours)


def _seeds(options: argparse.Namespace, began: float) -> Iterator[int]:
    seconds = options.minutes * 60 + options.hours * 3_600
    last = options.start + options.worlds * options.step
    seed = options.start
    while (time.monotonic() - began < seconds) if seconds else seed < last:
        yield seed
        seed += options.step


def _tell(seed: int, findings: list[Finding], options: argparse.Namespace, *, shrink: bool) -> None:
    world = make(seed, options.theme)
    theme = f" --theme {options.theme}" if options.theme else ""
    print(f"\nseed {seed} ({world.theme}): python -m tests.worlds --seed {seed}{theme} --trace", flush=True)
    for finding in findings:
        print(f"  {finding.oracle}: {finding.words}", flush=True)
    if shrink:
        print(f"  shrunk: {differences(shrunk(world, findings[0].oracle))}", flush=True)
