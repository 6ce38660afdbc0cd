"""Everything around a running worker."""

import re
from contextlib import ExitStack
from dataclasses import dataclass

from tests.support.results_side import Collector, Producer, Queues
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import WorkerProcess, Workshop


@dataclass(frozen=True)
class Line:
    """Everything around a worker: who publishes, who listens, the gateway, the queues.

    Attributes:
        workshop: starts workers on this prefix.
    """

    workshop: Workshop
    producer: Producer
    collector: Collector
    queues: Queues
    gateway: SimulatorProcess

    @property
    def worker(self) -> WorkerProcess:
        """The first worker."""
        return self.workshop.workers[0]


def line_on(stack: ExitStack, workshop: Workshop, gateway: SimulatorProcess) -> Line:
    """Connect to a prefix whose topology is there."""
    producer = Producer(workshop.amqp_url, workshop.prefix)
    stack.callback(producer.close)
    collector = stack.enter_context(Collector(workshop.amqp_url, workshop.prefix))
    return Line(workshop, producer, collector, Queues(producer), gateway)


def metric(line: Line, name: str, labels: str = "") -> float:
    """A metric's value; 0 where it is not there yet."""
    _, text = line.worker.get("/metrics")
    found = re.search(rf"^{name}{re.escape(labels)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0
