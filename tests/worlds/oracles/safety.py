"""What must never happen, whatever goes wrong."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.worlds import jobs
from tests.worlds.gateway import Call
from tests.worlds.history import History
from tests.worlds.plan import Job
from tests.worlds.replies import is_left_out

_TELLS = 2.0  # seconds that a worker which has gone on takes to reach the broker again, and to publish
_LATE = 1.0  # seconds that a call may come after the end of its job's time
_STAMP = re.compile(r'"timestamp": "[^"]*"')

Results = list[dict[str, Any]]


def no_double(history: History) -> Iterator[str]:
    """Nobody gets the text of one job twice, unless the job asked for it."""
    excused = {jobs.text(job) for job in history.world.jobs if job.resend}
    sent: Counter[tuple[str, str]] = Counter()
    for call in history.sends():
        if call.sent is not None and call.text not in excused:
            sent.update((call.text, number) for number in call.numbers)
    expected = _asked_for(history)
    for (text, number), times in sent.items():
        if times > expected.get((text, number), 0):
            yield f"{number} got {times} times: {text[:24]!r}"


def _asked_for(history: History) -> Mapping[tuple[str, str], int]:
    """How often each number may get each text: once for each job that asks."""
    asked: Counter[tuple[str, str]] = Counter()
    for content in {_content(job) for job in history.world.jobs if job.kind == "send"}:
        _, text, numbers = content
        asked.update((text, number) for number in numbers)
    return asked


def _content(job: Job) -> tuple[str, str, tuple[str, ...]]:
    return job.name, jobs.text(job), tuple(jobs.numbers(job))


def nothing_lost(history: History) -> Iterator[str]:
    """Every recipient of every job ends in exactly one outcome."""
    by_name: dict[str, list[Job]] = defaultdict(list)
    for _, job in history.submitted:
        by_name[job.name].append(job)
    for name, same in by_name.items():
        if same[0].kind == "hostile":
            yield from _rejected(history, name)
        elif same[0].kind == "send":
            yield from _sent(history, name, same)
        elif not history.by_job.get(name):
            yield f"{same[0].kind} job {name} has no result"


def _rejected(history: History, name: str) -> Iterator[str]:
    refused = [result for _, result in history.results if result.get("status") == "rejected"]
    dead = [each for each in history.published if each.exchange.endswith(".dead")]
    hostile = {job.name for _, job in history.submitted if job.kind == "hostile"}
    if len(refused) < len(hostile) or len(dead) < len(hostile):
        yield f"hostile job {name}: {len(refused)} rejections and {len(dead)} dead letters in all"


def _sent(history: History, name: str, same: list[Job]) -> Iterator[str]:
    every = [result for _, result in history.results_of(name)]
    results = [result for result in every if result["status"] != "rejected"]
    if not results:
        yield f"send job {name} has no result" + (" but a rejection" if every else "")
        return
    final = final_parts(results)
    parts = results[0]["parts"]
    if sorted(final) != list(range(1, parts + 1)):
        yield f"send job {name} has results of the parts {sorted(final)} of {parts}"
        return
    got = Counter(one["recipient"] for result in final.values() for one in result["recipients"])
    contents = {frozenset([*jobs.numbers(job), *jobs.oddities(job)]) for job in same}
    if set(got) not in contents or max(got.values()) > 1:
        times = max(got.values())
        yield f"send job {name}: its results name {len(got)} recipients, {times} times at the most"
    if len({_content(job) for job in same}) > 1 and not any(each["status"] == "rejected" for each in every):
        yield f"send job {name}: other content with the same id was not rejected"


def final_parts(results: Iterable[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Return the result with the highest revision of each part."""
    final: dict[int, dict[str, Any]] = {}
    for result in results:
        known = final.get(result["part"])
        if known is None or result.get("revision", 1) > known.get("revision", 1):
            final[result["part"]] = result
    return final


