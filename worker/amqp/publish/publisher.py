"""The way out: results, parts, copies. Confirmed by the broker and not returned, or an error."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import lru_cache
from random import random
from time import perf_counter
from typing import Any, Final

import structlog
from aio_pika.abc import AbstractChannel

from schemas.channels import APP_ID, CONTENT_TYPE, TRACEPARENT_HEADER
from worker.amqp.backoff import PAUSES, Backoff
from worker.amqp.connection.calls import bounded, describe, open_channel
from worker.amqp.connection.library import AMQPError
from worker.amqp.connection.opening import RawConnection
from worker.amqp.connection.supervisor import SideState, Supervisor
from worker.amqp.publish.confirms import ConfirmChannel
from worker.amqp.publish.copies import (
    PROPERTIES_LIMIT,
    Copyable,
    dead_letter_copy,
    delay_copy,
    encode_follow_up,
    encode_part,
    properties_limit,
    waiting_copy,
)
from worker.amqp.publish.options import PublisherOptions
from worker.amqp.publish.outgoing import Outgoing
from worker.amqp.publish.permissions import insist_on_publishing
from worker.amqp.publish.retrying import RetriedPublishing, kind_of
from worker.amqp.publish.window import UnroutableError
from worker.amqp.topology.declare import prepare
from worker.amqp.topology.depths import QueueDepths
from worker.amqp.topology.values import Topology
from worker.domain.errors import BrokerUnavailableError, WorkerError
from worker.domain.messages import (
    DeadLetter,
    Delay,
    FollowUpMessage,
    Hold,
    PartMessage,
    ResultMessage,
    Schedule,
    never,
)

log = structlog.get_logger(__name__)

# Seconds before each further try of a reply: at once a connection that was just lost, or a queue that has no
# leader, would only give the same answer.
_REPLY_PAUSES: Final = PAUSES[:2]


class BrokerPublisher:
    """Implements ``worker.ports.Publisher`` on a connection of its own.

    An alarm of the broker blocks connections that publish: acknowledgements must not wait behind it.
    A publish that loses its connection is repeated with the same message id.

    Attributes:
        depths: how many messages wait where.
    """

    def __init__(self, url: str, topology: Topology, options: PublisherOptions | None = None) -> None:
        self._topology = topology
        self._options = options or PublisherOptions()
        limit = self._options.confirm_within
        # Replies go where others say: what the broker refuses there must not close our own channels.
        self._results, self._replies, self._copies = (ConfirmChannel(limit) for _ in range(3))
        self._connection: RawConnection | None = None
        self._most = PROPERTIES_LIMIT
        timing = self._options.timing
        self.depths = QueueDepths(topology, limit=timing.call, every=3 * timing.probe_every)
        self._probing: AbstractChannel | None = None
        self._blocked = False
        self._supervisor = Supervisor(
            url,
            name=self._options.name,
            set_up=self._set_up,
            probe=self._probe,
            on_down=self._detach,
            timing=self._options.timing,
        )
        self._backoff = Backoff(random)
        self._retried = RetriedPublishing(
            self._supervisor,
            self._backoff,
            self._repair,
            confirm_within=limit,
            hold=self._options.hold,
            observer=self._options.observer,
        )

    @property
    def state(self) -> SideState:
        """Whether publishing works, as far as is known."""
        if self._blocked:
            return SideState(up=False, reason="the broker holds back publishers (memory or disk alarm)")
        return self._supervisor.state

    async def run(self) -> None:
        """Keep the connection up until cancelled."""
        await self._supervisor.run()

    async def wait_up(self) -> None:
        """Wait until the connection is there."""
        await self._supervisor.wait_up()

    def publish_result(self, result: ResultMessage) -> Coroutine[Any, Any, None]:
        """Publish on the result exchange, and to ``reply_to`` if there is such a queue.

        Raises:
            BrokerUnavailableError: the result was not confirmed; a failed reply alone raises nothing.
        """
        message = encode_result(self._topology, result, now=self._options.now())
        if result.reply_to:
            return self._with_reply(message, result.reply_to)
        return self._deliver(self._results, message)

    async def _with_reply(self, message: Outgoing, reply_to: str) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(self._reply(encode_reply(message, reply_to)))
            failed = both.create_task(self._attempt(message))
        if error := failed.result():
            raise error

    def publish_part(self, part: PartMessage) -> Coroutine[Any, Any, None]:
        """Put a part on the queue of its lane; BrokerUnavailableError unless confirmed."""
        return self._deliver(self._results, encode_part(self._topology, part, now=self._options.now()))

    def publish_follow_up(self, follow_up: FollowUpMessage) -> Coroutine[Any, Any, None]:
        """Put a follow-up on its delay queue; BrokerUnavailableError unless confirmed."""
        return self._deliver(self._copies, encode_follow_up(self._topology, follow_up))

    async def publish_dead(self, received: Copyable, why: DeadLetter) -> None:
        """Copy a delivery to the dead-letter exchange; BrokerUnavailableError unless confirmed."""
        now = self._options.now()
        copy = dead_letter_copy(
            self._topology, received.delivery, received.properties, why, now=now, most=self._most
        )
        # When the delivery is lost, the one that the broker hands out in its place has its own copy.
        await self._deliver(self._copies, copy, lambda: received.orphaned)
        self._options.observer.dead_lettered(why.reason)

    async def publish_delay(self, received: Copyable, wait: Delay) -> None:
        """Copy a delivery to its delay queue; BrokerUnavailableError unless confirmed."""
        now = self._options.now()
        copy = delay_copy(
            self._topology, received.delivery, received.properties, wait, now=now, most=self._most
        )
        # When the delivery is lost, the one that the broker hands out in its place has its own copy.
        await self._deliver(self._copies, copy, lambda: received.orphaned)
        self._options.observer.delayed()

    async def publish_waiting(self, received: Copyable, wait: Schedule | Hold) -> None:
        """Copy a delivery to where it waits; BrokerUnavailableError unless confirmed."""
        copy = waiting_copy(self._topology, received.delivery, received.properties, wait, most=self._most)
        await self._deliver(self._copies, copy, lambda: received.orphaned)

    async def _deliver(
        self, channel: ConfirmChannel, message: Outgoing, pointless: Callable[[], bool] = never
    ) -> None:
        """Return when the broker has confirmed *message*; repeat what it did not, unless that is *pointless*.

        Raises:
            BrokerUnavailableError: as `RetriedPublishing.deliver`.
        """
        began, window = perf_counter(), channel.window
        confirmed: asyncio.Future[None] | None = None
        error: BrokerUnavailableError | AMQPError | None = None
        try:
            # A publish has a limit of its own; nearly all need no other, and wait for nothing else.
            if window is not None and not self._backoff.remembered:
                confirmed = window.publish(message)
            if confirmed is not None:
                await confirmed
        except (BrokerUnavailableError, AMQPError) as first:
            confirmed, error = None, first
        if confirmed is None:
            await self._retried.deliver(channel, message, error, pointless)
        self._options.observer.confirmed(kind_of(message.exchange), perf_counter() - began)

    async def _attempt(self, message: Outgoing) -> BrokerUnavailableError | None:
        try:
            await self._deliver(self._results, message)
        except BrokerUnavailableError as error:
            return error
        return None

    async def _reply(self, message: Outgoing) -> None:
        """Try to place the copy; whatever becomes of it, the result stands."""
        for pause in (0.0, *_REPLY_PAUSES):
            if pause:
                await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(self._options.confirm_within):
                    await self._supervisor.wait_up()
                    await self._replies.publish(message)
            except UnroutableError:
                log.debug("reply.unroutable")
            except (BrokerUnavailableError, AMQPError, TimeoutError) as error:
                log.debug("reply.failed", reason=describe(error))
                continue
            return

    async def _repair(self) -> None:
        """Declare what somebody deleted, without dropping the connection."""
        connection = self._connection
        if connection is None:
            return
        try:
            await self._prepare(connection)
        except (WorkerError, AMQPError) as error:
            self._supervisor.fail(describe(error))

    async def _set_up(self, connection: RawConnection) -> None:
        await self._options.preparing.do(lambda: self._prepare(connection))
        channels = (self._results, self._replies, self._copies)
        await asyncio.gather(*(channel.attach(connection) for channel in channels))
        self._probing = await open_channel(connection.library, self._options.timing.call)
        # Last: behind its publish the broker answers nothing more on this connection while there is an alarm.
        self._blocked = not await self._may_publish(connection)
        self._most = properties_limit(connection.frame_max)
        self._connection = connection
        self.depths.watch(connection)

    async def _may_publish(self, connection: RawConnection) -> bool:
        """Make sure of the right to publish; False where an alarm of the broker leaves that open."""
        try:
            await insist_on_publishing(connection, self._topology)
        except BrokerUnavailableError:
            if await connection.blocked():
                return False
            raise
        return True

    async def _prepare(self, connection: RawConnection) -> None:
        await prepare(connection.library, self._topology, may_declare=self._options.declare)

    def _detach(self) -> None:
        self._connection = self._probing = None
        self._blocked = False
        self.depths.forget()
        for channel in (self._results, self._replies, self._copies):
            channel.detach()

    async def _probe(self, connection: RawConnection) -> None:
        self._blocked = await connection.blocked()
        if self._blocked:
            # RabbitMQ does not read from a blocked connection: no answer would come.
            return
        if self._probing is not None:
            asked = self._probing.declare_exchange(self._topology.result_exchange("send"), passive=True)
            await bounded(asked, self._options.timing.probe_limit)


_SHORT: Final = 255  # bytes; AMQP: a short string


def _short(text: str) -> bytes:
    """A short string with its length in front; half a surrogate pair becomes a question mark."""
    raw = text.encode(errors="replace")[:_SHORT]
    return bytes((len(raw),)) + raw


# Content type, delivery mode, message id, timestamp, type, application.
_FLAGS: Final = 0x8000 | 0x1000 | 0x0080 | 0x0040 | 0x0020 | 0x0008
_HEADERS: Final = 0x2000
_CORRELATION_ID: Final = 0x0400
_JSON: Final = _short(CONTENT_TYPE)
_PERSISTENT: Final = b"\x02"
_TRACE_KEY: Final = _short(TRACEPARENT_HEADER) + b"S"


def encode_result(topology: Topology, result: ResultMessage, *, now: datetime) -> Outgoing:
    """The result for its exchange."""
    flags, table, correlation_id = _FLAGS, b"", b""
    if result.traceparent:
        flags, table = flags | _HEADERS, _trace_table(result.traceparent)
    if result.correlation_id is not None:
        flags, correlation_id = flags | _CORRELATION_ID, _short(result.correlation_id)
    message_id = result.message_id.encode(errors="replace")[:_SHORT]
    raw_properties = b"".join(
        (
            flags.to_bytes(2, "big"), _JSON, table, _PERSISTENT, correlation_id,
            bytes((len(message_id),)), message_id,
            int(now.timestamp()).to_bytes(8, "big"), _end(result.exchange),
        )
    )  # fmt: skip
    exchange = topology.result_exchanges[result.exchange]
    return Outgoing(exchange, result.routing_key, result.body, raw_properties, message_id)


@lru_cache
def _end(exchange: str) -> bytes:
    """Type and application."""
    return _short(f"{exchange}.result.v1") + _short(APP_ID)


def _trace_table(traceparent: str) -> bytes:
    value = traceparent.encode(errors="replace")
    table = _TRACE_KEY + len(value).to_bytes(4, "big") + value
    return len(table).to_bytes(4, "big") + table


def encode_reply(result: Outgoing, reply_to: str) -> Outgoing:
    """The copy of a result for the queue that the job named."""
    return result._replace(exchange="", routing_key=reply_to)
