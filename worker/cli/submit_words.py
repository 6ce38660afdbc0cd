"""What ``iton-worker submit`` says about jobs: their numbers, and what is certain when it went wrong."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from worker.client.asking import Asked, campaign_of
from worker.client.prepared import PreparedJob, ReadJobs
from worker.client.publishing import Fate, Publishing

_MOST_LINES = 20
_MOST_IDS = 10
_HOUR = 3_600


def in_numbers(found: ReadJobs) -> list[str]:
    """Return lines about what the jobs will do: who cannot be sent to, how many can, at what cost."""
    invalid = found.invalid
    lines = [str(each) for each in invalid[:_MOST_LINES]]
    if len(invalid) > _MOST_LINES:
        lines.append(f"{len(invalid) - _MOST_LINES:,} more cannot be sent to; --json names all of them")
    repeated = f", {_count(found.repeated, 'repeated line')} left out" if found.repeated else ""
    return [*lines, f"{_count(len(found.jobs), 'job')}{_entries(found)}{repeated}{_cost(found)}"]


def _entries(found: ReadJobs) -> str:
    match found.jobs[0].routing_key:
        case "account" | "api" | "cancel":
            return ""
        case "status":
            return f" about {_count(found.entries, 'message id')}"
        case _:
            wrong = f"{len(found.invalid):,} invalid" if found.invalid else "none invalid"
            return f" to {_count(found.entries, 'recipient')}: {found.distinct:,} distinct, {wrong}"


def _cost(found: ReadJobs) -> str:
    sendings = found.sendings
    if not sendings:
        return ""
    forms = Counter((sending.encoding, sending.segments) for sending in sendings)
    shown = ", ".join(
        f"{encoding} in {_count(segments, 'segment')}"
        + (f" ({_count(count, 'job')})" if len(forms) > 1 else "")
        for (encoding, segments), count in sorted(forms.items())
    )
    senders = sorted({sending.sender for sending in sendings if sending.sender})
    sender = f"; sender {', '.join(senders[:3])}" if senders else ""
    return f"; {shown}{sender}; {_count(_credits(found), 'credit')} at the most"


def _credits(found: ReadJobs) -> int:
    return sum(sending.credits for sending in found.sendings)


def ids_in_short(jobs: Sequence[PreparedJob]) -> str:
    """Return ``2 jobs: a, b``; the first few of many."""
    shown = ", ".join(job.job_id for job in jobs[:_MOST_IDS])
    more = f" and {len(jobs) - _MOST_IDS:,} more" if len(jobs) > _MOST_IDS else ""
    return f"{_count(len(jobs), 'job')}: {shown}{more}"


def trouble_lines(trouble: str, publishing: Publishing, asked: Asked, retention: float) -> list[str]:
    """Return what went wrong and what is certain of the jobs, and how to repeat them without harm.

    Args:
        trouble: why it ended.
        publishing: what is certain of each job.
        asked: how they were asked for.
        retention: seconds for which the worker knows an id.
    """
    told = f"{trouble}: {_certain(publishing)}"
    if len(publishing.having(Fate.PUBLISHED)) == len(publishing.jobs):
        return [told]
    hours = f"within {retention / _HOUR:g} h (WORKER_LEDGER_RETENTION)"
    if asked.csv is None and asked.jsonl is None:
        again = (
            f"with --job-id {publishing.jobs[0].job_id} {hours}: under the same id a job is carried out once"
        )
    else:
        again = (
            f"with the unchanged input and --campaign {campaign_of(asked)} {hours}: "
            "the jobs keep their ids, and each is carried out once"
        )
    return [told, f"to be sure of all, repeat the command {again}"]


def _certain(publishing: Publishing) -> str:
    done = publishing.having(Fate.PUBLISHED)
    unknown = publishing.having(Fate.UNKNOWN)
    others = len(publishing.jobs) - len(done) - len(unknown)
    if len(publishing.jobs) == 1:
        words = "is published" if done else "may have been published" if unknown else "is not published"
        return f"job {publishing.jobs[0].job_id} {words}"
    parts = [f"{len(done):,} of {len(publishing.jobs):,} jobs are published"]
    if unknown:
        parts.append(f"{len(unknown):,} may have been published")
    if others:
        parts.append(f"{others:,} are not")
    return ", ".join(parts)


def summary(found: ReadJobs, done: tuple[Publishing, str] | None) -> dict[str, Any]:
    """Return all of it for JSON; *done*: what became of the jobs and why it ended early, if tried."""
    publishing, trouble = done or (None, "")
    fates = publishing.fates if publishing else [Fate.WAITING] * len(found.jobs)
    return {
        "dry_run": publishing is None,
        "found": len(found.jobs),
        "published": fates.count(Fate.PUBLISHED),
        "may_have_been_published": fates.count(Fate.UNKNOWN),
        "repeated": found.repeated,
        "recipients": sum(job.entries for job in found.jobs if job.sending),
        "distinct": found.distinct,
        "invalid": len(found.invalid),
        "credits": _credits(found),
        "error": trouble or None,
        "jobs": [
            _of_job(job, fate, tried=publishing is not None)
            for job, fate in zip(found.jobs, fates, strict=True)
        ],
    }


def _of_job(job: PreparedJob, fate: Fate, *, tried: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"job_id": job.job_id, "routing_key": job.routing_key, "entries": job.entries}
    if tried:
        told["state"] = fate.value
    if job.sending:
        told |= {
            "distinct": job.sending.distinct,
            "invalid": [
                {"recipient": each.spelling, "detail": each.detail, "line": each.line}
                for each in job.sending.invalid
            ],
            "encoding": job.sending.encoding,
            "segments": job.sending.segments,
            "credits": job.sending.credits,
            "sender": job.sending.sender,
        }
    return told


def _count(number: int, one: str) -> str:
    return f"{number:,} {one if number == 1 else one + 's'}"
