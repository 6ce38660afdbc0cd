"""How a consumer behaves."""

from collections.abc import Callable
from dataclasses import dataclass, field

from worker.amqp.connection.opening import Timing
from worker.domain.messages import Disposition
from worker.resilience.single_flight import SingleFlight


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """How the consumer behaves.

    Attributes:
        name: of the connection, for the broker's operator.
        declare: whether the topology is declared, or only checked.
        preparing: of the topology, shared by the connections of one process: one of them does it.
        crash_attempts: rounds that a job gets which makes the handler crash, before it is a dead letter.
        timing: limits of the connection.
        on_workers: told how many workers take bulk jobs, this one included: before it takes its first
            one on a new connection, and whenever they are counted.
        on_crash: told of each job that makes the handler crash.
        on_disposed: told what is to become of a delivery that is not simply done.
    """

    name: str = "iton-worker consuming"
    declare: bool = True
    preparing: SingleFlight = field(default_factory=SingleFlight)
    crash_attempts: int = 5
    timing: Timing = field(default_factory=Timing)
    on_workers: Callable[[int], None] = lambda _: None
    on_crash: Callable[[], None] = lambda: None
    on_disposed: Callable[[Disposition], None] = lambda _: None
