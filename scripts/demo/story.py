"""The demo from its first line to its last."""

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from schemas import AccountJob, JobKey, StatusJob
from scripts.broker_objects import remove_objects, unique_prefix
from scripts.demo import campaign, tables
from scripts.demo.failure import DemoError
from scripts.demo.mailbox import Mailbox
from scripts.demo.programs import FOLDER, PROGRAM, RIPEN_AFTER, Simulator, Worker, simulator, worker
from scripts.find_broker import FoundBroker, find_broker

PATIENCE = 60.0
SHOWN_FOLDER = ".local/demo"


class Story:
    """One run: publish, follow, ask, show."""

    def __init__(self, console: Console, gateway: Simulator, running: Worker, mailbox: Mailbox) -> None:
        self._console = console
        self._gateway = gateway
        self._worker = running
        self._mailbox = mailbox
        self._rows = campaign.rows()
        run = secrets.token_hex(3)
        self._large, self._urgent, self._status, self._account = (
            f"{name}-{run}" for name in ("large", "urgent", "status", "balance")
        )
        self._published: dict[str, float] = {}

    def tell(self) -> None:
        """Go through all of it.

        Raises:
            DemoError: something did not happen that should have.
        """
        self._publish()
        self._follow()
        self._ask()
        self._show()

    def _publish(self) -> None:
        self._console.print(f"Publishing the campaign: iton-worker submit --csv {campaign.SHOWN_FILE}")
        self._submit()
        self._console.print(f"Publishing a job of {campaign.LARGE:,} recipients, and an urgent one behind it")
        jobs = (
            (JobKey.SEND, campaign.large_job(self._large)),
            (JobKey.SEND_URGENT, campaign.urgent_job(self._urgent)),
        )
        for key, job in jobs:
            self._published[str(job.job_id)] = time.monotonic()
            self._mailbox.publish(key, job)

    def _submit(self) -> None:
        command: list[str | Path] = [PROGRAM, "submit", "--csv", campaign.FILE]
        done = subprocess.run(
            command, cwd=FOLDER, env=self._worker.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DemoError(
                f"iton-worker submit failed (exit code {done.returncode}):\n{done.stderr.strip()}"
            )

    def _follow(self) -> None:
        """Show how the results come in, until every recipient of every job has one."""
        goals = (
            ("campaign, rows", len(self._rows), self._answered),
            ("large job, recipients", campaign.LARGE, lambda: self._mailbox.counts(self._large).total()),
            ("urgent job", 1, lambda: self._mailbox.counts(self._urgent).total()),
        )
        with self._bars() as progress:
            bars = [(progress.add_task(name, total=total), total, count) for name, total, count in goals]

            def draw() -> None:
                for bar, _, count in bars:
                    progress.update(bar, completed=count())

            self._wait(lambda: all(count() == total for _, total, count in bars), draw, "the jobs")

    def _answered(self) -> int:
        outcomes = self._mailbox.outcomes()
        return sum(row.outcome(outcomes) is not None for row in self._rows)

    def _ask(self) -> None:
        """Ask what became of the accepted messages of the campaign, and for the balance."""
        self._console.print("Asking for the delivery status of the accepted messages, and for the balance")
        accepted = tuple(one.message_id for one in self._mailbox.outcomes().values() if one.message_id)
        newest = max(self._mailbox.completed.values())
        # The stand-in's messages have their final status a moment after they were sent.
        self._mailbox.rest(newest + RIPEN_AFTER + 0.2 - time.monotonic())
        self._mailbox.publish(JobKey.STATUS, StatusJob(job_id=self._status, message_ids=accepted))
        self._mailbox.publish(JobKey.ACCOUNT, AccountJob(job_id=self._account))
        answers = (lambda: self._mailbox.delivery(self._status), lambda: self._mailbox.balance(self._account))
        self._wait(
            lambda: all(answer() for answer in answers), _nothing, "the status job and the account job"
        )

    def _show(self) -> None:
        mailbox, console = self._mailbox, self._console
        delivered = tables.deliveries(mailbox.delivery(self._status))
        console.print()
        console.print(tables.campaign_table(self._rows, mailbox.outcomes(), delivered))
        calls = self._gateway.calls_with(campaign.LARGE_TEXT)
        parts, counts = mailbox.parts(self._large), mailbox.counts(self._large)
        console.print(tables.large_table(parts, counts, calls, self._seconds(self._large, mailbox.completed)))
        urgent = self._seconds(self._urgent, mailbox.completed)
        console.print(f"The urgent job had its result after {urgent:.2f} s, published behind all the others.")
        balance = mailbox.balance(self._account)
        if balance:
            console.print(f"Credits left on the account: {balance.remaining_credits:,}")

    def _seconds(self, job_id: str, moments: dict[str, float]) -> float:
        return moments[job_id] - self._published[job_id]

    def _wait(self, is_done: Callable[[], bool], each: Callable[[], None], what: str) -> None:
        def look() -> None:
            self._worker.check()
            each()

        try:
            self._mailbox.wait(is_done, seconds=PATIENCE, each=look)
        except TimeoutError:
            tail = self._worker.child.tail()
            raise DemoError(f"No end of {what} after {PATIENCE:.0f} s. The worker's log:\n{tail}") from None

    def _bars(self) -> Progress:
        columns = (
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        return Progress(*columns, console=self._console)


def _nothing() -> None:
    """No bar to draw."""


@contextmanager
def own_names(broker: FoundBroker) -> Iterator[str]:
    """Provide a prefix that disturbs nobody on a shared broker; its objects are deleted afterwards."""
    prefix = unique_prefix("demo")
    try:
        yield prefix
    finally:
        if broker.private is None:
            remove_objects(broker.url, prefix)
        for file in FOLDER.glob(f"{prefix}.db*"):
            file.unlink()


def run(console: Console) -> None:
    """Run the demo.

    Raises:
        DemoError: something did not happen that should have.
        PackagesMissingError: there is no broker, and RabbitMQ's package may not be installed.
        BrokerNotStartedError: the private broker did not start.
    """
    began = time.monotonic()

    def tell(line: str) -> None:
        console.print(line, highlight=False)

    tell("Starting the stand-in for the gateway: iton-worker simulate-gateway")
    with simulator() as gateway:
        tell("Looking for a broker")
        with find_broker("AMQP_URL", FOLDER, tell) as broker, own_names(broker) as prefix:
            tell(f"Using {broker.origin}")
            gateway.wait()
            tell("Starting the worker: iton-worker run")
            with worker(broker.url, prefix, gateway) as running, Mailbox(broker.url, prefix) as mailbox:
                Story(console, gateway, running, mailbox).tell()
                tell("Stopping everything that was started")
    tell(f"Done in {time.monotonic() - began:.0f} s. The programs' logs are in {SHOWN_FOLDER}")
