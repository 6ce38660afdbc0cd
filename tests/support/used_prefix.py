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
            if queues.have_a_ladder() or queues.purge_delays():
                return False
            deadline = time.monotonic() + _WITHIN
            while time.monotonic() < deadline:
                if not queues.purge() and not queues.in_use():
                    return True
                time.sleep(_AGAIN)
    except AMQPError:
        return False
    return False


class _Queues:
    """The queues of a prefix, of all delays that tests work with."""

    def __init__(self, url: str, prefix: str) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self._channel = self._connection.channel()
        topology = Topology(prefix, DELAYS, TRACK_DELAYS, ladder=True)
        self._ladder = topology.step_queue(topology.steps[0])
        self._delays = f"{topology.delay}."
        names = [queue.name for queue in Topology(prefix, DELAYS, TRACK_DELAYS).queues]
        self._names = [name for name in names if self._is_there(name)]

    def close(self) -> None:
        """Let go of the broker."""
        self._connection.close()

    def have_a_ladder(self) -> bool:
        """Whether jobs could be scheduled."""
        return self._is_there(self._ladder)

    def purge_delays(self) -> int:
        """Empty the queues whose messages go on by themselves; return how many there were."""
        return self._purge([name for name in self._names if name.startswith(self._delays)])

    def purge(self) -> int:
        """Empty all of them; return how many messages there were."""
        return self._purge(self._names)

    def in_use(self) -> bool:
        """Whether somebody consumes, or something is in one of them."""
        looks = (self._channel.queue_declare(name, passive=True).method for name in self._names)
        return any(look.consumer_count or look.message_count for look in looks)

    def _purge(self, names: list[str]) -> int:
        return sum(self._channel.queue_purge(name).method.message_count for name in names)

    def _is_there(self, name: str) -> bool:
        try:
            self._channel.queue_declare(name, passive=True)
        except ChannelClosedByBroker:
            self._channel = self._connection.channel()
            return False
        return True
