"""What the headers of a message say that the worker reads, whatever a producer put into them. Pure."""

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

from schemas.channels import TRACEPARENT_HEADER, DeadHeader
from worker.amqp.headers import (
    FIRST_SEEN,
    REPLAY,
    REPLAY_FORCE,
    REPLAY_KNOWN_UNTIL,
    ROUTING_KEY,
    TRACE,
    WAITED,
)
from worker.amqp.wire.properties import Properties
from worker.domain.replay import Replay

# W3C Trace Context, "traceparent header": version ff and all-zero ids are invalid.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
OURS: Final = (b"x-iton-", TRACEPARENT_HEADER.encode())
"""What the names of these headers have in them."""
_YEARS: Final = range(2000, 2200)
_MAX_ATTEMPTS = 1_000_000
KEY_LIMIT: Final = 255
"""Bytes of a key (AMQP: a short string)."""


class Said(NamedTuple):
    """What headers say of a delivery, as `Delivery` has it."""

    routing_key: str | None = None
    traceparent: str | None = None
    attempts: int = 0
    first_seen: datetime | None = None
    replay: Replay | None = None
    waited: bool = False


NOTHING_SAID: Final = Said()


def read_headers(properties: Properties) -> Said:
    """Read them; what is odd counts as absent."""
    return Said(
        _first_key(properties),
        _traceparent(properties),
        _attempts(properties),
        _header_time(properties, FIRST_SEEN),
        _replay(properties),
        properties.header(WAITED) is True,
    )


def _replay(properties: Properties) -> Replay | None:
    """The operator's wish to try a dead letter again; the same id counts once."""
    replay_id = _header_text(properties, REPLAY)
    if not replay_id or len(replay_id) > KEY_LIMIT:
        return None
    return Replay(
        replay_id,
        force=properties.header(REPLAY_FORCE) is True,
        known_until=_header_time(properties, REPLAY_KNOWN_UNTIL),
    )


def _header_text(properties: Properties, name: str) -> str | None:
    value = properties.header(name)
    return value if isinstance(value, str) else None


def _first_key(properties: Properties) -> str | None:
    """The key that a part or a delayed job carries; nothing that could not be a key."""
    key = _header_text(properties, ROUTING_KEY)
    return key if key and len(key.encode()) <= KEY_LIMIT else None


def _traceparent(properties: Properties) -> str | None:
    for name in (TRACE, TRACEPARENT_HEADER):
        value = _header_text(properties, name)
        if value and _TRACEPARENT.fullmatch(value):
            return value
    return None


def _attempts(properties: Properties) -> int:
    value = properties.header(DeadHeader.ATTEMPTS)
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return min(max(value, 0), _MAX_ATTEMPTS)


def _header_time(properties: Properties, name: str) -> datetime | None:
    value = _header_text(properties, name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        utc = moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
    # Nothing of ours is older or younger, and whoever counts on from there must not leave the calendar.
    return utc if utc and utc.year in _YEARS else None
