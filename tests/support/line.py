"""Everything around a running worker."""

import re
from contextlib import ExitStack
from dataclasses import dataclass

from tests.support.deadline import DEADLINE
from tests.support.results_side import WORK_QUEUES, Collector, Producer, Queues
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import WorkerProcess, Workshop, wait_until

IN_HAND = re.compile(r"^iton_worker_jobs_in_flight\{.*?\} (\S+)$", re.MULTILINE)


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


def wait_settled(line: Line, within: float = DEADLINE) -> None:
    """Wait until no job waits for a worker or is in the hands of one that runs.

    A job's result is published before its dead letter, its log line and its counters are: for tests that
    look at those, or for their absence.
    """
    wait_until(lambda: _nothing_waits(line) and _nothing_is_in_hand(line), "every job is settled", within)


def _nothing_waits(line: Line) -> bool:
    return not any(map(line.queues.count, WORK_QUEUES))


def _nothing_is_in_hand(line: Line) -> bool:
    running = (one for one in line.workshop.workers if one.exit_code is None)
    metrics = (one.get("/metrics")[1] for one in running)
    return all(IN_HAND.findall(text) and not any(map(float, IN_HAND.findall(text))) for text in metrics)


def metric(line: Line, name: str, labels: str = "") -> float:
    """A metric's value; 0 where it is not there yet."""
    _, text = line.worker.get("/metrics")
    found = re.search(rf"^{name}{re.escape(labels)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0
