"""How a scheduled job waits in the broker: down a ladder of queues, each of which holds it twice as long.

A queue's time to live fires at its head only, so each queue has one; together the queues of 1, 2, 4 ...
seconds make every wait. The routing key says which of them a job passes: a word for each, the shortest first,
1 or 0, then its lane. It is published on the exchange in front of all of them and enters the longest one that
it passes. Each queue gives what has waited to an exchange of its own, which leads to the longest one of those
below, and from the last one to the work queue. Nothing hangs at a head, and no worker takes part.

Exchanges lead to queues and not to exchanges, so that whoever declares the topology beforehand knows one kind
of binding.
"""

from collections.abc import Iterator
from typing import Final

from worker.domain.limits import LADDER_STEPS
from worker.domain.messages import Lane

STEPS: Final = tuple(2**place for place in range(LADDER_STEPS))
"""Seconds of each queue, rising."""

LANES: Final = (Lane.SEND, Lane.SEND_URGENT)
"""Those that jobs come back to. Parts exist once the time of their job has come."""


def key(seconds: int, lane: Lane) -> str:
    """The routing key of a job that is to be back on *lane* after so many whole seconds.

    Raises:
        ValueError: it is no time that the ladder has.
    """
    if not 0 < seconds < 2**LADDER_STEPS:
        raise ValueError("the ladder has no such wait")
    words = ("1" if seconds & step else "0" for step in STEPS)
    return ".".join((*words, lane.value))


def steps_below(height: int) -> Iterator[tuple[int, str]]:
    """The steps below that of *height*, each with what the key of a job must match that goes there next."""
    for place in range(height):
        words = ("*",) * place, ("1",), ("0",) * (height - 1 - place), ("#",)
        yield STEPS[place], ".".join(word for some in words for word in some)


def ground_below(height: int, lane: Lane) -> str:
    """What the key of a job must match that passes no step below that of *height* any more."""
    return ".".join((*("0",) * height, "#", lane.value))
