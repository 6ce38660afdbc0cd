"""Looks into queues that keep messages (unrouted results, dead letters) and leaves them as they are."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from worker.amqp.dead.browser import browsing_queue
from worker.amqp.dead.records import DeadLetterRecord
from worker.client.access import BrokerAccess, visit

_WINDOW = 1_000  # a broker has some thousand channels, and there may be a million messages


@dataclass(frozen=True, slots=True)
class Look:
    """How far to look.

    Attributes:
        limit: messages at most.
        take: whether each is removed from the queue once the reader has come back for the next.
    """

    limit: int
    take: bool = False


async def look_into(access: BrokerAccess, queue: str, look: Look) -> AsyncGenerator[DeadLetterRecord]:
    """Yield the oldest messages of *queue*, then end; what was not taken is back in its place.

    By a consumer, as for dead letters: what was got one by one a quorum queue takes back in any order.

    Raises:
        BrokerUnavailableError: no connection, or it was lost.
        TopologyError: there is no such queue.
    """
    async with (
        visit(access, name="look") as connection,
        browsing_queue(connection.library, queue, window=_WINDOW) as browser,
    ):
        async for record in browser.records(min(look.limit, await browser.count())):
            yield record
            if look.take:
                await browser.drop(record)
