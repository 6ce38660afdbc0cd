"""Looks into queues that keep messages (unrouted results, dead letters) and leaves them as they are."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from worker.amqp.connection.calls import bounded, open_channel, underlay_of
from worker.amqp.connection.library import DeliveredMessage, UnderlayChannel
from worker.client.access import BrokerAccess, visit

_CALL_LIMIT = 10.0


@dataclass(frozen=True, slots=True)
class Look:
    """How far to look.

    Attributes:
        limit: messages at most.
        take: whether each is removed from the queue once the reader has come back for the next.
    """

    limit: int
    take: bool = False


async def look_into(access: BrokerAccess, queue: str, look: Look) -> AsyncGenerator[DeliveredMessage]:
    """Yield the oldest messages of *queue*, then end; what was not taken is back in its place.

    Raises:
        BrokerUnavailableError: no connection, it was lost, or there is no such queue.
    """
    async with visit(access, name="look") as connection:
        library_channel = await open_channel(connection.library, _CALL_LIMIT)
        channel = await underlay_of(library_channel)
        for _ in range(look.limit):
            message = await _get(channel, queue)
            if message is None:
                return
            yield message
            if look.take:
                await bounded(channel.basic_ack(message.delivery_tag or 0), _CALL_LIMIT)


async def count(access: BrokerAccess, queue: str) -> int:
    """Return how many messages wait in *queue*."""
    async with visit(access, name="look") as connection:
        channel = await open_channel(connection.library, _CALL_LIMIT)
        declared = await bounded(channel.declare_queue(queue, passive=True), _CALL_LIMIT)
        return int(declared.declaration_result.message_count or 0)


async def _get(channel: UnderlayChannel, queue: str) -> DeliveredMessage | None:
    message = await bounded(channel.basic_get(queue), _CALL_LIMIT)
    return None if message.delivery_tag is None else message
