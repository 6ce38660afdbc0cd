"""A fleet: several real workers on one broker, one ledger and one gateway."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM

from prometheus_client.parser import text_string_to_metric_families

from tests.support.campaign import Campaign
from tests.support.results_side import Collector, Producer, Queues
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import WorkerProcess, Workshop, wait_until

CALLS = "iton_worker_gateway_calls_total"


@dataclass(frozen=True)
class Stage:
    """What is there before a fleet is.

    Attributes:
        command: starts a worker, as in `WorkerProcess`.
    """

    amqp_url: str
    prefix: str
    gateway: SimulatorProcess
    ledger_url: str
    folder: Path
    command: Sequence[str] = ()


class Fleet:
    """Workers with the same settings, in any number.

    Attributes:
        living: those that run, oldest first.
        producer: of jobs for them.
        collector: of their results.
        queues: of their prefix.
    """

    def __init__(
        self, stage: Stage, workshop: Workshop, producer: Producer, collector: Collector, **settings: object
    ) -> None:
        self.stage = stage
        self.living: list[WorkerProcess] = []
        self.queues = Queues(producer)
        self._workshop = workshop
        self.producer = producer
        self.collector = collector
        self._settings: dict[str, object] = {"LEDGER_URL": stage.ledger_url, **settings}

    def campaign(self, text: str) -> Campaign:
        """Begin a campaign for this fleet."""
        return Campaign(self.producer, self.collector, self.stage.gateway, self.stage.amqp_url, text)

    def grow(self, workers: int, **settings: object) -> list[WorkerProcess]:
        """Start *workers* more, with *settings* beside the fleet's; return them when all are ready."""
        new = [self._workshop.start(**{**self._settings, **settings}) for _ in range(workers)]
        for worker in new:
            worker.wait_ready()
        self.living += new
        return new

    def retire(self, *workers: WorkerProcess) -> list[int]:
        """End workers as an orchestrator does, by SIGTERM, all at once; return their exit codes."""
        self.living = [one for one in self.living if one not in workers]
        for worker in workers:
            worker.signal(SIGTERM)
        return [worker.wait_ended(40) for worker in workers]

    def kill(self, worker: WorkerProcess) -> None:
        """End a worker by SIGKILL."""
        self.living.remove(worker)
        worker.kill()

    def roll(self, **settings: object) -> list[int]:
        """Replace every worker, one after the other, the new one ready before the old one is asked to go.

        Returns:
            The exit codes of the old ones.
        """
        codes = []
        for old in list(self.living):
            self.grow(1, **settings)
            codes += self.retire(old)
        return codes

    def sends(self) -> list[int]:
        """Return how many sendSMS calls each living worker has made, by its own /metrics."""
        return [calls_made(worker, "sendSMS") for worker in self.living]

    def cpu(self) -> float:
        """Return the seconds of processor that the living workers have taken so far, by their /metrics."""
        return sum(sample(worker, "process_cpu_seconds_total") for worker in self.living)

    def memory(self) -> float:
        """Return the MiB that the largest living worker has in memory, by its /metrics."""
        found = (sample(worker, "process_resident_memory_bytes") for worker in self.living)
        return max(found) / 2**20


def calls_made(worker: WorkerProcess, command: str) -> int:
    """Return how many calls of *command* ended well, as the worker's /metrics have it."""
    return int(sample(worker, CALLS, command=command, **{"class": "ok"}))


def sample(worker: WorkerProcess, name: str, **labels: str) -> float:
    """Return one value of /metrics, 0 where there is none with these labels."""
    families = text_string_to_metric_families(worker.get("/metrics")[1])
    values = [
        one.value
        for family in families
        for one in family.samples
        if one.name == name and labels.items() <= one.labels.items()
    ]
    return sum(values)


@contextmanager
def open_fleet(stage: Stage, workers: int, **settings: object) -> Iterator[Fleet]:
    """Provide a fleet of *workers*, all ready; none outlives the block."""
    with ExitStack() as stack:
        workshop = Workshop(
            amqp_url=stage.amqp_url,
            prefix=stage.prefix,
            gateway_url=stage.gateway.url,
            folder=stage.folder,
            command=stage.command,
        )
        stack.callback(workshop.close)
        first = workshop.ready(**{"LEDGER_URL": stage.ledger_url, **settings})  # declares the topology
        producer = Producer(stage.amqp_url, stage.prefix)
        stack.callback(producer.close)
        collector = stack.enter_context(Collector(stage.amqp_url, stage.prefix))
        fleet = Fleet(stage, workshop, producer, collector, **settings)
        fleet.living.append(first)
        fleet.grow(workers - 1)
        _wait_consumers(fleet, workers)
        yield fleet


def _wait_consumers(fleet: Fleet, workers: int) -> None:
    """Wait until the broker itself counts every worker: /readyz speaks for one alone."""
    wait_until(lambda: fleet.queues.consumers("send") == workers, f"{workers} consumers")


def shares(counts: Sequence[int]) -> list[float]:
    """Return each count as a share of an even spread: 1.0 for all where it is perfectly even."""
    even = sum(counts) / len(counts) if counts else 0
    return [round(count / even, 3) if even else 0.0 for count in counts]
