"""How many messages wait in the worker's queues: what no event tells, and what says whether work is stuck."""

import asyncio
import math

from aio_pika.abc import AbstractChannel

from worker.amqp.connection.calls import bounded, open_channel, underlay_of
from worker.amqp.connection.library import AMQPError
from worker.amqp.connection.opening import RawConnection
from worker.amqp.topology.values import Topology
from worker.domain.errors import BrokerUnavailableError
from worker.domain.messages import Lane


class QueueDepths:
    """Asks for every queue of the topology, on a channel of its own, beside the connection's other work.

    What it is not told leaves the connection alone: no metric is worth one.

    Args:
        topology: the queues' names.
        limit: seconds for one question.
        every: seconds between two looks; as often as metrics are usually scraped.
    """

    def __init__(self, topology: Topology, *, limit: float, every: float = 15.0) -> None:
        self._queues = {
            **{lane.value: (topology.work_queue(lane),) for lane in Lane},
            "delay": tuple(topology.delay_queue(seconds) for seconds in topology.delays),
            "track": tuple(topology.track_queue(seconds) for seconds in topology.track_delays),
            "scheduled": tuple(topology.step_queue(seconds) for seconds in topology.steps),
            "dead": (topology.dead,),
            "results.unrouted": (topology.unrouted,),
        }
        self._limit = limit
        self._channel: AbstractChannel | None = None
        self._every = every
        self._watching: asyncio.Task[None] | None = None
        self._counts: dict[str, float] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The queues' names without the prefix, and of several: ``delay``, ``track``, ``scheduled``."""
        return tuple(self._queues)

    def of(self, name: str) -> float:
        """Return the messages ready when last looked at; NaN where that is not known."""
        return self._counts.get(name, math.nan)

    def watch(self, connection: RawConnection) -> None:
        """Look at once, and again and again until `forget`."""
        self.forget()
        self._watching = asyncio.create_task(self._keep_looking(connection))

    def forget(self) -> None:
        """The connection is gone: what was seen on it says nothing any more."""
        if self._watching is not None:
            self._watching.cancel()
        self._watching = self._channel = None
        self._counts.clear()

    async def _keep_looking(self, connection: RawConnection) -> None:
        while True:
            # RabbitMQ does not read from a blocked connection: no answer would come.
            if not await connection.blocked():
                await self.look(connection)
            await asyncio.sleep(self._every)

    async def look(self, connection: RawConnection) -> None:
        """Count the messages of each queue; NaN for what gets no answer, which raises nothing."""
        for name, queues in self._queues.items():
            self._counts[name] = sum([await self._ready(connection, queue) for queue in queues])

    async def _ready(self, connection: RawConnection, queue: str) -> float:
        try:
            if self._channel is None or self._channel.is_closed:
                self._channel = await open_channel(connection.library, self._limit)
            underlay = await underlay_of(self._channel)
            answer = await bounded(underlay.queue_declare(queue, passive=True), self._limit)
        except (AMQPError, BrokerUnavailableError):
            # Somebody deleted it, which closes the channel, or it took too long. That is for others to mend.
            self._channel = None
            return math.nan
        return int(answer.message_count or 0)
