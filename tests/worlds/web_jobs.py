"""Jobs for the Web API of a world, and what goes wrong with it."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from tests.worlds.plan import Job, Trouble
from tests.worlds.web import NOT_SENT, REFUSALS, SPOILT

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def web_jobs(chance: Random, count: int, seconds: float, *, repeats: bool) -> Iterator[Job]:
    """Return so many jobs, spread over so many seconds, some of them published again or in conflict."""
    for index in range(count):
        at = round(chance.uniform(0, seconds), 3)
        job = Job(at, f"w{index}", "api", text=index, method=chance.choice(_METHODS))
        yield job
        dice = chance.random()
        if repeats and dice < 0.2:
            yield replace(job, at=round(at + chance.uniform(0, 5), 3))
        elif repeats and dice < 0.25:
            yield replace(job, at=at + 1.0, text=index + 1_000, method="POST")


def web_outage(chance: Random) -> Trouble:
    """Return a time in which it is away, busy, or refuses everything."""
    how = chance.choice((NOT_SENT, NOT_SENT, "503", "429", "hang", "400", "404", "302", *SPOILT))
    return Trouble("web", round(chance.uniform(0, 8), 3), chance.choice((4.0, 12.0, 40.0)), how)


def web_losses(chance: Random) -> Trouble:
    """Return a time in which some of its replies are lost, late, or a refusal."""
    how = chance.choice((*SPOILT, *REFUSALS))
    return Trouble("web", 0.0, 30.0, how, chance=chance.choice((0.1, 0.4)))
