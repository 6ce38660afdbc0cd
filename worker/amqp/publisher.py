"""The way out: results, parts, copies. Confirmed by the broker and not returned, or an error."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import structlog
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import AMQPError
from pamqp.common import FieldValue

from schemas.channels import CONTENT_TYPE
from worker.amqp.calls import bounded, describe, open_channel
from worker.amqp.codec import (
    Outgoing,
    dead_letter_copy,
    delay_copy,
    encode_part,
    encode_reply,
    encode_result,
)
from worker.amqp.confirms import ConfirmChannel, UnroutableError
from worker.amqp.connection import RawConnection, Timing
from worker.amqp.declare import prepare
from worker.amqp.depths import QueueDepths
from worker.amqp.link import Link, LinkState
from worker.amqp.received import Received
from worker.amqp.topology import Topology
from worker.amqp.wire import Properties
from worker.domain.errors import BrokerUnavailableError, WorkerError
from worker.domain.messages import DeadLetter, Delay, PartMessage, ResultMessage

log = structlog.get_logger(__name__)

_REPEAT_PAUSE = 0.25
_REPLY_TRIES = 3


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class PublisherOptions:
    """How the publisher behaves.

    Attributes:
        name: of the connection, for the broker's operator.
        declare: whether the topology is declared, or only checked.
        confirm_within: seconds for one publish, repeats over a lost connection included.
        timing: limits of the connection.
        now: the time, for timestamps.
    """

    name: str = "iton-worker publishing"
    declare: bool = True
    confirm_within: float = 15.0
    timing: Timing = field(default_factory=Timing)
    now: Callable[[], datetime] = _utc_now


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
        timing = self._options.timing
        self.depths = QueueDepths(topology, limit=timing.call, every=3 * timing.probe_every)
        self._probing: AbstractChannel | None = None
        self._blocked = False
        self._repairing = asyncio.Lock()
        self._link = Link(
            url,
            name=self._options.name,
            set_up=self._set_up,
            probe=self._probe,
            on_down=self._detach,
            timing=self._options.timing,
        )

    @property
    def state(self) -> LinkState:
        """Whether publishing works, as far as is known."""
        if self._blocked:
            return LinkState(up=False, reason="the broker holds back publishers (memory or disk alarm)")
        return self._link.state

    async def run(self) -> None:
        """Keep the connection up until cancelled."""
        await self._link.run()

    async def wait_up(self) -> None:
        """Wait until the connection is there."""
        await self._link.wait_up()

    async def publish_result(self, result: ResultMessage) -> None:
        """Publish on the result exchange, and to ``reply_to`` if there is such a queue.

        Raises:
            BrokerUnavailableError: the result was not confirmed; a failed reply alone raises nothing.
        """
        message = encode_result(self._topology, result, now=self._options.now())
        if not result.reply_to:
            await self._deliver(self._results, message)
            return
        async with asyncio.TaskGroup() as both:
            both.create_task(self._reply(encode_reply(message, result.reply_to)))
            failed = both.create_task(self._attempt(message))
        if error := failed.result():
            raise error

    async def publish_part(self, part: PartMessage) -> None:
        """Put a part on the queue of its lane; BrokerUnavailableError unless confirmed."""
        await self._deliver(self._results, encode_part(self._topology, part, now=self._options.now()))

    async def publish_dead(self, received: Received, why: DeadLetter) -> None:
        """Copy a delivery to the dead-letter exchange; BrokerUnavailableError unless confirmed."""
        now = self._options.now()
        copy = dead_letter_copy(self._topology, received.delivery, received.properties, why, now=now)
        await self._deliver(self._copies, copy)

    async def publish_delay(self, received: Received, wait: Delay) -> None:
        """Copy a delivery to its delay queue; BrokerUnavailableError unless confirmed."""
        now = self._options.now()
        copy = delay_copy(self._topology, received.delivery, received.properties, wait, now=now)
        await self._deliver(self._copies, copy)

    async def publish_job(
        self,
        routing_key: str,
        body: bytes,
        *,
        message_id: str | None = None,
        correlation_id: str | None = None,
        reply_to: str | None = None,
        headers: Mapping[str, FieldValue] | None = None,
    ) -> None:
        """Publish a job as a producer does; BrokerUnavailableError unless confirmed."""
        properties = Properties.of(
            content_type=CONTENT_TYPE,
            message_id=message_id or uuid4().hex,
            correlation_id=correlation_id,
            reply_to=reply_to,
            timestamp=self._options.now(),
            headers=headers,
        )
        await self._deliver(self._results, Outgoing(self._topology.jobs, routing_key, body, properties))

    async def _attempt(self, message: Outgoing) -> BrokerUnavailableError | None:
        try:
            await self._deliver(self._results, message)
        except BrokerUnavailableError as error:
            return error
        return None

    async def _deliver(self, channel: ConfirmChannel, message: Outgoing) -> None:
        """Publish, again where the connection was lost, until confirmed or out of time."""
        until = asyncio.get_running_loop().time() + self._options.confirm_within
        tries = _Tries()
        # A publish has a limit of its own; nearly all need no other.
        if self._link.is_up and await self._tried(channel, message, tries):
            return
        try:
            async with asyncio.timeout_at(until):
                await self._link.wait_up()
                while not await self._tried(channel, message, tries):
                    await asyncio.sleep(_REPEAT_PAUSE)
                    await self._link.wait_up()
        except TimeoutError:
            raise BrokerUnavailableError("not_confirmed", self._link.state.reason or tries.trouble) from None

    async def _tried(self, channel: ConfirmChannel, message: Outgoing, tries: "_Tries") -> bool:
        """Tell if *message* is confirmed; raise when it came back again although nothing is missing."""
        try:
            await channel.publish(message)
        except UnroutableError:
            if tries.returned:
                raise
            tries.returned = True
            await self._repair()
        except BrokerUnavailableError as error:
            tries.trouble = error.detail
        except AMQPError as error:
            tries.trouble = describe(error)
            await self._repair()
        else:
            return True
        return False

    async def _reply(self, message: Outgoing) -> None:
        """Try to place the copy; whatever becomes of it, the result stands."""
        for _ in range(_REPLY_TRIES):
            try:
                async with asyncio.timeout(self._options.confirm_within):
                    await self._link.wait_up()
                    await self._replies.publish(message)
            except UnroutableError:
                log.debug("reply.unroutable")
            except (BrokerUnavailableError, AMQPError, TimeoutError) as error:
                log.debug("reply.failed", reason=describe(error))
                continue
            return

    async def _repair(self) -> None:
        """Declare what somebody deleted, without dropping the connection; one at a time."""
        connection = self._connection
        if connection is None:
            return
        async with self._repairing:
            try:
                await prepare(connection.library, self._topology, may_declare=self._options.declare)
            except (WorkerError, AMQPError) as error:
                self._link.fail(describe(error))

    async def _set_up(self, connection: RawConnection) -> None:
        await prepare(connection.library, self._topology, may_declare=self._options.declare)
        channels = (self._results, self._replies, self._copies)
        await asyncio.gather(*(channel.attach(connection) for channel in channels))
        self._probing = await open_channel(connection.library, self._options.timing.call)
        self._connection = connection
        self.depths.watch(connection)

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


@dataclass(slots=True)
class _Tries:
    """What came of the tries to publish one message."""

    trouble: str = "the broker did not confirm it"
    returned: bool = False
