"""How many jobs are in hand, of a fleet's common queue."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest

from tests.support.fakes import FakeClock
from worker.admission.admission import Admission
from worker.amqp.consumer import Consumer
from worker.bootstrap.holding import Holding
from worker.domain.messages import Lane
from worker.resilience.prefetch_limit import PrefetchLimit


@dataclass
class Queue:
    """A consumer's side of one queue that never runs dry, at a gateway that takes whatever comes.

    Attributes:
        waiting: jobs in the queue.
        workers: that consume it.
        held: what was asked for.
    """

    waiting: int = 100_000
    workers: int = 1
    held: list[int] = field(default_factory=list)
    in_flight_by_lane: Counter[Lane] = field(default_factory=Counter)
    done_by_lane: Counter[Lane] = field(default_factory=Counter)
    bytes_by_lane: Counter[Lane] = field(default_factory=Counter)

    async def look(self, _lane: Lane) -> tuple[int, int]:
        """Count."""
        return self.waiting, self.workers

    async def hold(self, lane: Lane, prefetch: int) -> None:
        """Have as many in hand."""
        self.held.append(prefetch)
        self.in_flight_by_lane[lane] = prefetch


async def looks(queue: Queue, count: int) -> list[int]:
    """Begin, look *count* times while jobs pass quickly, and return what was asked for."""
    clock = FakeClock()
    gate = SimpleNamespace(calls=10, has_room=lambda **_: True)
    limits = {Lane.SEND: PrefetchLimit(50, 2_000, clock)}
    holding = Holding(cast("Consumer", queue), cast("Admission", gate), limits, clock)
    await holding.begin()
    running = asyncio.create_task(holding.run())
    for _ in range(count):
        queue.done_by_lane[Lane.SEND] += 100
        await clock.advance(0.1)
    running.cancel()
    return queue.held


class TestHolding:
    """``Holding``."""

    async def test_it_begins_with_few_and_grows_while_jobs_pass_quickly(self) -> None:
        """A look tells little, two are enough."""
        held = await looks(Queue(), 20)
        assert [50, 100, 200, 400, 800, 1_600, 2_000] == held

    @pytest.mark.parametrize(("workers", "waiting", "most"), [(4, 1_600, 100), (4, 1_599, 50), (1, 0, 2_000)])
    async def test_the_first_of_several_does_not_take_all(
        self, workers: int, waiting: int, most: int
    ) -> None:
        """It has more only while there is plenty for each; one that is alone need not care."""
        held = await looks(Queue(waiting, workers), 20)
        assert most == max(held)
