"""A smaller world that fails in the same way: leave things out for as long as it does."""

import time
from collections.abc import Iterator
from dataclasses import replace

from tests.worlds.judge import judge
from tests.worlds.plan import Gateway, Latency, World

_SECONDS = 60.0


def shrunk(world: World, oracle: str, *, seconds: float = _SECONDS) -> World:
    """Return the smallest world found in *seconds* of which *oracle* still says something."""
    until = time.monotonic() + seconds
    smaller: World | None = world
    while smaller is not None:
        world = smaller
        smaller = next(
            (each for each in _smaller(world) if time.monotonic() < until and _fails(each, oracle)), None
        )
    return world


def _fails(world: World, oracle: str) -> bool:
    _, findings = judge(world)
    return any(finding.oracle == oracle for finding in findings)


def _smaller(world: World) -> Iterator[World]:
    """Yield worlds with less in them, those with much less first."""
    for size in (2, 4, 8, 1_000):
        yield from _without_jobs(world, max(len(world.jobs) // size, 1))
    for index in range(len(world.troubles)):
        yield replace(world, troubles=world.troubles[:index] + world.troubles[index + 1 :])
    if world.workers > 1:
        yield replace(world, workers=world.workers - 1)
    for index in range(len(world.settings)):
        yield replace(world, settings=world.settings[:index] + world.settings[index + 1 :])
    if world.store != "memory":
        yield replace(world, store="memory")
    plain = Gateway(send=Latency(), read=Latency())
    if world.gateway != plain:
        yield replace(world, gateway=plain)
    yield from _plainer_jobs(world)


def _without_jobs(world: World, size: int) -> Iterator[World]:
    for start in range(0, len(world.jobs), size):
        if len(world.jobs) > 1:
            yield replace(world, jobs=world.jobs[:start] + world.jobs[start + size :])


def _plainer_jobs(world: World) -> Iterator[World]:
    plain = tuple(
        replace(job, odd=0, sender="", expires=0.0, recipients=min(job.recipients, 5)) for job in world.jobs
    )
    at_once = tuple(replace(job, after=0.0, track=False, explicit=False) for job in world.jobs)
    for jobs in (plain, at_once):
        if jobs != world.jobs:
            yield replace(world, jobs=jobs)
