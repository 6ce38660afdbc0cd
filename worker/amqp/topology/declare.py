"""Declares a topology on a broker, or checks that it is there."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from aio_pika.abc import AbstractChannel, AbstractConnection

from worker.amqp.connection.calls import bounded, open_channel
from worker.amqp.connection.library import (
    AMQPError,
    ChannelAccessRefused,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    FieldValue,
)
from worker.amqp.topology.values import Arguments, Binding, Exchange, Queue, Topology
from worker.domain.errors import BrokerUnavailableError, WorkerError

_CALL_LIMIT = 10.0
# Questions that wait for their answers at the same time, each on a channel of its own: the library sends one
# on a channel when it has the answer to the one before, and a far broker takes half a second for each.
_AT_ONCE = 8
_HANDS_ON = frozenset({"alternate-exchange", "x-dead-letter-exchange"})
_BINDING = "binding of queue"
_BINDS = {"queue": "write", "exchange": "read"}
# RabbitMQ: "access to exchange 'x' in vhost '/' refused for user 'y'"; later versions begin with the right.
_REFUSED = re.compile(r"(?:\b(configure|write|read) )?access to (queue|exchange) '([^']*)'")


class TopologyError(WorkerError):
    """What is on the broker is not what the worker needs; the detail names it and the remedy."""


class _Step(NamedTuple):
    """One thing to declare.

    Attributes:
        own: the rights to the thing itself that this takes; older brokers do not say which one is missing.
    """

    kind: str
    name: str
    call: Callable[[AbstractChannel], Awaitable[object]]
    own: str = "configure"


async def declare(connection: AbstractConnection, topology: Topology) -> None:
    """Make everything of *topology* exist; a second time changes nothing.

    Raises:
        TopologyError: something exists with other arguments, or may not be declared by this user.
        BrokerUnavailableError: the connection was lost, or the broker did not answer in time.
    """
    channels: list[AbstractChannel] = []
    try:
        opening = (open_channel(connection, _CALL_LIMIT) for _ in range(_AT_ONCE))
        await together([_kept(channel, channels) for channel in opening])
        await _spread(channels, [_exchange_step(exchange) for exchange in topology.exchanges])
        await _spread(channels, [_queue_step(queue) for queue in topology.queues])
        await _spread(channels, [_binding_step(binding) for binding in topology.bindings])
    finally:
        await asyncio.gather(*map(close_channel, channels))


async def verify(connection: AbstractConnection, topology: Topology) -> tuple[str, ...]:
    """Name what is missing of exchanges and queues, without declaring anything.

    Bindings cannot be asked for by AMQP.
    """
    questions = [
        *((f"exchange {exchange.name}", _passive_exchange(exchange.name)) for exchange in topology.exchanges),
        *((f"queue {queue.name}", _passive_queue(queue.name)) for queue in topology.queues),
    ]
    turns, found = asyncio.Semaphore(_AT_ONCE), dict.fromkeys((what for what, _ in questions), False)

    async def answer(what: str, ask: Callable[[AbstractChannel], Awaitable[object]]) -> None:
        async with turns:
            found[what] = await _exists(connection, ask)

    await together([answer(what, ask) for what, ask in questions])
    return tuple(what for what, exists in found.items() if not exists)


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


async def _spread(channels: Sequence[AbstractChannel], steps: Sequence[_Step]) -> None:
    """Declare all of *steps*, which do not depend on each other, on all of *channels* at the same time."""
    turns = (steps[first :: len(channels)] for first in range(len(channels)))
    await together([_one_by_one(channel, mine) for channel, mine in zip(channels, turns, strict=True)])


async def _one_by_one(channel: AbstractChannel, steps: Sequence[_Step]) -> None:
    for step in steps:
        await _declared(step, channel)


async def together(calls: Sequence[Awaitable[None]]) -> None:
    """Await all of *calls* to their ends; raise the error that says most.

    A fault of the topology comes first: a connection that is lost over it tells nothing.
    """
    answers = await asyncio.gather(*calls, return_exceptions=True)
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    for error in sorted(errors, key=lambda error: not isinstance(error, TopologyError)):
        raise error


async def _kept(opening: Awaitable[AbstractChannel], channels: list[AbstractChannel]) -> None:
    channels.append(await opening)


def _exchange_step(exchange: Exchange) -> _Step:
    arguments: dict[str, FieldValue] = dict(exchange.arguments)
    return _Step(
        "exchange",
        exchange.name,
        lambda channel: channel.declare_exchange(
            exchange.name, exchange.type, durable=True, arguments=arguments or None
        ),
        _own_rights(exchange.arguments),
    )


def _queue_step(queue: Queue) -> _Step:
    return _Step(
        "queue",
        queue.name,
        lambda channel: channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments)),
        _own_rights(queue.arguments),
    )


def _own_rights(arguments: Arguments) -> str:
    # RabbitMQ: what hands messages on is read.
    return "configure and read" if arguments.keys() & _HANDS_ON else "configure"


def _binding_step(binding: Binding) -> _Step:
    async def bind(channel: AbstractChannel) -> None:
        underlay = await channel.get_underlay_channel()
        await underlay.queue_bind(binding.queue, binding.exchange, binding.key)

    return _Step(_BINDING, binding.queue, bind)


async def _declared(step: _Step, channel: AbstractChannel) -> None:
    try:
        await bounded(step.call(channel), _CALL_LIMIT)
    except ChannelPreconditionFailed as error:
        raise TopologyError("topology_mismatch", _mismatch(step.kind, step.name, str(error))) from None
    except ChannelAccessRefused as error:
        right = missing_right(step.kind, step.name, step.own, str(error))
        raise TopologyError(
            "topology_refused",
            f"the broker's user may not declare {step.kind} {step.name}: grant it the right to {right}, "
            "or declare it beforehand and set AMQP_DECLARE=false",
        ) from None


def missing_right(kind: str, name: str, own: str, words: str) -> str:
    """Say which right to what is missing, by the broker's *words*; that need not be what was declared."""
    found = _REFUSED.search(words)
    right, what, whose = found.groups() if found else (None, kind, name)
    if whose == name and kind == what:
        return f"{right or own} it"
    if kind == _BINDING:
        return f"{right or _BINDS[what]} {what} {whose}"
    return f"{right or 'write'} {what} {whose}"


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
    channel = await open_channel(connection, _CALL_LIMIT)
    try:
        await bounded(ask(channel), _CALL_LIMIT)
    except ChannelNotFoundEntity:
        return False
    finally:
        await close_channel(channel)
    return True


async def close_channel(channel: AbstractChannel) -> None:
    """Close it; one that is gone already needs no closing."""
    if not channel.is_closed:
        with suppress(AMQPError, BrokerUnavailableError):
            await bounded(channel.close(), _CALL_LIMIT)
