"""What must hold of calls of the Web API."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from tests.worlds.history import History
from tests.worlds.jobs import TOKEN
from tests.worlds.oracles.progress import done_at
from tests.worlds.plan import Job
from tests.worlds.web import NOT_SENT, WebCall

_WORKS_AGAIN = 10.0  # seconds after an outage, as for sends
_PUBLISHED = 5.0  # and for what follows
_OK = 200


def called_once(history: History) -> Iterator[str]:
    """Only GET is repeated: any other request goes out at most once."""
    for name, job in _jobs(history).items():
        calls = [call for call in _calls(history, name) if call.refused != NOT_SENT]
        if job.method != "GET" and len(calls) > 1:
            times = ", ".join(f"{call.at - history.began:.3f} by {call.host}" for call in calls)
            yield f"{job.method} of {name} went out {len(calls)} times: {times}"


def one_end(history: History) -> Iterator[str]:
    """The same revision says the same each time; a higher one follows a doubt alone."""
    for name in _jobs(history):
        known: dict[int, dict[str, Any]] = {}
        for result in _results(history, name):
            revision = result.get("revision") or 1
            if known.setdefault(revision, result) != result:
                yield f"{name}, revision {revision}: {known[revision]['status']}, then {result['status']}"
        yield from (
            f"{name}: {known[number - 1]['status']} became {result['status']}"
            for number, result in known.items()
            if number - 1 in known and known[number - 1]["status"] != "uncertain"
        )


def as_it_was(history: History) -> Iterator[str]:
    """`done` has the reply of a call, `failed` was not carried out; a reply that somebody got is told."""
    killed = {life.host for life in history.lives if life.how == "killed"}
    for name, job in _jobs(history).items():
        final = max(_results(history, name), key=lambda each: each.get("revision") or 1, default=None)
        if final is None:
            continue  # `nothing_lost` says it
        calls = _calls(history, name)
        status = final["status"]
        serials = {call.serial for call in calls if call.done}
        if status == "done" and final["reply"]["serial"] not in serials:
            yield f"{name} is done by a call that was never made"
        if status == "failed" and job.method != "GET" and serials:
            yield f"{name} has failed, and was carried out"
        told = [call for call in calls if call.status == _OK and call.host not in killed]
        if told and status != "done":
            yield f"{name} is {status}, and {told[0].host} got the reply to it"
        if status == "uncertain" and not history.world.troubles:
            yield f"{name} is uncertain, and nothing went wrong"


def no_doubt_too_early(history: History) -> Iterator[str]:
    """Nobody takes a call for lost before its time is over."""
    if any(trouble.kind == "clock" for trouble in history.world.troubles):
        return
    for name in _jobs(history):
        calls = _calls(history, name)
        for published, result in history.results_of(name):
            lost = result.get("error", {}).get("code") == "worker_lost"
            began = max((call.at for call in calls if call.at < published.at), default=None)
            if lost and began is not None and published.at < began + history.world.timeout:
                yield f"{name} was taken over after {published.at - began:.1f} s"


def no_web_call_cut(history: History) -> Iterator[str]:
    """A call that is under way is waited for, also at a stop."""
    waited = min(history.world.timeout, 20) - 0.5
    for call in history.web_calls:
        if not (call.name and call.cut) or call.ended is None or call.ended - call.at >= waited:
            continue
        if not history.was_cut_off(call.host, call.ended):
            yield f"{call.host} waited {call.ended - call.at:.1f} s for {call.name}"


def web_goes_on(history: History) -> Iterator[str]:
    """Within 10 s of an outage of the Web API alone, what waited for it is done."""
    outages = history.world.troubles
    if not outages or any(each.kind != "web" or each.chance < 1 for each in outages):
        return
    done, end = done_at(history), history.began + max(each.end for each in outages)
    limit = end + _WORKS_AGAIN + _PUBLISHED + history.world.timeout
    for at, job in history.submitted:
        if job.kind == "api" and at < end and done.get(job.name, limit + 1) > limit:
            late = f"{done[job.name] - end:.1f} s after" if job.name in done else "not even after"
            yield f"{job.name} was done {late} the Web API's outage"
            return


def no_token(history: History) -> Iterator[str]:
    """Nobody is told the token, whatever a reply says; nor does a log line tell of it, or of a reply."""
    for each in history.published:
        if TOKEN.encode() in each.body:
            yield f"the token was published on {each.exchange}"
    for _, host, line in history.lines:
        if TOKEN in line or "serial" in line:
            yield f"{host} logged a reply: {line[:300]}"


def _jobs(history: History) -> Mapping[str, Job]:
    """The jobs whose id stands for one content; of several, one is rejected."""
    contents: dict[str, set[tuple[str, int]]] = defaultdict(set)
    found = {job.name: job for _, job in history.submitted if job.kind == "api"}
    for _, job in history.submitted:
        contents[job.name].add((job.method, job.text))
    return {name: job for name, job in found.items() if len(contents[name]) == 1}


def _calls(history: History, name: str) -> list[WebCall]:
    return [call for call in history.web_calls if call.name == name]


def _results(history: History, name: str) -> list[dict[str, Any]]:
    return [result for _, result in history.results_of(name)]


WEB = (called_once, one_end, as_it_was, no_doubt_too_early, no_web_call_cut, web_goes_on, no_token)
