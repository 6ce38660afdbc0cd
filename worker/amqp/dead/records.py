"""Dead letters as values, whoever put them into their queue: the worker, or the broker by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from schemas.channels import DeadHeader
from worker.amqp.connection.library import DeliveredMessage
from worker.amqp.headers import COPY_ID, ROUTING_KEY
from worker.amqp.wire.properties import Properties
from worker.amqp.wire.raw import unwrap

_ID_LIMIT = 200
_KEY_LIMIT = 255  # bytes; AMQP: a short string


@dataclass(frozen=True, slots=True)
class DeadLetterRecord:
    """One dead letter.

    Attributes:
        id: of this very copy; None for those that the broker dead-lettered by itself (expired, say).
        routing_key: the key that the job came with.
        reason: a code; the broker's own word where it dead-lettered by itself.
        body: untouched; it may hold numbers and texts.
        properties: untouched, for a replay.
        tag: names it towards the browser that gave it.
    """

    id: str | None
    routing_key: str
    reason: str
    detail: str
    attempts: int
    queue: str
    time: datetime | None
    message_id: str | None
    body: bytes
    properties: Properties
    tag: int

    @property
    def replay_id(self) -> str:
        """What a replay of it is known by: the same whenever this letter is read."""
        if self.id is not None:
            return self.id
        copied = _text(self.properties, COPY_ID)
        seen = sha256(repr((self.message_id, copied, self.time)).encode())
        seen.update(self.body)
        return f"dead-{seen.hexdigest()[:40]}"


def read_record(message: DeliveredMessage, tag: int) -> DeadLetterRecord:
    """Read a message of the dead-letter queue; never raises."""
    properties = unwrap(message.header)
    said = _text(properties, DeadHeader.REASON)
    death = {} if said else _last_death(properties)
    attempts = properties.header(DeadHeader.ATTEMPTS)
    return DeadLetterRecord(
        id=_id(properties) if said else None,
        routing_key=_key(properties) or message.routing_key or "",
        reason=said or _word(death, "reason") or "unknown",
        detail=_text(properties, DeadHeader.DETAIL) or "",
        attempts=attempts if isinstance(attempts, int) else 0,
        queue=_text(properties, DeadHeader.QUEUE) or "" if said else _word(death, "queue"),
        time=_time(properties) if said else _moment(death.get("time")),
        message_id=properties.text("message_id"),
        body=message.body,
        properties=properties,
        tag=tag,
    )


def _id(properties: Properties) -> str | None:
    given = _text(properties, COPY_ID)
    return given if given and len(given) <= _ID_LIMIT else None


def _key(properties: Properties) -> str | None:
    """Return the key that it came with; a producer may have written what can be none."""
    given = _text(properties, ROUTING_KEY)
    return given if given and len(given.encode(errors="replace")) <= _KEY_LIMIT else None


def _last_death(properties: Properties) -> Mapping[str, object]:
    """Return what the broker says of the latest death; its first one may be the end of a delay."""
    deaths = properties.header("x-death")
    latest = deaths[0] if isinstance(deaths, list) and deaths else None
    return latest if isinstance(latest, dict) else {}


def _word(death: Mapping[str, object], name: str) -> str:
    value = death.get(name)
    return value if isinstance(value, str) else ""


def _text(properties: Properties, name: str) -> str | None:
    value = properties.header(name)
    return value if isinstance(value, str) else None


def _time(properties: Properties) -> datetime | None:
    try:
        return _moment(datetime.fromisoformat(_text(properties, DeadHeader.TIME) or ""))
    except ValueError:
        return None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
