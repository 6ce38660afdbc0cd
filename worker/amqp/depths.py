"""How many messages wait in the worker's queues: what no event tells, and what says whether work is stuck."""

import math

from aio_pika.abc import AbstractChannel
from aiormq.exceptions import AMQPError

from worker.amqp.calls import bounded
from worker.amqp.connection import RawConnection
from worker.amqp.topology import Topology
from worker.domain.messages import Lane

# Probes of the connection, five seconds apart, to a look: as often as metrics are usually scraped.
_EVERY = 3


class QueueDepths:
    """Asks for every queue of the topology, on a channel of its own.

    Args:
        topology: the queues' names.
        limit: seconds for one question.
    """

    def __init__(self, topology: Topology, *, limit: float) -> None:
        self._queues = {
            **{lane.value: (topology.work_queue(lane),) for lane in Lane},
            "delay": tuple(topology.delay_queue(seconds) for seconds in topology.delays),
            "dead": (topology.dead,),
            "results.unrouted": (topology.unrouted,),
        }
        self._limit = limit
        self._channel: AbstractChannel | None = None
        self._probes = 0
        self._counts: dict[str, float] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """What may be asked for: the queues' names without the prefix, all delay queues as ``delay``."""
        return tuple(self._queues)

    def of(self, name: str) -> float:
        """Return the messages ready when last looked at; NaN where that is not known."""
        return self._counts.get(name, math.nan)

    async def probed(self, connection: RawConnection) -> None:
        """Look, if it is time to.

        Raises:
            BrokerUnavailableError: no answer in time.
        """
        if self._probes % _EVERY == 0:
            for name, queues in self._queues.items():
                self._counts[name] = sum([await self._ready(connection, queue) for queue in queues])
        self._probes += 1

    def forget(self) -> None:
        """The connection is gone: what was seen on it says nothing any more."""
        self._channel = None
        self._probes = 0
        self._counts.clear()

    async def _ready(self, connection: RawConnection, queue: str) -> float:
        try:
            if self._channel is None or self._channel.is_closed:
                opening = connection.library.channel(publisher_confirms=False)
                self._channel = await bounded(opening, self._limit)
            underlay = await self._channel.get_underlay_channel()
            answer = await bounded(underlay.queue_declare(queue, passive=True), self._limit)
        except AMQPError:
            # Somebody deleted it: that closes the channel, and is for others to mend.
            return math.nan
        return int(answer.message_count or 0)
