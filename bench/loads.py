"""What is measured: the loads, and what each must reach against the best peer."""

from dataclasses import dataclass, field

from bench.latency import MS, Latency

USUAL = Latency(20 * MS)


@dataclass(frozen=True, slots=True)
class Load:
    """Jobs of one kind that wait in the queue when the worker starts.

    Attributes:
        kind: the routing key, ``send`` or ``status``.
        jobs: how many for a system of speed 1.
        recipients: of each send job.
        latency: of the gateway.
        connections: that the gateway allows; 0: any number.
        prefetch: what the peers are tuned to for this latency; one connection each, unless there are fewer.
        last: share of the results at which the measuring ends: less than all where the slowest calls take
            longer than the rest of the run.
        ours: times as many jobs for the worker, where its run would be over at once.
        told: settings that an operator who knows the limit gives to the worker.
        floor: ratio of jobs a second to the best peer's that must be reached, and the one aimed at, of a row.
    """

    name: str
    title: str
    kind: str = "send"
    jobs: int = 6_000
    recipients: int = 1
    same_text: bool = False
    latency: Latency = USUAL
    connections: int = 0
    prefetch: int = 200
    last: float = 1.0
    ours: int = 1
    told: dict[str, str] = field(default_factory=dict)
    floor: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def results(self) -> int:
        """Results of one job: one for each hundred recipients."""
        return -(-self.recipients // 100)

    @property
    def peer_connections(self) -> int:
        """Connections that a peer opens."""
        return self.connections or self.prefetch


_TOLD = {"WORKER_MAX_CALLS": "10", "WORKER_URGENT_CALLS": "0"}
_TEN = {"latency": Latency(100 * MS), "connections": 10, "prefetch": 20, "told": _TOLD}
SKEWED = {
    "skewed-uniform": ("unique, 50 to 450 ms", Latency(50 * MS, 450 * MS, "uniform")),
    "skewed-lognormal": ("unique, lognormal times", Latency(150 * MS, 0.5, "lognormal")),
    "skewed-mixed": ("unique, one call in twenty hangs", Latency(120 * MS, 2_000 * MS, "mixed", 0.05)),
}

LOADS = (
    Load("unique", "unique texts", floor={"ours": (1.5, 1.9)}),
    Load("status", "status checks", kind="status", floor={"ours": (2.5, 3.4)}),
    Load("same", "same text", same_text=True, floor={"coalesced": (2.8, 3.7)}),
    Load("thousand", "1,000-recipient jobs", jobs=800, recipients=1_000, floor={"ours": (0.9, 1.15)}),
    Load(
        "ten-unique", "unique, 10 connections", jobs=400, **_TEN, floor={"ours": (1.7, 1.9)}  # type: ignore[arg-type]
    ),
    Load(
        "ten-same", "same text, 10 connections", jobs=400, ours=10, same_text=True, **_TEN,  # type: ignore[arg-type]
        floor={"coalesced": (25.0, 50.0)},
    ),
    Load(
        "ten-status", "status, 10 connections", kind="status", jobs=600, ours=10, **_TEN,  # type: ignore[arg-type]
        floor={"ours": (15.0, 25.0)},
    ),
    Load("unique-100", "unique, 100 ms", latency=Latency(100 * MS), prefetch=400),
    Load("unique-500", "unique, 500 ms", latency=Latency(500 * MS), prefetch=1_600),
    Load("status-100", "status, 100 ms", kind="status", latency=Latency(100 * MS), prefetch=400),
    Load("status-500", "status, 500 ms", kind="status", latency=Latency(500 * MS), prefetch=1_600),
    # Enough in flight for the processor to be the limit.
    *(
        Load(name, title, jobs=10_000, latency=latency, prefetch=800, last=0.9)
        for name, (title, latency) in SKEWED.items()
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Paced:
    """Jobs that come at a rate; what counts is how long each takes.

    Attributes:
        rate: jobs a second.
        bulk: recipients of a job that is published just before and is still worked on.
        keys: routing key and category of the jobs, in turns.
        floor: seconds that a percentile must not pass, and the ones aimed at.
    """

    name: str
    title: str
    rate: int
    seconds: float
    percentile: int
    floor: tuple[float, float]
    latency: Latency = USUAL
    bulk: int = 0
    prefetch: int = 200


PACED = (
    Paced("pace-100", "100 jobs/s", 100, 10, 99, (0.055, 0.048)),
    Paced("pace-1000", "1,000 jobs/s", 1_000, 10, 99, (0.065, 0.055)),
    Paced(
        "urgent", "urgent behind 50,000 recipients", 50, 60, 95, (0.600, 0.350),
        latency=Latency(100 * MS), bulk=50_000, prefetch=400,
    ),
)  # fmt: skip

MEMORY_RECIPIENTS = 100_000
MEMORY_FLOOR = {"idle": (80, 55), "busy": (200, 120)}  # MB
BEST_PEER = "tuned"
CPU_FLOOR = {"unique": (0.30, 0.24)}  # ms of the worker a job
SKEWED_FLOOR = 500  # jobs a second at a gateway whose answering time varies
SKEWED_AIM = 0.9  # of the rate at one that always takes 20 ms: the processor is the limit
HTTPX_FLOOR = (4.0, 8.0)  # unique texts against the best peer that uses httpx
