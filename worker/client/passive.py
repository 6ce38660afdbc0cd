"""Questions to the broker that declare nothing: is it there, does anybody consume it."""

from collections.abc import Iterable

from worker.amqp.connection.calls import bounded, open_channel
from worker.amqp.connection.library import ChannelNotFoundEntity
from worker.amqp.connection.opening import RawConnection
from worker.amqp.topology.declare import TopologyError

_CALL_LIMIT = 10.0


def is_prefix_right(prefix: str) -> str:
    """Say what to look at where something is missing.

    To declare it would be no remedy: with a mistyped prefix it makes a second topology that no worker knows.
    """
    return (
        f"see whether AMQP_PREFIX ({prefix}) and the virtual host of AMQP_URL are those of the worker; "
        "it declares what it needs when it starts"
    )


async def insist_on_exchanges(connection: RawConnection, names: Iterable[str], prefix: str) -> None:
    """Return if every exchange of *names* is there.

    Raises:
        TopologyError: one is not, with what to look at.
    """
    for name in names:
        # RabbitMQ closes the channel over every "not found", so each question has its own.
        channel = await open_channel(connection.library, _CALL_LIMIT)
        try:
            await bounded(channel.declare_exchange(name, passive=True), _CALL_LIMIT)
        except ChannelNotFoundEntity:
            raise TopologyError(
                "topology_missing", f"there is no exchange {name} on the broker: {is_prefix_right(prefix)}"
            ) from None
        await bounded(channel.close(), _CALL_LIMIT)


async def consumers_of(connection: RawConnection, queue: str) -> int | None:
    """Return how many consumers *queue* has; None where there is no such queue."""
    channel = await open_channel(connection.library, _CALL_LIMIT)
    try:
        declared = await bounded(channel.declare_queue(queue, passive=True), _CALL_LIMIT)
    except ChannelNotFoundEntity:
        return None
    await bounded(channel.close(), _CALL_LIMIT)
    return int(declared.declaration_result.consumer_count or 0)
