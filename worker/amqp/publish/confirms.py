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
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._connection: RawConnection | None = None
        self._window: Window | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()

    async def attach(self, connection: RawConnection) -> None:
        """Use *connection* from now on."""
        self._connection, self._window = connection, None
        await self._open()

    async def close(self) -> None:
        """Publish nothing more."""
        window, self._window, self._connection = self._window, None, None
        if window is not None and not window.is_closed:
            await window.retire()

    def detach(self) -> None:
        """The connection is gone."""
        self._connection = self._window = None

    def begin(self, message: Outgoing) -> "asyncio.Future[None] | None":
        """Publish *message* now; return what ends as `publish` does.

        None where it cannot be at once: there is no channel, or the message has to wait. Raises as `publish`.
        """
        window = self._window
        return window.publish(message) if window is not None else None

    async def publish(self, message: Outgoing) -> None:
        """Return when the broker has confirmed *message* and not returned it.

        Raises:
            UnroutableError: it came back.
            BrokerUnavailableError: no connection, or it was lost, or no confirm in time.
            AMQPError: the broker refused it, or closed the channel over it.
        """
        while (confirmed := self.begin(message)) is None:
            window = self._window
            if window is None or window.is_closed:
                window = await self._open()
            await window.ready(message.key)
        await confirmed

    def _renew(self, refused: Window) -> None:
        # A full queue refuses on every channel: one that is fresh stays for a moment.
        if self._window is not refused or refused.age < _RENEW_AFTER:
            return
        self._window = None
        retiring = asyncio.create_task(refused.retire())
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    async def _open(self) -> Window:
        async with self._opening:
            if self._connection is None:
                raise BrokerUnavailableError("connection_lost", "not connected")
            if self._window is None or self._window.is_closed:
                connection = self._connection
                library = await open_channel(connection.library, self._limit, confirms=True)
                underlay = await underlay_of(library)
                self._window = Window(library, underlay, connection, self._limit, self._renew)
            return self._window
