"""Replays and removes dead letters: what a survey picked, and nothing that came after it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from worker.amqp.connection.calls import describe
from worker.amqp.connection.library import AMQPError
from worker.amqp.dead.browser import DeadLetterBrowser
from worker.amqp.dead.records import DeadLetterRecord
from worker.amqp.dead.replay import replay_copy
from worker.amqp.publish.confirms import ConfirmChannel
from worker.amqp.publish.copies import properties_limit
from worker.amqp.publish.window import UnroutableError
from worker.client.access import BrokerAccess, visit
from worker.client.dead_filter import Risk, Wanted
from worker.client.dead_letters import DeadJob, read_dead_job
from worker.client.dead_visit import dead_jobs, visit_letters
from worker.domain.errors import WorkerError

EVERY = 10_000_000

_IN_FLIGHT = 64

Risks = Callable[[DeadJob], Risk | None]
KnownUntil = Callable[[DeadJob], datetime | None]
Act = Callable[[DeadLetterRecord], Awaitable[None]]


@dataclass(slots=True)
class Survey:
    """What a run is going to do.

    Attributes:
        reasons: letters that are wanted, by reason.
        risks: those of them that are not safe to replay, by why.
        refused: those that are left alone for it.
        ids: of the letters that are picked.
        picked: how many those are.
    """

    reasons: Counter[str] = field(default_factory=Counter)
    risks: Counter[Risk] = field(default_factory=Counter)
    refused: Counter[Risk] = field(default_factory=Counter)
    ids: set[str] = field(default_factory=set)
    picked: int = 0

    def take(self, letter: DeadJob, risk: Risk | None, *, force: bool) -> None:
        """Note a letter that is wanted."""
        self.reasons[letter.reason] += 1
        if risk:
            self.risks[risk] += 1
        if risk and not force:
            self.refused[risk] += 1
            return
        self.ids.add(letter.id)
        self.picked += 1


@dataclass(slots=True)
class Tally:
    """How far a run has come.

    Attributes:
        done: letters that are out of the queue.
        failed: letters that stay, because the broker would not take their copies.
        trouble: why the run ended early, or why the first letter failed.
    """

    done: int = 0
    failed: int = 0
    trouble: str = ""


def no_risks(_letter: DeadJob) -> None:
    """Say of every letter that it may be acted on."""


async def survey(
    access: BrokerAccess, wanted: Wanted, *, limit: int, risks: Risks = no_risks, force: bool = False
) -> Survey:
    """Look which letters are wanted, the oldest first, until *limit* are picked.

    Raises:
        BrokerUnavailableError: no connection, or it was lost.
        TopologyError: there is no dead-letter queue.
    """
    found = Survey()
    async with aclosing(dead_jobs(access, wanted, limit=EVERY)) as letters:
        async for letter in letters:
            found.take(letter, risks(letter), force=force)
            if found.picked >= limit:
                break
    return found


async def replay(
    access: BrokerAccess,
    picked: Survey,
    tally: Tally,
    on_step: Callable[[], None],
    *,
    known_until: KnownUntil,
    force: bool = False,
) -> None:
    """Publish a copy of each picked letter where it came from; remove a letter once its copy is confirmed.

    Killed at any moment, it may be run again: a letter whose copy is out already is replayed under the same
    id, which the ledger knows.

    Args:
        access: which broker.
        picked: by a survey.
        tally: noted on all the way, for whoever interrupts it.
        on_step: called after each letter.
        known_until: from when on a worker must not send a letter's job that the ledger does not know.
        force: uncertain recipients are sent to as well.

    Raises:
        BrokerUnavailableError: no connection.
    """
    async with _acting(access, picked, tally, on_step) as run, visit(access, name="replay") as publishing:
        # RabbitMQ: an alarm blocks connections that publish, and the acknowledgements on them.
        channel = ConfirmChannel(access.confirm_within)
        await channel.attach(publishing)
        most = properties_limit(publishing.frame_max)

        async def publish(record: DeadLetterRecord) -> None:
            until = known_until(read_dead_job(record, 0, access.topology.prefix))
            copy = replay_copy(access.topology, record, force=force, known_until=until, most=most)
            await channel.publish(copy)

        await run.over(publish)


async def purge(access: BrokerAccess, picked: Survey, tally: Tally, on_step: Callable[[], None]) -> None:
    """Remove each picked letter for good.

    Raises:
        BrokerUnavailableError: no connection.
    """

    async def forget(_record: DeadLetterRecord) -> None:
        """Nothing comes before the removal."""

    async with _acting(access, picked, tally, on_step) as run:
        await run.over(forget)


@asynccontextmanager
async def _acting(
    access: BrokerAccess, picked: Survey, tally: Tally, on_step: Callable[[], None]
) -> AsyncIterator["_Run"]:
    async with visit_letters(access) as browser:
        yield _Run(browser, picked, tally, on_step)


class _Run:
    """One pass over the queue, as long as it was at the start."""

    def __init__(
        self, browser: DeadLetterBrowser, picked: Survey, tally: Tally, on_step: Callable[[], None]
    ) -> None:
        self._browser = browser
        self._picked = picked
        self._tally = tally
        self._on_step = on_step
        self._slots = asyncio.Semaphore(_IN_FLIGHT)
        self._over = False

    async def over(self, act: Act) -> None:
        """Do *act* to each picked letter, many at the same time, and remove it."""
        left = self._picked.picked
        async with asyncio.TaskGroup() as group:
            async for record in self._browser.records(await self._browser.count()):
                if self._over or left == 0:
                    break
                if record.replay_id not in self._picked.ids:
                    continue
                left -= 1
                await self._slots.acquire()
                group.create_task(self._one(act, record))

    async def _one(self, act: Act, record: DeadLetterRecord) -> None:
        try:
            await act(record)
            await self._browser.drop(record)
        except (UnroutableError, AMQPError) as error:
            # The letter's own trouble; others may fare better.
            self._tally.failed += 1
            self._tally.trouble = self._tally.trouble or describe(error)
        except WorkerError as error:
            self._over = True
            self._tally.trouble = error.detail
        else:
            self._tally.done += 1
        finally:
            self._slots.release()
            self._on_step()
