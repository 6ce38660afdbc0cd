"""What a request to stop a job means."""

from collections import defaultdict
from collections.abc import Iterator

from tests.worlds import jobs
from tests.worlds.history import History
from tests.worlds.oracles.safety import was_frozen

_ANSWERS = {"recorded", "too_late"}


def stays_stopped(history: History) -> Iterator[str]:
    """Once it is answered that a job is stopped, no call for it begins."""
    world = history.world
    if world.retention or any(each.how == "forget" or each.kind == "clock" for each in world.troubles):
        return  # the mark may be forgotten, or a claim look older than it is
    stopped: dict[str, float] = {}
    for published, result in history.results:
        if result.get("status") == "recorded":
            stopped.setdefault(result["target"], published.at)
    since = {
        jobs.text(job): stopped[job.name]
        for _, job in history.submitted
        if job.kind == "send" and job.name in stopped
    }
    for call in history.sends():
        if call.at > since.get(call.text, call.at) and not was_frozen(history, call):
            yield f"{call.text[:20]!r} was called {call.at - since[call.text]:.3f} s after it was stopped"


def one_answer_each(history: History) -> Iterator[str]:
    """The same request again gets the same answer."""
    if history.world.retention or any(each.how == "forget" for each in history.world.troubles):
        return
    answers: dict[str, set[str]] = defaultdict(set)
    for _, result in history.results:
        if result.get("status") in _ANSWERS:
            answers[result["job_id"]].add(result["status"])
    yield from (f"{name} was answered {sorted(said)}" for name, said in answers.items() if len(said) > 1)


def only_who_is_stopped(history: History) -> Iterator[str]:
    """Nobody is `cancelled` whose job nobody asked to stop."""
    asked = {job.target for _, job in history.submitted if job.kind == "cancel"}
    for _, result in history.results:
        cancelled = "cancelled" in result.get("counts", ())
        if cancelled and result["job_id"] not in asked:
            yield f"{result['job_id']} is cancelled, and nobody asked for that"


STOPPING = (stays_stopped, one_answer_each, only_who_is_stopped)
