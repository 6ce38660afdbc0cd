"""From a planned job to the message of a producer, and back."""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from pamqp.commands import Basic

from tests.worlds.clock import moment
from tests.worlds.plan import Job

PASSWORD = "Geheim-Wort-7781"
USERNAME = "weltkonto"
TOKEN = "Zeichen-4711-abcdef"  # of the Web API
MARK = "Weltentext"  # in every text; no log line may have it
_NUMBERS = 919_876_000_000


def number(index: int) -> str:
    """Return the *index*-th number, digits with country code."""
    return str(_NUMBERS + index)


def numbers(job: Job) -> list[str]:
    """Return the numbers that *job* may be sent to, as the gateway knows them."""
    return [number(job.first + i) for i in range(job.recipients)]


def oddities(job: Job) -> list[str]:
    """Return what among its recipients is no number."""
    return [f"12{i}" for i in range(job.odd)]


def is_listed(job: Job, each: str) -> bool:
    """Tell whether a number of *job* is on the DND list."""
    return bool(job.listed) and (int(each) - _NUMBERS - job.first) % job.listed == 0


def text(job: Job) -> str:
    """Return its text, by which the gateway's calls are known as its."""
    return f"{MARK} {job.text} Your order is on its way."


def key(job: Job) -> str:
    """Return the routing key."""
    return f"send{'.urgent' if job.urgent else ''}" if job.kind in {"send", "hostile"} else job.kind


def body(job: Job, at: float, began: float) -> bytes:
    """Write the job as its producer does at *at*, in a world whose plan *began* then."""
    if job.kind == "hostile":
        return job.raw.encode("utf-8", "surrogateescape")
    made: dict[str, Any] = {"job_id": job.name}
    if job.kind == "status":
        made["message_ids"] = [f"{'ef'[i % 2]}{job.first:05d}{i:018d}" for i in range(job.recipients)]
    if job.kind == "cancel":
        made["target"] = job.target
    if job.kind == "api":
        made |= {"method": job.method, "path": f"media/{job.name}"}
        if job.method != "GET":
            made["json"] = {"text": text(job)}
    if job.kind == "send":
        made |= _send(job, at, began)
    return json.dumps(made).encode()


def _send(job: Job, at: float, began: float) -> dict[str, Any]:
    made: dict[str, Any] = {"recipients": _spelt(numbers(job)) + oddities(job), "text": text(job)}
    if job.explicit:
        made["category"] = "service_explicit"
    elif not job.promotional:
        made["category"] = "transactional"
    if job.resend:
        made["on_uncertain"] = "resend"
    if job.sender:
        made["sender"] = job.sender
    if job.expires:
        made["expires_at"] = (moment(at) + timedelta(seconds=job.expires)).isoformat()
    if job.after:
        made["send_after"] = moment(began + job.after).isoformat()
    if job.track:
        made["track"] = True
    return made


def _spelt(plain: Iterable[str]) -> list[str]:
    ways = (lambda n: n, lambda n: f"+{n[:2]} {n[2:]}", lambda n: f"0{n[2:]}", lambda n: n[2:])
    return [ways[i % 4](each) for i, each in enumerate(plain)]


def properties(job: Job) -> Basic.Properties:
    """Return the properties of its message."""
    return Basic.Properties(
        content_type="application/json",
        delivery_mode=2,
        correlation_id=f"c-{job.name}",
        reply_to=job.reply_to or None,
    )
