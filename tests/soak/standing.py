"""What a soak tells of those who are still without an outcome when its time is over."""

import shutil
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from urllib.request import urlopen

from tests.soak.tally import unanswered
from tests.support.chaos_process import ForkedWorker
from tests.support.chaos_scene import Scene

_TOLD = tuple(
    f"iton_worker_{name}" for name in ("gateway_calls", "jobs", "consumer", "breaker", "intake", "ledger")
)
_FEW = 20  # job ids


def what_stands_still(scene: Scene, wanted: Mapping[str, set[str]], kept: Path) -> Iterator[str]:
    """Return lines about jobs and living workers; their logs are copied to *kept*."""
    waiting = unanswered(wanted, scene.results())
    yield f"{len(waiting)} jobs have recipients without an outcome: {dict(islice(waiting.items(), _FEW))}"
    for worker in scene.workers:
        if worker.exit_code is None:
            yield f"{worker.log.stem}: {worker.readiness()}"
            yield from (f"  {line}" for line in _metrics(worker))
    kept.mkdir(parents=True, exist_ok=True)
    for worker in scene.workers:
        shutil.copy(worker.log, kept)
    yield f"the workers' logs are in {kept}"


def _metrics(worker: ForkedWorker) -> list[str]:
    try:
        with urlopen(f"{worker.health_url}/metrics", timeout=5) as reply:  # noqa: S310 - always http
            lines = reply.read().decode().splitlines()
    except OSError as error:
        return [f"no metrics: {error}"]
    return [
        line
        for line in lines
        if line.startswith(_TOLD) and not line.endswith(" 0.0") and "_bucket" not in line
    ]
