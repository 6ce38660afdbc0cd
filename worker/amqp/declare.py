"""Declares a topology on a broker, or checks that it is there."""

import re
from collections.abc import Awaitable, Callable

from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity, ChannelPreconditionFailed

from worker.amqp.calls import bounded
from worker.amqp.topology import Exchange, Queue, Topology
from worker.domain.errors import WorkerError

_CALL_LIMIT = 10.0


class TopologyError(WorkerError):
    """What is on the broker is not what the worker needs; the detail names it and the remedy."""


async def declare(connection: AbstractConnection, topology: Topology) -> None:
    """Make everything of *topology* exist; a second time changes nothing.

    Raises:
        TopologyError: something exists with other arguments, or may not be declared by this user.
        BrokerUnavailableError: the connection was lost, or the broker did not answer in time.
    """
    channel = await bounded(connection.channel(), _CALL_LIMIT)
    try:
        for exchange in topology.exchanges:
            await _declared("exchange", exchange.name, _declare_exchange(channel, exchange))
        for queue in topology.queues:
            await _declared("queue", queue.name, _declare_queue(channel, queue))
        await _bind(channel, topology)
    finally:
        await _close(channel)


async def verify(connection: AbstractConnection, topology: Topology) -> tuple[str, ...]:
    """Name what is missing of exchanges and queues, without declaring anything.

    Bindings cannot be asked for by AMQP.
    """
    questions = [
        *((f"exchange {exchange.name}", _passive_exchange(exchange.name)) for exchange in topology.exchanges),
        *((f"queue {queue.name}", _passive_queue(queue.name)) for queue in topology.queues),
    ]
    return tuple([what for what, ask in questions if not await _exists(connection, ask)])


async def prepare(connection: AbstractConnection, topology: Topology, *, may_declare: bool) -> None:
    """Declare, or where that is not wanted, insist that everything is there.

    Raises:
        TopologyError: as `declare`; or code ``topology_missing`` with the names.
    """
    if may_declare:
        await declare(connection, topology)
        return
    missing = await verify(connection, topology)
    if missing:
        raise TopologyError("topology_missing", f"not on the broker: {', '.join(missing)}")


async def _declare_exchange(channel: AbstractChannel, exchange: Exchange) -> None:
    await channel.declare_exchange(
        exchange.name, exchange.type, durable=True, arguments=dict(exchange.arguments) or None
    )


async def _declare_queue(channel: AbstractChannel, queue: Queue) -> None:
    await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))


async def _bind(channel: AbstractChannel, topology: Topology) -> None:
    underlay = await channel.get_underlay_channel()
    for binding in topology.bindings:
        bound = underlay.queue_bind(binding.queue, binding.exchange, binding.key)
        await _declared("binding of queue", binding.queue, bound)


async def _declared(kind: str, name: str, call: Awaitable[object]) -> None:
    try:
        await bounded(call, _CALL_LIMIT)
    except ChannelPreconditionFailed as error:
        raise TopologyError("topology_mismatch", _mismatch(kind, name, str(error))) from None
    except ChannelAccessRefused:
        raise TopologyError(
            "topology_refused",
            f"the broker's user may not declare {kind} {name}: grant it the right to configure it, "
            "or declare it beforehand and set AMQP_DECLARE=false",
        ) from None


def _mismatch(kind: str, name: str, words: str) -> str:
    found = re.search(r"inequivalent arg '([^']+)'.*?: (received .+)", words)
    what = f"another {found[1]} ({found[2]})" if found else "other arguments"
    return (
        f"{kind} {name} exists with {what}: delete it (empty it first) or declare it "
        "with the arguments that `iton-worker topology --json` prints"
    )


def _passive_exchange(name: str) -> Callable[[AbstractChannel], Awaitable[object]]:
    return lambda channel: channel.declare_exchange(name, passive=True)


def _passive_queue(name: str) -> Callable[[AbstractChannel], Awaitable[object]]:
    return lambda channel: channel.declare_queue(name, passive=True)


async def _exists(
    connection: AbstractConnection, ask: Callable[[AbstractChannel], Awaitable[object]]
) -> bool:
    # RabbitMQ closes the channel over every "not found", so each question has its own.
    channel = await bounded(connection.channel(), _CALL_LIMIT)
    try:
        await bounded(ask(channel), _CALL_LIMIT)
    except ChannelNotFoundEntity:
        return False
    finally:
        await _close(channel)
    return True


async def _close(channel: AbstractChannel) -> None:
    if not channel.is_closed:
        await bounded(channel.close(), _CALL_LIMIT)