def one_outcome(history: History) -> Iterator[str]:
    """A repeat says the same; what is known better has a higher revision and changes only `uncertain`."""
    known: dict[tuple[str, int], dict[str, Any]] = {}
    for published, result in history.results:
        if result.get("status") == "rejected" or not published.properties.message_id:
            continue
        key = (published.properties.message_id, result.get("revision", 1))
        first = known.setdefault(key, result)
        if "recipients" in result and first != result:
            yield f"{key[0]} revision {key[1]} was published with other content: {_change(first, result)}"
    for (name, revision), result in known.items():
        before = known.get((name, revision - 1))
        if before is not None:
            yield from _only_better(name, before, result)


def _change(first: dict[str, Any], second: dict[str, Any]) -> str:
    pairs = zip(first.get("recipients", ()), second.get("recipients", ()), strict=False)
    return next((f"{a} became {b}" for a, b in pairs if a != b), "not its recipients")


def _only_better(name: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    outcomes = {one["recipient"]: one for one in after.get("recipients", ())}
    for one in before.get("recipients", ()):
        now = outcomes.get(one["recipient"], {})
        if one["outcome"] != now.get("outcome") and one["outcome"] != "uncertain":
            yield f"{name}: {one['outcome']} became {now.get('outcome')}"
        elif one["outcome"] == now.get("outcome") == "uncertain" and not _tells_more(one, now):
            yield f"{name}: {one['error']} became {now['error']}"


def _tells_more(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Tell whether the words are the same, or those of a late reply, that tell ids of nobody."""
    return before["error"] == after["error"] or "message id" in after["error"]["detail"]


def the_truth(history: History) -> Iterator[str]:
    """`accepted` has an id of the gateway's; what is said to be unsent was not sent."""
    truth: dict[tuple[str, str], set[str]] = defaultdict(set)
    for call in history.sends():
        for number, name in call.ids.items():
            truth[call.text, number].add(name)
    for name, job, one in _final_recipients(history):
        ids = truth.get((jobs.text(job), one["recipient"]), set())
        if one["outcome"] == "accepted" and one["message_id"] not in ids:
            yield f"{name}: {one['recipient']} is accepted with an id that is not its"
        if one["outcome"] not in {"accepted", "uncertain"} and ids:
            yield f"{name}: {one['recipient']} is {one['outcome']} and was sent to"


def _final_recipients(history: History) -> Iterator[tuple[str, Job, dict[str, Any]]]:
    by_name = {job.name: job for _, job in reversed(history.submitted) if job.kind == "send"}
    several = _conflicting(history)
    for name, job in by_name.items():
        if name in several:
            continue
        results = [result for _, result in history.results_of(name) if result["status"] != "rejected"]
        for result in final_parts(results).values():
            for one in result["recipients"]:
                yield name, job, one


def _conflicting(history: History) -> set[str]:
    contents: dict[str, set[object]] = defaultdict(set)
    for _, job in history.submitted:
        contents[job.name].add(_content(job))
    return {name for name, known in contents.items() if len(known) > 1}


def every_id_published(history: History) -> Iterator[str]:
    """Ids that reached a worker which lived on, or the ledger, are published."""
    published = {
        name
        for _, result in history.results
        for one in result.get("recipients", ())
        for name in (one.get("message_id"), *one.get("earlier_message_ids", ()))
    }
    killed = {life.host: life.ended for life in history.lives if life.how == "killed"}
    written = b"\n".join(history.seen.values())
    for call in history.sends():
        if call.reached is None or _died_with_a_late_reply(history, call, killed.get(call.host)):
            continue
        for number, name in call.told.items():
            if name not in published and (call.host not in killed or name.encode() in written):
                yield f"the id of {number} reached {call.host} at {_when(history, call)} and is not published"


def _died_with_a_late_reply(history: History, call: Call, killed: float | None) -> bool:
    """Tell whether the caller stood still until its call was another's, and was killed right after that.

    Its job was acknowledged by then: the one case in which ids stay in the ledger (docs/guarantees.md).
    """
    over = call.at + history.world.timeout
    return killed is not None and any(
        each.host == call.host and over < each.ended <= killed <= each.ended + _TELLS
        for each in history.frozen
    )


def _when(history: History, call: Call) -> str:
    return f"{(call.reached or 0) - history.began:.3f}"


def nobody_listed(history: History) -> Iterator[str]:
    """A number on the DND list is not sent to by a promotional job."""
    listed = {
        (jobs.text(job), number)
        for job in history.world.jobs
        if job.kind == "send" and job.promotional and job.listed
        for number in jobs.numbers(job)
        if jobs.is_listed(job, number)
    }
    filtered = {jobs.text(job) for job in history.world.jobs if job.promotional}
    form = history.world.gateway.form
    for call in history.sends():
        for number in call.numbers:
            if (call.text, number) in listed:
                yield f"{number} is on the DND list and was called"
            if call.text in filtered and is_left_out(form, number):
                yield f"the DND list says nothing about {number}, and it was called"


def not_hasty(history: History) -> Iterator[str]:
    """Nobody takes a call for lost before its time is over, as far as wall clocks agree on when it began."""
    if any(trouble.kind == "clock" for trouble in history.world.troubles):
        return
    called: dict[tuple[str, str], float] = {}
    for call in history.sends():
        for number in call.numbers:
            called[call.text, number] = call.at
    texts = {job.name: jobs.text(job) for job in history.world.jobs if job.kind == "send"}
    for published, result in history.results:
        for one in result.get("recipients", ()):
            began = called.get((texts.get(result["job_id"] or "", ""), one["recipient"]), published.at)
            early = began < published.at < began + history.world.timeout
            if early and one.get("error", {}).get("code") == "worker_lost":
                yield f"the call for {one['recipient']} was taken over after {published.at - began:.1f} s"


def no_call_cut(history: History) -> Iterator[str]:
    """A sendSMS that is under way is waited for, also at a stop: its ids come only once."""
    waited = min(history.world.timeout, 20) - 0.5
    for call in history.sends():
        if call.cut and call.ended is not None and call.ended - call.at < waited:
            if history.was_cut_off(call.host, call.ended):
                continue
            yield f"{call.host} waited {call.ended - call.at:.1f} s for {call.text[:20]!r}"


def in_time(history: History) -> Iterator[str]:
    """Nothing is sent after a job's time."""
    if any(trouble.kind == "clock" for trouble in history.world.troubles):
        return
    ends: dict[str, float] = {}
    for at, job in history.submitted:
        if job.expires:
            ends[jobs.text(job)] = max(ends.get(jobs.text(job), 0.0), at + job.expires)
    for call in history.sends():
        if call.at > ends.get(call.text, call.at) + _LATE and not was_frozen(history, call):
            yield f"{call.text[:20]!r} was called {call.at - ends[call.text]:.1f} s after its time"


def was_frozen(history: History, call: Call) -> bool:
    """Tell whether the caller stood still right before the call, and could not know."""
    return any(
        each.host == call.host and each.ended - _LATE <= call.at <= each.ended + _LATE
        for each in history.frozen
    )


def nothing_told(history: History) -> Iterator[str]:
    """No credential, number or text in a log line; no credential in anything that is published."""
    for _, host, line in history.lines:
        for hidden in (jobs.PASSWORD, jobs.MARK, "919876"):
            # A millionth of a second may look like a number.
            if hidden in line and hidden in _STAMP.sub("", line):
                yield f"{host} logged {hidden!r}: {line[:300]}"
    for each in history.published:
        if jobs.PASSWORD.encode() in each.body or jobs.PASSWORD in json.dumps(
            dict(each.properties.headers or {}), default=str
        ):
            yield f"the password was published on {each.exchange}"


def nothing_unhandled(history: History) -> Iterator[str]:
    """The event loop has nothing to complain about."""
    yield from history.unhandled
    for _, host, line in history.lines:
        if '"handler.crashed"' in line or '"settlement.crashed"' in line or '"service.died"' in line:
            yield f"{host}: {line[:300]}"


SAFETY = (
    no_double,
    nothing_lost,
    one_outcome,
    the_truth,
    every_id_published,
    nobody_listed,
    not_hasty,
    no_call_cut,
    in_time,
    nothing_told,
    nothing_unhandled,
)
