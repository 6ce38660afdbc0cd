"""Topologies that one test after the other works with: to make and delete one costs as much as a worker."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker

from scripts.broker_objects import DELAYS, TRACK_DELAYS, remove_objects, unique_prefix
from worker.amqp.topology.values import Topology

_WITHIN = 5.0  # seconds until the broker knows that the workers of a test are gone
_AGAIN = 0.02
_free: defaultdict[str, list[str]] = defaultdict(list)
"""By broker, of this process: prefixes with an empty topology that nobody uses."""


@contextmanager
def used_prefix(url: str) -> Iterator[str]:
    """Provide an ``AMQP_PREFIX`` that is the caller's alone for now; an earlier test may have used it.

    For tests whose worker declares the topology: it is there, with nothing in it, or it is not. One that
    wants none to be there takes `tests.support.broker.own_prefix`.
    """
    prefix = _free[url].pop() if _free[url] else unique_prefix("test")
    yield prefix
    if _emptied(url, prefix):
        _free[url].append(prefix)
    else:
        remove_objects(url, prefix)


def remove_used(url: str) -> None:
    """Delete the topologies that are left."""
    while _free[url]:
        remove_objects(url, _free[url].pop())


def _emptied(url: str, prefix: str) -> bool:
    """Empty the queues of *prefix*; tell whether they are as if they had just been made."""
    try:
        with closing(_Queues(url, prefix)) as queues:
            # Few tests want the many queues of a ladder; what waits now would soon be a job of the next one.
            if queues.have_a_ladder or any(name.startswith(queues.delays) for name in queues.in_use):
                return False
            deadline = time.monotonic() + _WITHIN
            while queues.in_use and time.monotonic() < deadline:
                queues.purge()
                time.sleep(_AGAIN)
                queues.look()
            return not queues.in_use
    except AMQPError:
        return False


class _Queues:
    """The queues of a prefix, of all delays that tests work with.

    Attributes:
        have_a_ladder: jobs could be scheduled.
        delays: what the names begin with of queues whose messages go on by themselves.
        in_use: those that have a message or a consumer, when they were last looked at.
    """

    def __init__(self, url: str, prefix: str) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        topology = Topology(prefix, DELAYS, TRACK_DELAYS, ladder=True)
        self.have_a_ladder = self._state(topology.step_queue(topology.steps[0])) is not None
        self.delays = f"{topology.delay}."
        found = {
            queue.name: self._state(queue.name) for queue in Topology(prefix, DELAYS, TRACK_DELAYS).queues
        }
        self._names = [name for name, state in found.items() if state is not None]
        self.in_use = [name for name, state in found.items() if state]

    def close(self) -> None:
        """Let go of the broker."""
        self._connection.close()

    def look(self) -> None:
        """Look again at those that are there."""
        self.in_use = [name for name in self._names if self._state(name)]

    def purge(self) -> None:
        """Empty those that are in use."""
        for name in self.in_use:
            self._channel.queue_purge(name)

    def _state(self, name: str) -> int | None:
        """How many messages and consumers a queue has; None where it is not there."""
        try:
            found = self._channel.queue_declare(name, passive=True).method
        except ChannelClosedByBroker:
            self._channel = self._connection.channel()
            return None
        return int(found.message_count + found.consumer_count)
