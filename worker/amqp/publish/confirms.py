"""A channel on which many publishes wait for their confirms at the same time."""

import asyncio

from worker.amqp.connection.calls import open_channel, underlay_of
from worker.amqp.connection.opening import RawConnection
from worker.amqp.publish.outgoing import Outgoing
from worker.amqp.publish.window import Window
from worker.domain.errors import BrokerUnavailableError

_RENEW_AFTER = 0.2  # seconds that a channel is used, also when everything on it is refused


class ConfirmChannel:
    """Publishes with ``mandatory`` and confirms; opens its channel again when the broker closed it.

    Returned messages are told apart by key, one publish a key: those of the same key take turns, as do those
    that have none.

    A channel on which the broker refused something makes room for a new one. RabbitMQ's channel looks
    for a quorum queue at the node that led it when the channel met it first; when that was a node that
    had just died, the channel refuses all that goes there, for as long as it lives.

    Args:
        limit: seconds, for opening and for one confirm.

    Attributes:
        window: of the channel that is open; whoever needs no more publishes there without waiting.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._connection: RawConnection | None = None
        self.window: Window | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()

    async def attach(self, connection: RawConnection) -> None:
        """Use *connection* from now on."""
        self._connection, self.window = connection, None
        await self._open()

    async def close(self) -> None:
        """Publish nothing more."""
        window, self.window, self._connection = self.window, None, None
        if window is not None and not window.is_closed:
            await window.retire()

    def detach(self) -> None:
        """The connection is gone."""
        self._connection = self.window = None

    async def publish(self, message: Outgoing) -> None:
        """Return when the broker has confirmed *message* and not returned it.

        Raises:
            UnroutableError: it came back.
            BrokerUnavailableError: no connection, or it was lost, or no confirm in time.
            AMQPError: the broker refused it, or closed the channel over it.
        """
        window = self.window
        while window is None or (confirmed := window.publish(message)) is None:
            if window is None or window.is_closed:
                window = await self._open()
            await window.ready(message.key)
            window = self.window
        await confirmed

    def _renew(self, refused: Window) -> None:
        # A full queue refuses on every channel: one that is fresh stays for a moment.
        if self.window is not refused or refused.age < _RENEW_AFTER:
            return
        self.window = None
        retiring = asyncio.create_task(refused.retire())
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    async def _open(self) -> Window:
        async with self._opening:
            if self._connection is None:
                raise BrokerUnavailableError("connection_lost", "not connected")
            if self.window is None or self.window.is_closed:
                connection = self._connection
                library = await open_channel(connection.library, self._limit, confirms=True)
                underlay = await underlay_of(library)
                self.window = Window(library, underlay, connection, self._limit, self._renew)
            return self.window
