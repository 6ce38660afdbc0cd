"""Visits to the dead-letter queue: letters are looked at, and go back."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from worker.amqp.dead.browser import DeadLetterBrowser, browsing
from worker.client.access import BrokerAccess, visit
from worker.client.dead_filter import Wanted
from worker.client.dead_letters import DeadJob, read_dead_job


@asynccontextmanager
async def visit_letters(access: BrokerAccess) -> AsyncIterator[DeadLetterBrowser]:
    """Look into the dead-letter queue while the block runs; what is not dropped is back afterwards.

    Raises:
        BrokerUnavailableError: no connection, or it was lost.
        TopologyError: there is no such queue.
    """
    async with (
        visit(access, name="dead letters") as connection,
        browsing(connection.library, access.topology) as browser,
    ):
        yield browser


async def dead_jobs(access: BrokerAccess, wanted: Wanted, *, limit: int) -> AsyncGenerator[DeadJob]:
    """Yield the letters that are *wanted*, the oldest first, *limit* at most; all stay in the queue.

    Those that come in the meantime are left out.

    Raises:
        BrokerUnavailableError: no connection, or it was lost.
        TopologyError: there is no such queue.
    """
    found = number = 0
    async with visit_letters(access) as browser:
        async for record in browser.records(await browser.count()):
            number += 1
            job = read_dead_job(record, number, access.topology.prefix)
            if not wanted.matches(job):
                continue
            yield job
            found += 1
            if found >= limit:
                return
