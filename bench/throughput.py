"""Jobs that wait in the queue when a system starts: how fast it is through with them, and at what cost."""

import contextlib
import time
from collections import Counter
from dataclasses import dataclass

from bench.figures import Run
from bench.jobs import Job, make_jobs, to_bytes
from bench.loads import Load
from bench.processes import Tree, machine_cpu
from bench.scene import Scene
from bench.systems import System, Tuning
from scripts.children import Child

LOOK = 0.05  # seconds between two looks at the queue of results
WARM_UP = 0.1  # share of the results that is not measured
GRACE = 1.0  # seconds for the last acknowledgements


@dataclass(frozen=True, slots=True)
class Sample:
    """The state at one moment: results so far, and seconds of CPU used so far."""

    at: float
    results: int
    own: float
    broker: float
    stub: float
    others: float


def measure(scene: Scene, system: System, load: Load, *, scale: float = 1.0, limit: float = 90) -> Run:
    """Run *system* through *load* once; *limit* seconds at most."""
    count = max(20, int(load.jobs * system.speed * (load.ours if system.is_ours else 1) * scale))
    jobs = make_jobs(load, count)
    scene.clean()
    scene.set_stub(load.latency, load.connections)
    put(scene, system, load.kind, jobs)
    tuning = Tuning(load.prefetch, load.peer_connections, load.told)
    child = system.start(scene.where, tuning, scene.folder / f"{system.name}-{time.monotonic_ns()}")
    try:
        samples, memory = _watch(scene, system, child, count * load.results, limit)
        calls = scene.stub_state()
        time.sleep(GRACE)
    finally:
        child.kill()
    faults = _faults(scene, system, load, jobs)
    return _run(samples, memory, calls, Subject(system.name, load, count, faults))


def put(scene: Scene, system: System, key: str, jobs: list[Job]) -> None:
    """Publish *jobs* for *system*, in its own format."""
    if system.publisher:
        system.publish(scene.where, jobs)
    elif system.is_ours:
        scene.side.publish(f"{system.prefix}.jobs", key, map(to_bytes, jobs))
    else:
        scene.side.publish("", system.jobs, map(to_bytes, jobs))


def _watch(
    scene: Scene, system: System, child: Child, results: int, limit: float
) -> tuple[list[Sample], float]:
    """Sample until all *results* are there; return the samples and the memory at the end."""
    tree = Tree(child.pid)
    samples: list[Sample] = []
    deadline = time.monotonic() + limit
    while not samples or (samples[-1].results < results and time.monotonic() < deadline):
        if child.exit_code is not None:
            break
        ready = scene.side.depth(system.results).ready
        mine, broker, stub = tree.cpu(), scene.broker.cpu(), scene.stub.cpu()
        others = machine_cpu() - mine - broker - stub
        samples.append(Sample(time.perf_counter(), ready, mine, broker, stub, others))
        time.sleep(LOOK)
    return samples, tree.memory()


def _faults(scene: Scene, system: System, load: Load, jobs: list[Job]) -> list[str]:
    """Check that each job was answered once, that each number got one message, and that nothing is left."""
    state = scene.stub_state()
    left = scene.side.left_over(scene.queues_of(system))
    answered = scene.side.drain(system.results)
    faults = [f"{ready} messages left in {name}" for name, ready in left.items()]
    faults += answer_faults(answered, [job["job_id"] for job in jobs], load.results)
    wanted = sum(len(job.get("recipients", ())) for job in jobs)
    if (state["messages"], state["distinct"]) != (wanted, wanted):
        faults.append(f"{state['messages']} messages to {state['distinct']} of {wanted} numbers")
    if state["refused"]:
        faults.append(f"{state['refused']} calls refused")
    return faults


def answer_faults(answered: Counter[bytes], job_ids: list[str], results: int) -> list[str]:
    """Compare the results of each job with how many it should have."""
    counts = [answered.pop(job_id.encode(), 0) for job_id in job_ids]
    fewer, more = sum(count < results for count in counts), sum(count > results for count in counts)
    found = {"jobs unanswered": fewer, "jobs answered more than once": more, "strangers": answered.total()}
    return [f"{count} {what}" for what, count in found.items() if count]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a run was about."""

    system: str
    load: Load
    jobs: int
    faults: list[str]


def _run(samples: list[Sample], memory: float, state: dict[str, object], about: Subject) -> Run:
    last = samples[-1]
    end = next((one for one in samples if one.results >= last.results * about.load.last), last)
    first = next((one for one in samples if one.results >= last.results * WARM_UP), end)
    jobs = (end.results - first.results) / about.load.results
    seconds = end.at - first.at
    made = {name: count for name, count in dict(state["calls"]).items() if name != "account"}  # type: ignore[call-overload]
    calls = sum(made.values()) / about.jobs
    with contextlib.suppress(ZeroDivisionError):
        return Run(
            about.system, about.load.name,
            rate=jobs / seconds,
            calls=calls,
            cpu=(end.own - first.own) / jobs * 1000,
            broker_cpu=(end.broker - first.broker) / jobs * 1000,
            stub=(end.stub - first.stub) / seconds,
            stub_rate=calls * jobs / seconds,
            others=(end.others - first.others) / seconds,
            memory=memory,
            faults=about.faults,
        )  # fmt: skip
    return Run(about.system, about.load.name, 0, 0, 0, 0, 0, 0, 0, memory, [*about.faults, "too few results"])
