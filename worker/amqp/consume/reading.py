"""From the broker's messages to deliveries. Pure."""

import re
from collections.abc import Callable
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
from worker.amqp.wire.frames import Deliver
from worker.amqp.wire.properties import MalformedPropertiesError, Properties, moment_of, readable, utf8
from worker.domain.messages import Delivery, Lane, never
from worker.domain.replay import Replay

# W3C Trace Context, "traceparent header": version ff and all-zero ids are invalid.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
# What the names of the headers have in them that the worker reads.
_OURS = (b"x-iton-", TRACEPARENT_HEADER.encode())
_YEARS: Final = range(2000, 2200)
_MAX_ATTEMPTS = 1_000_000
# AMQP: a short string has 255 bytes, a character four at the most.
_KEY_LIMIT = 255
_SURELY_SHORT = 63


class Known(NamedTuple):
    """The properties that say what a message is, as on the wire; empty: absent.

    Attributes:
        table: of the headers, without its length in front.
        timestamp: 8 bytes.
    """

    table: bytes = b""
    correlation_id: bytes = b""
    reply_to: bytes = b""
    message_id: bytes = b""
    timestamp: bytes = b""


NOTHING = Known()


def read_known(raw: bytes) -> Known:  # noqa: C901 - a property a branch, in the order of their flags
    """Read flags and values in one pass; what is not of use stays bytes (AMQP 0-9-1, 4.2.6.1).

    Raises:
        MalformedPropertiesError: *raw* ends too early; a broker never sends such.
    """
    table = correlation_id = reply_to = message_id = timestamp = b""
    try:
        flags, at = raw[0] << 8 | raw[1], 2
        if flags & 0x8000:  # content type
            at += 1 + raw[at]
        if flags & 0x4000:  # content encoding
            at += 1 + raw[at]
        if flags & 0x2000:
            start = at + 4
            at = start + int.from_bytes(raw[at:start], "big")
            table = raw[start:at]
        # Delivery mode and priority are a byte each.
        at += (flags >> 12 & 1) + (flags >> 11 & 1)
        if flags & 0x0400:
            start, at = at + 1, at + 1 + raw[at]
            correlation_id = raw[start:at]
        if flags & 0x0200:
            start, at = at + 1, at + 1 + raw[at]
            reply_to = raw[start:at]
        if flags & 0x0100:  # expiration
            at += 1 + raw[at]
        if flags & 0x0080:
            start, at = at + 1, at + 1 + raw[at]
            message_id = raw[start:at]
        if flags & 0x0040:
            start, at = at, at + 8
            timestamp = raw[start:at]
    except IndexError:
        at = len(raw) + 1
    if at > len(raw):
        raise MalformedPropertiesError(f"{len(raw)} bytes end too early")
    return Known(table, correlation_id, reply_to, message_id, timestamp)


def decode_delivery(
    lane: Lane, deliver: Deliver, raw_properties: bytes, body: bytes, is_lost: Callable[[], bool] = never
) -> Delivery:
    """Read what the worker knows; whatever is odd counts as absent, nothing raises."""
    try:
        known = read_known(raw_properties)
    except MalformedPropertiesError:
        known = NOTHING
    texts = (known.message_id, known.correlation_id, known.reply_to)
    try:
        message_id, correlation_id, reply_to = map(bytes.decode, texts)
    except UnicodeDecodeError:
        message_id, correlation_id, reply_to = (utf8(text) or "" for text in texts)
    # A table is looked into where it has a header that the worker reads.
    has_ours = known.table and any(name in known.table for name in _OURS)
    headers = readable(raw_properties) if has_ours else None
    key = deliver.routing_key
    return Delivery(
        lane,
        body,
        (headers and _first_key(headers)) or (key if len(key) <= _SURELY_SHORT else _short(key)),
        message_id or None,
        correlation_id or None,
        reply_to or None,
        _traceparent(headers) if headers else None,
        _attempts(headers) if headers else 0,
        _header_time(headers, FIRST_SEEN) if headers else None,
        moment_of(known.timestamp) if known.timestamp else None,
        deliver.redelivered,
        _replay(headers) if headers else None,
        is_lost,
        waited=headers is not None and headers.header(WAITED) is True,
    )


def _replay(properties: Properties) -> Replay | None:
    """The operator's wish to try a dead letter again; the same id counts once."""
    replay_id = _header_text(properties, REPLAY)
    if not replay_id or len(replay_id) > _KEY_LIMIT:
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
    return key if key and len(key.encode()) <= _KEY_LIMIT else None


def _short(key: str) -> str:
    """What fits a key of bytes that were no UTF-8: each such byte has become a character of three."""
    return key.encode()[:_KEY_LIMIT].decode(errors="ignore")


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
