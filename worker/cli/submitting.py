"""What ``iton-worker submit`` asks, shows and reports."""

import asyncio
import sys
from dataclasses import dataclass

import typer

from worker.cli.dead_acting import progress_bar
from worker.cli.submit_words import ids_in_short, in_numbers, summary, trouble_lines
from worker.cli.terminal import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    OutputError,
    complain,
    let_go_of_stdout,
    read_settings,
    say,
    say_json,
)
from worker.client.access import BrokerAccess
from worker.client.asking import Asked, read_asked
from worker.client.prepared import ReadJobs
from worker.client.publishing import Publishing, Watch, publish_jobs
from worker.domain.errors import WorkerError
from worker.settings import Settings

ASK_ABOVE = 1_000
"""Recipients; more are not sent to unasked."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How it is to be done.

    Attributes:
        dry_run: publish nothing.
        yes: do not ask.
        as_json: print the summary as a JSON object, in place of the ids.
    """

    dry_run: bool
    yes: bool
    as_json: bool


def submit_asked(asked: Asked, manner: Manner) -> int:
    """Read, check, ask, publish, report; return the exit code.

    Raises:
        SettingsError: a setting is wrong.
        InputError: the input is, and nothing was published.
    """
    settings = read_settings()
    found = read_asked(asked, settings)
    found.insist_on_numbers()
    for line in in_numbers(found):
        complain(line)
    if manner.dry_run:
        complain("nothing published")
        _print(found, None, manner)
        return 0
    if code := _refused(found, manner, from_stdin="-" in {str(asked.csv), str(asked.jsonl)}):
        return code
    return _published(asked, settings, found, manner)


def _refused(found: ReadJobs, manner: Manner, *, from_stdin: bool) -> int:
    """Ask where many would be sent to; return 0 for a yes."""
    if manner.yes or found.distinct <= ASK_ABOVE:
        return 0
    if from_stdin or not sys.stdin.isatty():
        complain(
            f"nothing is published: more than {ASK_ABOVE:,} recipients need --yes, or a terminal to ask on"
        )
        return EXIT_USAGE
    if typer.confirm(f"{found.distinct:,} recipients will be sent to. Go on?", err=True):
        return 0
    complain("nothing is published")
    return EXIT_FAILED


def _published(asked: Asked, settings: Settings, found: ReadJobs, manner: Manner) -> int:
    publishing, access = Publishing(found.jobs), BrokerAccess.of(settings)
    trouble, code = "", 0

    def ready(idle: list[str]) -> None:
        for queue in idle:
            complain(
                f"no worker consumes {queue} at the moment: the jobs wait there until one does "
                f"(AMQP_PREFIX is {access.topology.prefix})"
            )
        _print_ids(found, manner)

    with progress_bar() as bar:
        task = bar.add_task("publishing", total=len(found.jobs))
        try:
            asyncio.run(publish_jobs(access, publishing, Watch(ready, lambda: bar.advance(task))))
        except KeyboardInterrupt:
            trouble, code = "interrupted", EXIT_INTERRUPTED
        except OutputError:  # the ids are not told, so nothing is published
            raise
        except WorkerError as error:
            trouble, code = error.detail, EXIT_FAILED
    told = trouble_lines(trouble, publishing, asked, settings.ledger.retention)
    for line in told if trouble else ["published"]:
        complain(line)
    try:
        _print(found, (publishing, trouble), manner)
    except OutputError as error:  # whoever reads the exit code alone would publish anew, under other ids
        let_go_of_stdout()
        code = code or EXIT_FAILED
        for line in trouble_lines(error.detail, publishing, asked, settings.ledger.retention):
            complain(line)
    return code


def _print_ids(found: ReadJobs, manner: Manner) -> None:
    """Tell the ids before anything is published: whatever happens then, they are known."""
    if manner.as_json:
        complain(f"publishing {ids_in_short(found.jobs)}")
        return
    for job in found.jobs:
        say(job.job_id)


def _print(found: ReadJobs, done: tuple[Publishing, str] | None, manner: Manner) -> None:
    if manner.as_json:
        say_json(summary(found, done))
    elif done is None:
        for job in found.jobs:
            say(job.job_id)
