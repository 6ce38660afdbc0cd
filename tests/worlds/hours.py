"""The hours of a world, read from its settings without the worker's own code, in the loop's time."""

from zoneinfo import ZoneInfo

from tests.worlds.clock import moment
from tests.worlds.plan import Job, World

_DAY = 24 * 60  # minutes


def apply_to(job: Job) -> bool:
    """Tell whether hours matter to *job*, where there are any."""
    return job.kind == "send" and (job.promotional or job.explicit)


def are_open(world: World, at: float) -> bool:
    """Tell whether promotional texts may go out."""
    written = world.environment.get("WORKER_PROMOTIONAL_HOURS")
    if not written:
        return True
    zone = ZoneInfo(world.environment.get("WORKER_HOURS_TIMEZONE", "Asia/Kolkata"))
    shown = moment(at).astimezone(zone).strftime("%H:%M")
    for window in written.split(","):
        begin, end = window.split("-")
        if begin <= shown < end or (end < begin and (shown >= begin or shown < end)):
            return True
    return False


def next_opening(world: World, at: float) -> float:
    """Return the first time from *at* on at which they are open."""
    for _ in range(_DAY):
        if are_open(world, at):
            return at
        shown = moment(at)
        at += 60 - shown.second - shown.microsecond / 1e6
    raise AssertionError("the hours of the world never begin")


def due(world: World, began: float, at: float, job: Job) -> float:
    """Return when a job that came *at* a time may go out first, in a world that *began* then."""
    earliest = max(at, began + job.after) if job.after else at
    return next_opening(world, earliest) if apply_to(job) else earliest


def closed_seconds(world: World, began: float, ended: float) -> float:
    """Return how long they were closed between two times, to the second."""
    if "WORKER_PROMOTIONAL_HOURS" not in world.environment:
        return 0.0
    return float(sum(not are_open(world, began + second) for second in range(int(ended - began) + 1)))
