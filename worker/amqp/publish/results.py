"""A result on its way out: its properties are bytes that are mostly there already. Pure."""

from datetime import datetime
from functools import lru_cache
from typing import Final

from schemas.channels import APP_ID, CONTENT_TYPE, TRACEPARENT_HEADER
from worker.amqp.publish.outgoing import Outgoing
from worker.amqp.topology.values import Topology
from worker.domain.messages import ResultMessage

_SHORT: Final = 255  # bytes; AMQP: a short string


def _short(text: str) -> bytes:
    """A short string with its length in front; half a surrogate pair becomes a question mark."""
    raw = text.encode(errors="replace")[:_SHORT]
    return bytes((len(raw),)) + raw


# Content type, delivery mode, message id, timestamp, type, application.
_FLAGS: Final = 0x8000 | 0x1000 | 0x0080 | 0x0040 | 0x0020 | 0x0008
_HEADERS: Final = 0x2000
_CORRELATION_ID: Final = 0x0400
_JSON: Final = _short(CONTENT_TYPE)
_PERSISTENT: Final = b"\x02"
_TRACE_KEY: Final = _short(TRACEPARENT_HEADER) + b"S"


def encode_result(topology: Topology, result: ResultMessage, *, now: datetime) -> Outgoing:
    """The result for its exchange."""
    flags, table, correlation_id = _FLAGS, b"", b""
    if result.traceparent:
        flags, table = flags | _HEADERS, _trace_table(result.traceparent)
    if result.correlation_id is not None:
        flags = flags | _CORRELATION_ID
        correlation_id = result.correlation_id.encode(errors="replace")[:_SHORT]
        correlation_id = bytes((len(correlation_id),)) + correlation_id
    message_id = result.message_id.encode(errors="replace")[:_SHORT]
    raw_properties = b"".join(
        (
            flags.to_bytes(2, "big"), _JSON, table, _PERSISTENT, correlation_id,
            bytes((len(message_id),)), message_id,
            int(now.timestamp()).to_bytes(8, "big"), _end(result.exchange),
        )
    )  # fmt: skip
    exchange = topology.result_exchanges[result.exchange]
    return Outgoing(exchange, result.routing_key, result.body, raw_properties, message_id)


@lru_cache
def _end(exchange: str) -> bytes:
    """Type and application."""
    return _short(f"{exchange}.result.v1") + _short(APP_ID)


def _trace_table(traceparent: str) -> bytes:
    value = traceparent.encode(errors="replace")
    table = _TRACE_KEY + len(value).to_bytes(4, "big") + value
    return len(table).to_bytes(4, "big") + table


def encode_reply(result: Outgoing, reply_to: str) -> Outgoing:
    """The copy of a result for the queue that the job named."""
    return result._replace(exchange="", routing_key=reply_to)
