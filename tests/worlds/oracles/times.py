"""When a text may go out: at its job's time, and in the hours."""

from collections.abc import Iterator

from tests.worlds import hours, jobs
from tests.worlds.history import History
from tests.worlds.latency import longest
from tests.worlds.oracles.progress import done_at, seconds_for
from tests.worlds.oracles.safety import was_frozen

_EARLY = 0.001  # seconds: a time is written to the microsecond
_CLOSED = 0.2  # seconds from the last look at the clock to the call: the claim's write, and a leave
_SENT_WITHIN = 2.0  # seconds (contract, 3)
_OPENED_WITHIN = 10.0  # seconds (contract, 4)


def not_too_early(history: History) -> Iterator[str]:
    """No call before the time that its job names."""
    if _clocks_wrong(history):
        return
    first: dict[str, float] = {}
    for _, job in history.submitted:
        if job.kind == "send":
            at = history.began + job.after if job.after else 0.0
            first[jobs.text(job)] = min(first.get(jobs.text(job), at), at)
    for call in history.sends():
        if call.at < first.get(call.text, 0.0) - _EARLY:
            yield f"{call.text[:20]!r} was called {first[call.text] - call.at:.3f} s before its time"


def within_hours(history: History) -> Iterator[str]:
    """No call outside the hours for who they apply to."""
    if _clocks_wrong(history):
        return
    bound = {jobs.text(job) for _, job in history.submitted if hours.apply_to(job)}
    for call in history.sends():
        if call.text not in bound or was_frozen(history, call):
            continue
        if not hours.are_open(history.world, call.at) and not hours.are_open(
            history.world, call.at - _CLOSED
        ):
            yield f"{call.text[:20]!r} was called at {call.at - history.began:.3f}, outside the hours"


def what_waited_goes_out(history: History) -> Iterator[str]:
    """Where nothing goes wrong, what waited is done soon after its time, or after the hours began."""
    world = history.world
    if world.theme != "times" or world.troubles:
        return
    done, began = done_at(history), history.began
    leeway = 2 * seconds_for(history) + 2 * longest(world.gateway.send) + 2 * longest(world.gateway.read)
    for at, job in history.submitted:
        if job.kind != "send":
            continue
        due = hours.due(world, began, at, job)
        held = due > max(at, began + job.after)
        limit = due + (_OPENED_WITHIN if held else _SENT_WITHIN) + leeway + 1
        if hours.apply_to(job) and not hours.are_open(world, limit):
            limit = hours.next_opening(world, limit) + _OPENED_WITHIN + leeway
        if done.get(job.name, limit + 1) > limit:
            when = f"at {done[job.name] - began:.1f}" if job.name in done else "never"
            yield f"{job.name} could go out at {due - began:.1f} and was done {when}"


def _clocks_wrong(history: History) -> bool:
    return any(trouble.kind == "clock" for trouble in history.world.troubles)


TIMES = (not_too_early, within_hours, what_waited_goes_out)
