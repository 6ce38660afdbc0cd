"""The jobs: no number and no text twice in a whole benchmark, unless the load wants the same text."""

import json
import re
from itertools import count
from typing import Any

from bench.loads import Load

# India has no shorter way to so many valid mobile numbers: all of 98xxxxxxxx are.
_numbers = count(919_800_000_000)
_runs = count()
JOB_ID = re.compile(rb"b[0-9]+-[0-9]+")

Job = dict[str, Any]


def run_name() -> str:
    """Return a new start for the ids of a run's jobs."""
    return f"b{next(_runs)}"


def make_jobs(load: Load, jobs: int) -> list[Job]:
    """Return *jobs* jobs as the contract has them; the peers read the same fields."""
    run = run_name()
    if load.kind == "status":
        return [{"job_id": f"{run}-{n}", "message_ids": [f"{n:024x}"]} for n in range(jobs)]
    return [send_job(f"{run}-{n}", load.recipients, _text(run, n, same=load.same_text)) for n in range(jobs)]


def send_job(job_id: str, recipients: int, text: str, category: str = "promotional") -> Job:
    """Return a job to numbers that no other job has."""
    numbers = [str(next(_numbers)) for _ in range(recipients)]
    return {"job_id": job_id, "recipients": numbers, "text": text, "category": category}


def _text(run: str, number: int, *, same: bool) -> str:
    if same:
        return "The sale ends on Sunday: everything at half the price."
    return f"Order {run}-{number} has left our house and will be with you tomorrow before noon."


def to_bytes(job: Job) -> bytes:
    """Return the body of its message."""
    return json.dumps(job, separators=(",", ":")).encode()
