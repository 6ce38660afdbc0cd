"""A channel on which many publishes wait for their confirms at the same time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from uuid import uuid4

from aio_pika.abc import AbstractChannel
from aiormq.channel import Channel as UnderlayChannel
from aiormq.exceptions import PublishError
from pamqp.commands import Basic

from worker.amqp.calls import bounded
from worker.amqp.codec import Outgoing
from worker.amqp.connection import RawConnection
from worker.amqp.transport import publish_key
from worker.domain.errors import BrokerUnavailableError

_SMALL = 65_536


class UnroutableError(BrokerUnavailableError):
    """The broker returned the message: no queue is bound for it."""


class WireProperties(Basic.Properties):
    """Properties that go out as the bytes they are; the library sees only the key of the publish."""

    def __init__(self, raw: bytes, key: str) -> None:
        super().__init__(message_id=key)
        self._raw = raw

    def marshal(self) -> bytes:
        """The bytes as given."""
        return self._raw


class ConfirmChannel:
    """Publishes with ``mandatory`` and confirms; opens its channel again when the broker closed it.

    The library matches returned messages by key, one publish a key: those of the same key take turns.

    Args:
        limit: seconds, for opening and for one confirm.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._connection: RawConnection | None = None
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._under_way: dict[str, asyncio.Event] = {}

    async def attach(self, connection: RawConnection) -> None:
        """Use *connection* from now on."""
        self._connection, self._channel = connection, None
        await self._open()

    def detach(self) -> None:
        """The connection is gone."""
        self._connection = self._channel = None

    async def publish(self, message: Outgoing) -> None:
        """Return when the broker has confirmed *message* and not returned it.

        Raises:
            UnroutableError: it came back.
            BrokerUnavailableError: no connection, or it was lost, or no confirm in time.
            AMQPError: the broker refused it, or closed the channel.
        """
        key = publish_key(message.properties) or uuid4().hex
        async with self._alone(key):
            channel = await self._open()
            publish = channel.basic_publish(
                message.body,
                exchange=message.exchange,
                routing_key=message.routing_key,
                properties=WireProperties(message.properties.marshal(), key),
                mandatory=True,
                # Small messages do not wait for the socket one by one: a third more a second.
                wait=len(message.body) > _SMALL,
            )
            try:
                await bounded(publish, self._limit)
            except PublishError:
                target = f"exchange {message.exchange}" if message.exchange else "the default exchange"
                raise UnroutableError(
                    "unroutable", f"no queue takes {message.routing_key} from {target}"
                ) from None

    @asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[None]:
        while other := self._under_way.get(key):
            await other.wait()
        mine = self._under_way[key] = asyncio.Event()
        try:
            yield
        finally:
            del self._under_way[key]
            mine.set()

    async def _open(self) -> UnderlayChannel:
        async with self._opening:
            if self._connection is None:
                raise BrokerUnavailableError("connection_lost", "not connected")
            if self._channel is None or self._channel.is_closed:
                channel = self._connection.library.channel(on_return_raises=True)
                self._channel = await bounded(channel, self._limit)
            # The library types it by an interface that lacks `wait`.
            return cast("UnderlayChannel", await self._channel.get_underlay_channel())
