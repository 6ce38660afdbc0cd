"""Dead letters as people and scripts read them."""

import base64
import json
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiormq.abc import DeliveredMessage

from schemas.channels import DeadHeader
from worker.amqp.transport import unwrap
from worker.amqp.wire import Properties
from worker.client.access import BrokerAccess
from worker.client.kept import Look, look_into

_FIELDS = ("message_id", "correlation_id", "reply_to", "content_type", "content_encoding", "type", "app_id")


@dataclass(frozen=True, slots=True)
class DeadJob:
    """One dead letter.

    Attributes:
        number: its place in the queue, from 1.
        job_id: of the body, else the message's id; None where there is neither.
        time: when it died, as the worker wrote it.
        properties: the original's, those that are text.
        headers: the original's, without those that say why it is dead.
    """

    number: int
    job_id: str | None
    routing_key: str
    reason: str
    detail: str
    attempts: int
    queue: str
    time: str
    body: bytes
    properties: dict[str, str]
    headers: dict[str, str]

    def summary(self) -> dict[str, Any]:
        """Return all but the body, its properties and headers, for JSON."""
        return {
            "number": self.number,
            "job_id": self.job_id,
            "routing_key": self.routing_key,
            "reason": self.reason,
            "detail": self.detail,
            "attempts": self.attempts,
            "queue": self.queue,
            "time": self.time,
            "bytes": len(self.body),
        }

    def whole(self) -> dict[str, Any]:
        """Return everything, for JSON; a body that is no text comes as ``body_base64``."""
        shown = {**self.summary(), "properties": self.properties, "headers": self.headers}
        try:
            return {**shown, "body": self.body.decode("utf-8")}
        except UnicodeDecodeError:
            return {**shown, "body_base64": base64.b64encode(self.body).decode("ascii")}


async def dead_letters(access: BrokerAccess, *, limit: int, reason: str | None = None) -> list[DeadJob]:
    """Return the oldest *limit* dead letters, of them those that died for *reason*; all stay in the queue.

    Raises:
        BrokerUnavailableError: no connection, or the queue is not there.
    """
    found: list[DeadJob] = []
    async with aclosing(look_into(access, access.topology.dead, Look(limit))) as messages:
        async for message in messages:
            found.append(read_dead_letter(message, len(found) + 1))
    return [dead for dead in found if reason is None or dead.reason == reason]


def read_dead_letter(message: DeliveredMessage, number: int) -> DeadJob:
    """Read a message of the dead-letter queue, whoever put it there; never raises."""
    properties = unwrap(message.header)
    ours = {header.value: properties.header(header.value) for header in DeadHeader}
    attempts = ours[DeadHeader.ATTEMPTS]
    return DeadJob(
        number=number,
        job_id=_job_id(message.body) or properties.text("message_id"),
        routing_key=message.routing_key or "",
        reason=_text(ours[DeadHeader.REASON]),
        detail=_text(ours[DeadHeader.DETAIL]),
        attempts=attempts if isinstance(attempts, int) else 0,
        queue=_text(ours[DeadHeader.QUEUE]),
        time=_text(ours[DeadHeader.TIME]),
        body=message.body,
        properties={name: text for name in _FIELDS if (text := properties.text(name))},
        headers=_others(properties),
    )


def _others(properties: Properties) -> dict[str, str]:
    ours = {header.value for header in DeadHeader}
    names = [key.decode("utf-8", "backslashreplace") for key, _ in properties.headers or ()]
    return {name: str(properties.header(name)) for name in names if name not in ours}


def _job_id(body: bytes) -> str | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    given = value.get("job_id") if isinstance(value, dict) else None
    return given if isinstance(given, str) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
