"""Memory before the first job, and during one very large job."""

import time

from bench.figures import MemoryRun
from bench.jobs import run_name, send_job
from bench.latency import MS, Latency
from bench.loads import MEMORY_RECIPIENTS
from bench.processes import Tree
from bench.scene import Scene
from bench.systems import System, Tuning
from bench.throughput import GRACE, LOOK, answer_faults, put
from scripts.children import Child

SETTLE = 3.0  # seconds between the first consumer and the look at the idle process
LATENCY = Latency(20 * MS)


def weigh(
    scene: Scene, system: System, *, recipients: int = MEMORY_RECIPIENTS, limit: float = 120
) -> MemoryRun:
    """Start *system*, give it one job of *recipients*, and watch its memory for *limit* seconds at most."""
    scene.clean()
    scene.set_stub(LATENCY)
    folder = scene.folder / f"{system.name}-{time.monotonic_ns()}"
    child = system.start(scene.where, Tuning(200, 200), folder)
    job = send_job(f"{run_name()}-0", recipients, "The sale ends on Sunday.")
    results = -(-recipients // 100)
    try:
        scene.wait_for_consumers(system.jobs, child)
        time.sleep(SETTLE)
        tree = Tree(child.pid)
        idle, before = tree.memory(), tree.cpu()
        put(scene, system, "send", [job])
        curve = _watch(scene, system, tree, results, limit)
        cpu = tree.cpu() - before
        time.sleep(GRACE)
    finally:
        child.kill()
    left = scene.side.left_over(scene.queues_of(system))
    faults = [f"{ready} messages left in {name}" for name, ready in left.items()]
    faults += answer_faults(scene.side.drain(system.results), [job["job_id"]], results)
    busy = max(megabytes for _, megabytes in curve)
    return MemoryRun(system.name, idle, busy, curve[-1][0], cpu, curve, faults)


def idle_memory(scene: Scene, system: System) -> MemoryRun:
    """Weigh *system* before its first job only."""
    scene.clean()
    folder = scene.folder / f"{system.name}-{time.monotonic_ns()}"
    child = system.start(scene.where, Tuning(200, 200), folder)
    try:
        _wait_until_idle(scene, system, child)
        idle = Tree(child.pid).memory()
    finally:
        child.kill()
    return MemoryRun(system.name, idle, 0, 0, 0, [])


def _wait_until_idle(scene: Scene, system: System, child: Child) -> None:
    scene.wait_for_consumers(system.jobs, child, seconds=30)
    time.sleep(SETTLE)


def _watch(scene: Scene, system: System, tree: Tree, results: int, limit: float) -> list[tuple[float, float]]:
    began = time.perf_counter()
    curve: list[tuple[float, float]] = []
    ready = 0
    while ready < results and time.perf_counter() - began < limit:
        ready = scene.side.depth(system.results).ready
        curve.append((round(time.perf_counter() - began, 3), tree.memory()))
        time.sleep(LOOK)
    return curve
