"""What came of scheduled, held, cancelled and followed jobs, and of those that call the Web API."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.soak.hours import Break
from tests.soak.mix import HELD, Asked
from tests.support.chaos_scene import Arrived

# Seconds in which a call arrives that began before it no longer might: a call takes at most three.
_UNDER_WAY = 3.0
_SECOND = 1.0  # to which the time of a result is exact


@dataclass(frozen=True)
class Features:
    """The figures.

    Attributes:
        figures: what there was of each feature, by name.
        broken: what there must be none of, by name.
    """

    figures: Mapping[str, Mapping[str, int]]
    broken: Mapping[str, int]

    @property
    def kept(self) -> bool:
        """Whether each feature did what it promises."""
        return not any(self.broken.values())

    def lines(self) -> list[str]:
        """Return the figures, one a line."""
        shown = (f"{name}: {_words(counts)}" for name, counts in self.figures.items())
        wrong = (f"WRONG: {name} {count}" for name, count in self.broken.items() if count)
        return [*shown, *wrong]


NONE = Features({}, {})


@dataclass(frozen=True)
class Seen:
    """What is looked at.

    Attributes:
        asked: the jobs that were published.
        results: all that came, in any order.
        arrivals: when the gateway was called for a number, seconds since the epoch; nobody is in two jobs.
        carried_out: how often the Web API did what, by method and path.
    """

    asked: Sequence[Asked]
    results: Sequence[Arrived]
    arrivals: Mapping[str, Sequence[float]]
    carried_out: Mapping[str, int]

    def sends(self) -> Iterable[Asked]:
        """The send jobs."""
        return (job for job in self.asked if job.is_send)

    def calls(self, job: Asked) -> list[float]:
        """When somebody of a job was called for."""
        return [at for name in job.body["recipients"] for at in self.arrivals.get(name, ())]


def features(seen: Seen, hours: Break) -> Features:
    """Add up."""
    parts = (_scheduled(seen), _held(seen, hours), _cancelled(seen), _followed(seen), _api(seen))
    return Features(
        {name: counts for part in parts for name, counts in part.figures.items()},
        {name: count for part in parts for name, count in part.broken.items()},
    )


def unfinished(asked: Iterable[Asked], results: Sequence[Arrived]) -> int:
    """Count the requests without an answer, and the followed messages without an end."""
    answered = {one.job_id for one in results if one.key.startswith(("cancel.", "api."))}
    open_requests = sum(job.job_id not in answered for job in asked if not job.is_send)
    return open_requests + len(_to_follow(asked, results) - _ends(results).keys())


def _scheduled(seen: Seen) -> Features:
    jobs = [job for job in seen.sends() if "send_after" in job.body]
    calls = [(at, job.due) for job in jobs for at in seen.calls(job)]
    counts = {"jobs": len(jobs), "texts": len(calls)}
    return Features({"scheduled": counts}, {"texts before send_after": sum(at < due for at, due in calls)})


def _held(seen: Seen, hours: Break) -> Features:
    jobs = [job for job in seen.sends() if job.body["category"] in HELD]
    calls = [at for job in jobs for at in seen.calls(job)]
    counts = {
        "jobs": len(jobs),
        "texts before the break": sum(at < hours.begins for at in calls),
        "after it": sum(at >= hours.ends for at in calls),
    }
    outside = sum(hours.begins + _UNDER_WAY <= at < hours.ends for at in calls)
    return Features({"under hours": counts}, {"texts outside of the hours": outside})


def _cancelled(seen: Seen) -> Features:
    requests = [job for job in seen.asked if job.key == "cancel"]
    answers = {one.job_id: one for one in seen.results if one.key.startswith("cancel.")}
    recorded = {
        str(one.body["target"]): one.at for one in answers.values() if one.body["status"] == "recorded"
    }
    stopped = {
        (one.job_id, name)
        for one in seen.results
        if one.key.startswith("send.")
        for name, outcome in one.outcomes.items()
        if outcome == "cancelled"
    }
    late = [
        at
        for job in seen.sends()
        if job.job_id in recorded
        for at in seen.calls(job)
        if at > recorded[job.job_id] + _SECOND + _UNDER_WAY
    ]
    statuses = Counter(str(one.body["status"]) for one in answers.values())
    return Features(
        {"cancel requests": dict(statuses), "cancelled": {"recipients": len(stopped)}},
        {
            "cancel requests without an answer": len(requests) - statuses["recorded"] - statuses["too_late"],
            "recipients cancelled and sent to": sum(bool(seen.arrivals.get(name)) for _, name in stopped),
            "recipients cancelled unasked": sum(job_id not in recorded for job_id, _ in stopped),
            "texts after the cancellation": len(late),
        },
    )


def _to_follow(asked: Iterable[Asked], results: Iterable[Arrived]) -> set[str]:
    """Return the ids that send results name, of jobs that are followed."""
    followed = {job.job_id for job in asked if job.body.get("track")}
    return {
        message_id
        for one in results
        if one.key.startswith("send.") and one.job_id in followed
        for message_id in one.ids.values()
    }


def _ends(results: Iterable[Arrived]) -> Counter[str]:
    """Count the tracked results that each message is in; a result that came again is one."""
    tracked = {one.message_id: one for one in results if "track" in one.body}
    return Counter(message["message_id"] for one in tracked.values() for message in one.body["messages"])


def _followed(seen: Seen) -> Features:
    messages, ends = _to_follow(seen.asked, seen.results), _ends(seen.results)
    return Features(
        {"followed": {"messages": len(messages), "ends": len(ends)}},
        {
            "messages without an end": len(messages - ends.keys()),
            "messages with two ends": sum(times > 1 for times in ends.values()),
            "ends of others' messages": len(ends.keys() - messages),
        },
    )


def _api(seen: Seen) -> Features:
    jobs = [job for job in seen.asked if job.key == "api"]
    ends: dict[str, str] = {}
    for one in sorted(seen.results, key=lambda one: one.revision):
        if one.key.startswith("api."):
            ends[one.job_id] = str(one.body["status"])
    times = {job.job_id: seen.carried_out.get(f"{job.body['method']} {job.body['path']}", 0) for job in jobs}
    statuses = Counter(ends.values())
    told = statuses["done"] + statuses["failed"] + statuses["uncertain"]
    return Features(
        {"api jobs": dict(statuses)},
        {
            "api jobs without an outcome": len(jobs) - told,
            "api calls repeated": sum(count > 1 for count in times.values()),
            "api jobs done without a call": sum(
                end == "done" and not times[job] for job, end in ends.items()
            ),
            "api jobs failed with a call": sum(end == "failed" and times[job] for job, end in ends.items()),
        },
    )


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
