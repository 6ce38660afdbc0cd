"""What ``iton-worker dead replay`` and ``dead purge`` say, ask and report."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from worker.cli.terminal import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    complain,
    read_settings,
    say_json,
    say_table,
)
from worker.client.access import BrokerAccess
from worker.client.dead_filter import Memory, Risk, Wanted
from worker.client.replaying import Risks, Survey, Tally, no_risks, purge, replay, survey
from worker.domain.errors import WorkerError
from worker.settings import Settings

_RISKS = {
    Risk.UNCERTAIN: "may have been sent: nobody knows, so some recipients may get the text twice",
    Risk.FORGOTTEN: "died before the ledger's memory begins (WORKER_LEDGER_RETENTION), or unknown to it: "
    "recipients that were sent to may get the text again",
}

_SINCE = "; it takes what has come since as well, so look with `dead list` first"


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for.

    Attributes:
        limit: letters at most.
        dry_run: only say what would be done.
        yes: do not ask.
    """

    wanted: Wanted
    limit: int
    dry_run: bool
    yes: bool
    as_json: bool
    force: bool = False


@dataclass(slots=True)
class _Report:
    """How it went.

    Attributes:
        verb: ``replayed``, say.
    """

    verb: str
    found: Survey
    dry_run: bool
    tally: Tally = field(default_factory=Tally)

    def to_json(self) -> dict[str, Any]:
        return {
            "dry_run": self.dry_run,
            "matched": dict(self.found.reasons),
            "refused": {risk.value: count for risk, count in self.found.refused.items()},
            "picked": self.found.picked,
            self.verb: self.tally.done,
            "failed": self.tally.failed,
            "error": self.tally.trouble or None,
        }


def replay_asked(request: Request) -> int:
    """Survey, ask, replay, report; return the exit code."""
    settings = read_settings()
    memory = Memory(datetime.now(UTC), settings.ledger.retention)
    report = _surveyed(settings, request, "replayed", memory.risk)
    _warn(report.found, force=request.force)
    left_out = EXIT_FAILED if report.found.refused else 0

    def work(access: BrokerAccess, on_step: Callable[[], None]) -> Coroutine[Any, Any, None]:
        return replay(
            access,
            report.found,
            report.tally,
            on_step,
            known_until=memory.known_until,
            force=request.force,
        )

    return _carried_out(settings, request, report, work) or (0 if request.dry_run else left_out)


def purge_asked(request: Request) -> int:
    """Survey, ask, remove, report; return the exit code."""
    settings = read_settings()
    report = _surveyed(settings, request, "purged", no_risks)

    def work(access: BrokerAccess, on_step: Callable[[], None]) -> Coroutine[Any, Any, None]:
        return purge(access, report.found, report.tally, on_step)

    return _carried_out(settings, request, report, work)


def _surveyed(settings: Settings, request: Request, verb: str, risks: Risks) -> _Report:
    access = BrokerAccess.of(settings)
    look = survey(access, request.wanted, limit=request.limit, risks=risks, force=request.force)
    report = _Report(verb, asyncio.run(look), request.dry_run)
    if not request.as_json and report.found.reasons:
        say_table(
            ("LETTERS", "REASON"), ((count, name) for name, count in report.found.reasons.most_common())
        )
    return report


def _warn(found: Survey, *, force: bool) -> None:
    for risk, count in found.risks.items():
        rest = "replayed all the same, as --force asks" if force else "left alone; --force replays them"
        complain(f"{_count(count)} {_RISKS[risk]}: {rest}")


def _carried_out(
    settings: Settings,
    request: Request,
    report: _Report,
    work: Callable[[BrokerAccess, Callable[[], None]], Coroutine[Any, Any, None]],
) -> int:
    """Do what the survey found, if that is wanted; return the exit code."""
    code = 0
    picked = report.found.picked
    if request.dry_run:
        complain(f"{_count(picked)} would be {report.verb}, none is")
    elif not picked:
        complain(f"there is nothing to be {report.verb}")
    elif (code := _refused(request, report)) == 0:
        code = _worked(BrokerAccess.of(settings), report, work)
    else:
        report.dry_run = True
    if request.as_json:
        say_json(report.to_json())
    return code


def _refused(request: Request, report: _Report) -> int:
    """Ask; return 0 for a yes."""
    if request.yes:
        return 0
    if not sys.stdin.isatty():
        complain(f"nothing is {report.verb}: without a terminal to ask on, this needs --yes")
        return EXIT_USAGE
    forever = " It cannot be undone." if report.verb == "purged" else ""
    if typer.confirm(f"{_count(report.found.picked)} will be {report.verb}.{forever} Go on?", err=True):
        return 0
    complain(f"nothing is {report.verb}")
    return EXIT_FAILED


def _worked(
    access: BrokerAccess,
    report: _Report,
    work: Callable[[BrokerAccess, Callable[[], None]], Coroutine[Any, Any, None]],
) -> int:
    tally, picked = report.tally, report.found.picked
    code = 0
    with progress_bar() as bar:
        task = bar.add_task(report.verb, total=picked)
        try:
            asyncio.run(work(access, lambda: bar.advance(task)))
        except KeyboardInterrupt:
            tally.trouble, code = "interrupted", EXIT_INTERRUPTED
        except WorkerError as error:
            tally.trouble = error.detail
    complain(_sentence(report))
    return code or (EXIT_FAILED if tally.trouble else 0)


def _sentence(report: _Report) -> str:
    tally, picked = report.tally, report.found.picked
    if tally.trouble:
        return (
            f"{tally.trouble}: {tally.done} of {_count(picked)} {report.verb}; "
            f"the same command may be run again for the rest{_SINCE if report.verb == 'purged' else ''}"
        )
    gone = f", {picked - tally.done} were gone already" if tally.done < picked else ""
    return f"{_count(tally.done)} {report.verb}{gone}"


def progress_bar() -> Progress:
    """Return a bar on stderr, where somebody watches."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )


def _count(number: int) -> str:
    return f"{number:,} dead letter{'' if number == 1 else 's'}"
