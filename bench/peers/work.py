"""What all peers share: where things are, and what one job takes."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

AMQP = os.environ.get("BENCH_AMQP", "amqp://guest:guest@127.0.0.1:5672/")
GATEWAY = os.environ.get("BENCH_GATEWAY", "http://127.0.0.1:8099/api/")
PREFETCH = int(os.environ.get("BENCH_PREFETCH", "100"))
CONNECTIONS = int(os.environ.get("BENCH_CONNECTIONS", "100"))
JOBS = os.environ.get("BENCH_JOBS", "bench.peer.jobs")
JOBS_ARGUMENTS = {"x-queue-type": "quorum"} if JOBS.endswith(".quorum") else {}
URGENT, RESULTS = "bench.peer.urgent", "bench.meter"
CREDENTIALS = {"username": "bench", "password": "bench"}
A_CALL = 100  # recipients; the gateway takes no more

Job = dict[str, Any]
Query = dict[str, str]
Call = Callable[[Query], Awaitable[dict[str, Any]]]


async def results_of(job: Job, call: Call) -> list[Job]:
    """Do a job; calls of 100 recipients each, all at once."""
    if "message_ids" in job:
        found = await call(status_query(job["message_ids"]))
        return [{"job_id": job["job_id"], "messages": found}]
    return await asyncio.gather(*(_send(job, some, call) for some in hundreds(job["recipients"])))


async def _send(job: Job, recipients: list[str], call: Call) -> Job:
    listed = await call(dnd_query(recipients))
    allowed = [one for one in recipients if not listed[one]]
    reply = await call(send_query(allowed, job["text"]))
    return send_result(job, reply)


def hundreds(recipients: list[str]) -> Iterable[list[str]]:
    """Split into what one call takes."""
    return (recipients[start : start + A_CALL] for start in range(0, len(recipients), A_CALL))


def dnd_query(recipients: list[str]) -> Query:
    """Ask whether the numbers are listed."""
    return CREDENTIALS | {"cmd": "check_DNDnumber", "phoneNumbers": ",".join(recipients)}


def send_query(recipients: list[str], text: str) -> Query:
    """Send *text*."""
    return CREDENTIALS | {"cmd": "sendSMS", "to": ",".join(recipients), "uniCode": "0", "message": text}


def status_query(message_ids: list[str]) -> Query:
    """Ask what became of messages."""
    return CREDENTIALS | {"cmd": "message_status", "ids": ",".join(message_ids)}


def send_result(job: Job, reply: Job) -> Job:
    """Return what the producer gets to know."""
    sent = [
        {"recipient": number, "outcome": "accepted", "message_id": message_id}
        for message_id, number in reply["message_id"].items()
    ]
    return {"job_id": job["job_id"], "status": "accepted", "recipients": sent}
