"""What is read of every delivery's properties, in one pass; the rest stays bytes (AMQP 0-9-1, 4.2.6.1)."""

from typing import NamedTuple

from worker.amqp.wire.properties import MalformedPropertiesError


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
    """Read flags and values.

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
