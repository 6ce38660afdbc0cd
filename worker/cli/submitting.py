"""What ``iton-worker submit`` shows while and after it publishes."""

import asyncio
import sys
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from worker.cli.terminal import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    complain,
    read_settings,
    say,
    say_json,
)
from worker.client.access import BrokerAccess
from worker.client.asking import Asked, read_asked
from worker.client.prepared import PreparedJob, ReadJobs
from worker.client.publishing import publish_jobs
from worker.domain.errors import WorkerError


@dataclass(slots=True)
class _Report:
    """How far it has come.

    Attributes:
        published: confirmed jobs, in the order of their confirms.
        trouble: why it ended before all were.
    """

    found: ReadJobs
    published: list[PreparedJob] = field(default_factory=list)
    trouble: str = ""
    exit_code: int = 0


def submit_asked(asked: Asked, *, dry_run: bool, as_json: bool) -> int:
    """Read, check, publish, report; return the exit code.

    Raises:
        SettingsError: a setting is wrong.
        InputError: the input is, and nothing was published.
    """
    settings = read_settings()
    report = _Report(read_asked(asked, settings))
    if not dry_run:
        _publish(BrokerAccess.of(settings), report)
    _print(report, dry_run=dry_run, as_json=as_json)
    return report.exit_code


def _publish(access: BrokerAccess, report: _Report) -> None:
    """Publish with a progress bar where somebody watches; note in *report* how it ended."""
    jobs = report.found.jobs
    with _bar() as bar:
        task = bar.add_task("publishing", total=len(jobs))

        def confirmed(job: PreparedJob) -> None:
            report.published.append(job)
            bar.advance(task)

        try:
            asyncio.run(publish_jobs(access, jobs, confirmed))
        except KeyboardInterrupt:
            report.trouble, report.exit_code = "interrupted", EXIT_INTERRUPTED
        except WorkerError as error:
            report.trouble, report.exit_code = error.detail, EXIT_FAILED


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )


def _print(report: _Report, *, dry_run: bool, as_json: bool) -> None:
    shown = report.found.jobs if dry_run else report.published
    if as_json:
        say_json(_summary(report, shown, dry_run=dry_run))
    else:
        for job in shown:
            say(job.job_id)
    complain(_sentence(report, dry_run=dry_run))


def _summary(report: _Report, shown: list[PreparedJob], *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "found": len(report.found.jobs),
        "published": len(report.published),
        "repeated": report.found.repeated,
        "recipients": sum(job.entries for job in shown if job.routing_key.startswith("send")),
        "error": report.trouble or None,
        "jobs": [
            {"job_id": job.job_id, "routing_key": job.routing_key, "entries": job.entries} for job in shown
        ],
    }


def _sentence(report: _Report, *, dry_run: bool) -> str:
    found = report.found
    left_out = f", {found.repeated} repeated lines left out" if found.repeated else ""
    size = f"{_count(len(found.jobs), 'job')}{_entries(found)}{left_out}"
    if dry_run:
        return f"{size}: all valid, nothing published"
    if report.trouble:
        return (
            f"{report.trouble}: {len(report.published)} of {len(found.jobs)} jobs are published; "
            "run the same command again for the rest, nothing is sent twice"
        )
    return f"published {size}"


def _entries(found: ReadJobs) -> str:
    match found.jobs[0].routing_key:
        case "account":
            return ""
        case "status":
            return f" about {_count(found.entries, 'message id')}"
        case _:
            return f" to {_count(found.entries, 'recipient')}"


def _count(number: int, one: str) -> str:
    return f"{number:,} {one if number == 1 else one + 's'}"
