"""How the publisher behaves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from worker.amqp.connection.opening import Timing
from worker.amqp.publish.observer import PublishObserver, Unobserved
from worker.resilience.single_flight import SingleFlight


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class PublisherOptions:
    """How the publisher behaves.

    Attributes:
        name: of the connection, for the broker's operator.
        declare: whether the topology is declared, or only checked.
        preparing: of the topology, shared by the connections of one process: one of them does it.
        confirm_within: seconds for one publish, repeats over a lost connection included.
        hold: seconds that a message is kept here, and tried again, which the broker refuses.
        observer: learns what becomes of each message.
        timing: limits of the connection.
        now: the time, for timestamps.
    """

    name: str = "iton-worker publishing"
    declare: bool = True
    preparing: SingleFlight = field(default_factory=SingleFlight)
    confirm_within: float = 15.0
    hold: float = 600.0
    observer: PublishObserver = field(default_factory=Unobserved)
    timing: Timing = field(default_factory=Timing)
    now: Callable[[], datetime] = _utc_now
