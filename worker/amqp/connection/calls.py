"""Calls into the AMQP library that end in time and fail with errors of ours."""

import asyncio
import re
import traceback
from collections.abc import Awaitable
from typing import TypeVar

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPConnectionError, ChannelInvalidStateError
from aiormq.abc import AbstractChannel as UnderlayChannel
from aiormq.exceptions import AMQPError

from worker.domain.errors import BrokerUnavailableError, WorkerError

T = TypeVar("T")

# RabbitMQ: "access to queue 'x' in vhost '/' refused for user 'guest'".
_USER = re.compile(r"user '[^']*'")
# The library puts objects into its sentences: their address is another one each time.
_OBJECT = re.compile(r"<[^<>]* at 0x[0-9a-f]+>")
# It quotes the system as Python spells it: "ConnectionResetError(104, 'Connection reset by peer')".
_SPELT = re.compile(r"\w+(?:Error|Exception)\((?:\d+, )?['\"]?([^)]*?)['\"]?\)")
# And counts the bytes of a frame that never began.
_CUT_OFF = re.compile(r"Server connection unexpectedly closed\. Read .*")
_KINDS = {
    "ChannelInvalidStateError": "the channel is closed",
    "DeliveryError": "the broker refused to take it",
    "Exception": "the connection is closed",
    "RuntimeError": "the connection is closed",
}

# What the library raises for a call on a connection or channel that is gone: AMQPError covers what the
# broker says; RuntimeError is "transport closed" in several places.
_LOST = (AMQPConnectionError, ChannelInvalidStateError, ConnectionError, RuntimeError, OSError)


async def bounded(call: Awaitable[T], seconds: float) -> T:
    """Await *call* for at most *seconds*.

    The library ends calls on a closing connection with a CancelledError that nobody asked for, and a
    cancellation of ours that meets a closing channel with some other error, or not at all. None passes
    for another.

    Raises:
        BrokerUnavailableError: code ``timeout`` or ``connection_lost``.
        AMQPError: what else the broker answered.
    """
    before = _cancellations()
    try:
        async with asyncio.timeout(seconds):
            value = await call
    except (Exception, asyncio.CancelledError) as error:
        if _cancellations() > before:
            raise asyncio.CancelledError from None
        if isinstance(error, TimeoutError):
            words = f"the broker did not answer within {seconds:g} s"
            raise BrokerUnavailableError("timeout", words) from None
        if isinstance(error, asyncio.CancelledError):
            raise BrokerUnavailableError("connection_lost", "the connection was closed") from None
        if _is_lost(error):
            raise BrokerUnavailableError("connection_lost", describe(error)) from None
        raise
    if _cancellations() > before:
        raise asyncio.CancelledError
    return value


async def open_channel(
    connection: AbstractConnection, seconds: float, number: int | None = None, *, confirms: bool = False
) -> AbstractChannel:
    """Open a channel; errors as `bounded`, also where the library raises before there is an awaitable."""

    async def opening() -> AbstractChannel:
        return await connection.channel(number, publisher_confirms=confirms)

    return await bounded(opening(), seconds)


async def underlay_of(channel: AbstractChannel) -> UnderlayChannel:
    """Return the library's lower channel; BrokerUnavailableError where it is gone."""
    try:
        return await channel.get_underlay_channel()
    except _LOST as error:
        raise BrokerUnavailableError("connection_lost", describe(error)) from None


def _is_lost(error: BaseException) -> bool:
    """Tell whether a call was ended by the end of its connection, which *error* may not name.

    What is asked while the connection is closed from this side ends with an `Exception` and nothing more.
    """
    return isinstance(error, _LOST) or type(error) is Exception


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0


def describe(error: BaseException) -> str:
    """One line about *error*, without any credential.

    The broker's words and the system's are quoted, the broker's name for our user left out; other
    errors of the library print the URL, and a nack comes without words, so only their kind is told.
    """
    if isinstance(error, WorkerError):
        return error.detail
    if not isinstance(error, AMQPError | OSError):
        return _KINDS.get(type(error).__name__, type(error).__name__)
    words = " ".join(str(part) for part in error.args if isinstance(part, str | int))
    if _CUT_OFF.fullmatch(words):
        return "the connection was cut off without a word of the broker"
    said = _SPELT.sub(r"\1", _OBJECT.sub("something else", _USER.sub("our user", words)))
    lines = said.rstrip(": ").splitlines()
    return lines[0][:300] if lines else _KINDS.get(type(error).__name__, type(error).__name__)


def where(error: Exception) -> str:
    """The kind of the error and the line that raised it; never its words."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
