"""AMQP message properties that survive a copy unchanged, whatever a producer put into them.

The client library decodes properties before anybody sees the message. What it cannot decode (a timestamp
in nanoseconds, a correlation id in Latin-1) ends the connection, and the broker hands the message to the
next worker, for ever. It also turns doubles into floats and cannot write back strings that are not UTF-8.
So properties are kept here as the bytes that came over the wire (AMQP 0-9-1, 4.2.6.1 and 4.2.5.5).
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from pamqp import decode, encode
from pamqp.common import FieldValue

from worker.amqp.wire.sizes import value_size

# In the order of their flags, from bit 15 down.
_NAMES = (
    "content_type",
    "content_encoding",
    "headers",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
)
_FLAGS = {name: 1 << (15 - place) for place, name in enumerate(_NAMES)}
_OCTETS = frozenset({"delivery_mode", "priority"})
_PERSISTENT = b"\x02"
# RabbitMQ (pamqp's reading as well): no sane producer dates a message after 2106, so larger numbers
# count milliseconds, or finer.
_SECONDS_LIMIT = 0xFFFF_FFFF
_UNDECODABLE = (ValueError, TypeError, OverflowError, OSError, ArithmeticError, RecursionError, struct.error)

Header = tuple[bytes, bytes]


class MalformedPropertiesError(ValueError):
    """The bytes are not AMQP properties; a broker never sends such."""


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties of one message.

    Attributes:
        fields: by name, all but the headers, each as on the wire without a length in front.
        headers: name and typed value, as on the wire; None when the property is absent.
    """

    fields: Mapping[str, bytes]
    headers: tuple[Header, ...] | None = None

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read flags and values.

        Raises:
            MalformedPropertiesError: *raw* ends too early, or holds a type that AMQP does not know.
        """
        try:
            return cls._parse(memoryview(raw))
        except (struct.error, IndexError, KeyError, ValueError) as error:
            raise MalformedPropertiesError(f"{type(error).__name__} in {len(raw)} bytes") from None

    @classmethod
    def _parse(cls, raw: memoryview) -> Self:
        flags = struct.unpack_from(">H", raw)[0]
        fields: dict[str, bytes] = {}
        headers: tuple[Header, ...] | None = None
        rest = raw[2:]
        for name in _NAMES:
            if not flags & _FLAGS[name]:
                continue
            if name == "headers":
                headers, rest = _take_table(rest)
            else:
                fields[name], rest = _take(rest, _width(name))
        return cls(fields, headers)

    @classmethod
    def of(cls, *, headers: Mapping[str, FieldValue] | None = None, **fields: str | datetime | None) -> Self:
        """Build the properties of a message of ours: persistent; None leaves a field out."""
        given = {name: _encode_field(value) for name, value in fields.items() if value is not None}
        table = tuple(encode_header(name, value) for name, value in (headers or {}).items())
        return cls({**given, "delivery_mode": _PERSISTENT}, table or None)

    def marshal(self) -> bytes:
        """The bytes that `parse` reads."""
        present = [
            name for name in _NAMES if name in self.fields or (name == "headers" and self.headers is not None)
        ]
        flags = sum(_FLAGS[name] for name in present)
        return struct.pack(">H", flags) + b"".join(self._marshal_one(name) for name in present)

    def _marshal_one(self, name: str) -> bytes:
        if name == "headers":
            table = b"".join(bytes([len(key)]) + key + value for key, value in self.headers or ())
            return struct.pack(">I", len(table)) + table
        value = self.fields[name]
        return value if name in _OCTETS or name == "timestamp" else bytes([len(value)]) + value

    def text(self, name: str) -> str | None:
        """A field as text; None when absent, empty or not UTF-8."""
        return utf8(self.fields.get(name, b"")) or None

    @property
    def timestamp(self) -> datetime | None:
        """The timestamp as a moment; None when absent or absurd."""
        raw = self.fields.get("timestamp")
        return moment_of(raw) if raw else None

    def header(self, name: str) -> FieldValue | None:
        """The value of a header; None when absent, or when its value has no meaning in Python."""
        wanted = name.encode()
        raw = next((value for key, value in self.headers or () if key == wanted), None)
        return decode_value(raw) if raw is not None else None

    def without_fields(self, *names: str) -> Self:
        """Leave out some fields."""
        return replace(self, fields={name: raw for name, raw in self.fields.items() if name not in names})

    def without_headers(self, names: Iterable[bytes], starting: tuple[bytes, ...] = ()) -> Self:
        """Leave out the headers of these names, and those whose names start so."""
        if self.headers is None:
            return self
        gone = frozenset(names)
        kept = (header for header in self.headers if not _named(header, gone, starting))
        return replace(self, headers=tuple(kept))

    def with_headers(self, headers: Mapping[str, FieldValue]) -> Self:
        """Set headers, in place of those of the same names."""
        added = tuple(encode_header(name, value) for name, value in headers.items())
        kept = self.without_headers(key for key, _ in added).headers or ()
        return replace(self, headers=kept + added)

    def persistent(self) -> Self:
        """To be written to disk by classic queues too."""
        return replace(self, fields={**self.fields, "delivery_mode": _PERSISTENT})


def readable(raw: bytes) -> Properties:
    """Read properties; empty ones if they are beyond reading, as no broker sends them."""
    try:
        return Properties.parse(raw)
    except (MalformedPropertiesError, struct.error):
        return Properties({})


def _named(header: Header, names: frozenset[bytes], starting: tuple[bytes, ...]) -> bool:
    return header[0] in names or header[0].startswith(starting)


def encode_header(name: str, value: FieldValue) -> Header:
    """A header as on the wire; half a surrogate pair, which no UTF-8 can hold, becomes a question mark."""
    if isinstance(value, str):
        raw = value.encode(errors="replace")
        return name.encode(), b"S" + struct.pack(">I", len(raw)) + raw
    return name.encode(), encode.encode_table_value(value)


def decode_value(raw: bytes) -> FieldValue | None:
    """Decode a typed value; None for one that the library cannot read."""
    try:
        return decode.embedded_value(raw)[1]
    except _UNDECODABLE:
        return None


def _encode_field(value: str | datetime) -> bytes:
    if isinstance(value, datetime):
        return struct.pack(">Q", int(value.timestamp()))
    # AMQP: short strings hold 255 bytes.
    return value.encode(errors="replace")[:255]


def _width(name: str) -> int | None:
    """Bytes of a fixed-size field; None for a short string."""
    if name in _OCTETS:
        return 1
    return 8 if name == "timestamp" else None


def _take(rest: memoryview, width: int | None) -> tuple[bytes, memoryview]:
    start, size = (0, width) if width is not None else (1, rest[0])
    end = start + size
    if end > len(rest):
        raise IndexError(end)
    return bytes(rest[start:end]), rest[end:]


def _take_table(rest: memoryview) -> tuple[tuple[Header, ...], memoryview]:
    size = struct.unpack_from(">I", rest)[0]
    if 4 + size > len(rest):
        raise IndexError(size)
    table, rest = rest[4 : 4 + size], rest[4 + size :]
    headers = []
    while table:
        key, table = _take(table, None)
        value, table = _take(table, value_size(table))
        headers.append((key, value))
    return tuple(headers), rest


def utf8(raw: bytes) -> str | None:
    """The text that *raw* is; None for what is none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def moment_of(raw: bytes) -> datetime | None:
    """The moment that a timestamp of 8 bytes tells; None for an absurd one."""
    seconds = int.from_bytes(raw, "big")
    if seconds > _SECONDS_LIMIT:
        seconds //= 1000
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except _UNDECODABLE:
        return None
