"""One job at a time through the real worker, with all its calls recorded."""

import sys
import time
from contextlib import ExitStack

from tests.counts.recorder import ROOT
from tests.counts.way import Recording, Span, Way, common
from tests.support.line import Line, line_on
from tests.support.results_side import numbers
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import Workshop
from worker.amqp.connection.opening import Timing

WARMING = 5
"""Jobs before those that count: connections are open then, and caches filled."""
JOBS = 10
IDLE = 2.5 * Timing().probe_every
"""Seconds without a job, in which what runs by itself is seen, a look at each connection among it.

No fewer than the longest job took.
"""
AFTERWARDS = 0.5
"""Seconds from a job's result to the next job, for what is left to do."""


def traced_way(workshop: Workshop, gateway: SimulatorProcess) -> Way:
    """Return the way of one job: one recipient, a text of its own, no question to the DND list.

    Raises:
        AssertionError: the worker did not end well.
    """
    calls = workshop.folder / "calls.json"
    command = [sys.executable, "-m", "tests.counts.recorder", str(calls)]
    with ExitStack() as stack:
        worker = workshop.start_in(workshop.environment(PYTHONPATH=ROOT), command).wait_ready()
        line = line_on(stack, workshop, gateway)
        for number in range(WARMING):
            _one_job(line, f"warming {number}")
        jobs = [_one_job(line, f"traced {number}") for number in range(JOBS)]
        idle = _span(max(IDLE, *(job.end - job.begin for job in jobs)))
        assert 0 == worker.terminate(), worker.tail()
    recording = Recording.read(calls)
    return common([recording.way(job, idle) for job in jobs])


def _one_job(line: Line, text: str) -> Span:
    begin = time.monotonic()
    line.collector.one(line.producer.send(numbers(1), text, category="transactional"))
    return Span(begin, _span(AFTERWARDS).end)


def _span(seconds: float) -> Span:
    begin = time.monotonic()
    time.sleep(seconds)
    return Span(begin, time.monotonic())
