"""Dead letters as people and scripts read them."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from pydantic import JsonValue

from schemas.channels import JobKind
from worker.amqp.dead.records import DeadLetterRecord
from worker.amqp.wire.properties import Properties

BROKER_REASONS = frozenset({"delivery_limit", "expired", "maxlen", "rejected", "unknown"})
"""Reasons that no worker gave: the broker's words where it dead-lettered by itself, or nobody's."""

# RabbitMQ adds these where it dead-letters and delivers by itself.
_BROKERS = frozenset({"x-delivery-count", "x-acquired-count", "x-opt-delivery-count"})
_ADDED = ("x-iton-", "x-death", "x-first-death-", "x-last-death-")
_FIELDS = (
    "message_id",
    "correlation_id",
    "reply_to",
    "content_type",
    "content_encoding",
    "type",
    "app_id",
    "user_id",
    "expiration",
)
_PART = "brief"  # what the body of a part of a large job holds its job in


@dataclass(frozen=True, slots=True)
class DeadJob:
    """One dead letter.

    Attributes:
        number: its place in the queue, from 1.
        job_id: of the body, else the message's id; None where there is neither.
        time: when it died, as the worker wrote it.
        properties: the original's, those that are text.
        headers: the original's, without those that worker and broker added.
        id: what a replay of it is known by.
        kind: of job; None where nothing tells.
        died: the same as *time*; None where nothing tells.
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
    properties: Mapping[str, JsonValue]
    headers: Mapping[str, JsonValue]
    id: str = field(default="", kw_only=True)
    kind: JobKind | None = field(default=None, kw_only=True)
    died: datetime | None = field(default=None, kw_only=True)

    def summary(self) -> dict[str, Any]:
        """Return all but the body, its properties and headers, for JSON."""
        return {
            "number": self.number,
            "id": self.id,
            "job_id": self.job_id,
            "kind": self.kind,
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
        shown = {**self.summary(), "properties": dict(self.properties), "headers": dict(self.headers)}
        try:
            return {**shown, "body": self.body.decode("utf-8")}
        except UnicodeDecodeError:
            return {**shown, "body_base64": _base64(self.body)}


def read_dead_job(record: DeadLetterRecord, number: int, prefix: str) -> DeadJob:
    """Read a letter of the dead-letter queue of *prefix*, whoever put it there; never raises."""
    return DeadJob(
        number=number,
        job_id=_job_id(record.body) or record.message_id,
        routing_key=record.routing_key,
        reason=record.reason,
        detail=record.detail,
        attempts=record.attempts,
        queue=record.queue,
        time=_spell(record.time),
        body=record.body,
        properties=_properties(record.properties),
        headers=_others(record.properties),
        id=record.replay_id,
        kind=_kind(record, prefix),
        died=record.time,
    )


def _kind(record: DeadLetterRecord, prefix: str) -> JobKind | None:
    """Tell by the queue it died in, parts of large jobs included, else by the key it came with."""
    base = record.queue.removeprefix(f"{prefix}.") if record.queue else record.routing_key
    try:
        return JobKind(base.partition(".")[0])
    except ValueError:
        return None


def _job_id(body: bytes) -> str | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    for holder in (value, value.get(_PART)) if isinstance(value, dict) else ():
        given = holder.get("job_id") if isinstance(holder, dict) else None
        if isinstance(given, str):
            # JSON can spell half a character, which no output can.
            return given.encode("utf-8", "replace").decode()
    return None


def _spell(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _properties(properties: Properties) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {name: text for name in _FIELDS if (text := properties.text(name))}
    if properties.timestamp:
        found["timestamp"] = _spell(properties.timestamp)
    if priority := properties.fields.get("priority"):
        found["priority"] = priority[0]
    return found


def _others(properties: Properties) -> dict[str, JsonValue]:
    names = [key.decode("utf-8", "backslashreplace") for key, _ in properties.headers or ()]
    return {name: _as_json(properties.header(name)) for name in names if _is_producers(name)}


def _is_producers(name: str) -> bool:
    """Tell a header of the producer's from those that the worker and the broker add on the way."""
    lowered = name.lower()
    return lowered not in _BROKERS and not lowered.startswith(_ADDED)


def _as_json(value: object) -> JsonValue:
    """Say it in JSON, as far as that can."""
    match value:
        case float():
            return value if isfinite(value) else str(value)
        case None | bool() | int() | str():
            return value
        case bytes() | bytearray():
            return {"base64": _base64(bytes(value))}
        case Mapping():
            return {str(name): _as_json(inner) for name, inner in value.items()}
        case list():
            return [_as_json(inner) for inner in value]
        case _:
            return _spell(value) if isinstance(value, datetime) else str(value)


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
