"""From the broker's messages to deliveries, and from results, parts and copies to messages. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from pamqp.common import FieldValue

from schemas.channels import APP_ID, CONTENT_TYPE, TRACEPARENT_HEADER, DeadHeader
from worker.amqp.topology import Topology
from worker.amqp.transport import COPY_ID
from worker.amqp.wire import Properties
from worker.domain.messages import DeadLetter, Delay, Delivery, Lane, PartMessage, ResultMessage, never
from worker.domain.replay import Replay

FIRST_SEEN: Final = "x-iton-first-seen"
ROUTING_KEY: Final = "x-iton-routing-key"
EXPIRATION: Final = "x-iton-expiration"
REPLAY: Final = "x-iton-replay"
REPLAY_FORCE: Final = "x-iton-replay-force"
REPLAY_KNOWN_UNTIL: Final = "x-iton-replay-known-until"
# What an earlier round of ours was traced as; the producer's own header stays as it came.
TRACE: Final = "x-iton-traceparent"
USER_ID: Final = "x-iton-user-id"

# W3C Trace Context, "traceparent header": version ff and all-zero ids are invalid.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
# RabbitMQ: older brokers drop a republished message as a "cycle" over these.
DEATHS: Final = (b"x-death", b"x-first-death", b"x-last-death")
# RabbitMQ: a quorum queue adds these to what it delivers; they are not the producer's.
_COUNTS = (b"x-delivery-count", b"x-acquired-count")
# RabbitMQ, "sender-selected distribution": a copy with these would be routed to other queues again.
_SELECTED = (b"CC", b"BCC")
_YEARS: Final = range(2000, 2200)
_MAX_ATTEMPTS = 1_000_000
_DETAIL_LIMIT = 1000
# AMQP: a short string.
_KEY_LIMIT = 255
# RabbitMQ closes the connection over a content header that does not fit a frame (128 KiB by default), and a
# producer may have filled it up to the last byte.
PROPERTIES_LIMIT: Final = 130_000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready for the wire.

    Attributes:
        exchange: empty for the default exchange, where *routing_key* is a queue's name.
    """

    exchange: str
    routing_key: str
    body: bytes
    properties: Properties


def decode_delivery(
    lane: Lane,
    *,
    routing_key: str,
    redelivered: bool,
    body: bytes,
    properties: Properties,
    is_lost: Callable[[], bool] = never,
) -> Delivery:
    """Read the properties that the worker knows; whatever is odd counts as absent, nothing raises."""
    return Delivery(
        lane=lane,
        body=body,
        routing_key=_first_key(properties) or _short(routing_key),
        message_id=properties.text("message_id"),
        correlation_id=properties.text("correlation_id"),
        reply_to=properties.text("reply_to"),
        traceparent=_traceparent(properties),
        attempts=_attempts(properties),
        first_seen=_header_time(properties, FIRST_SEEN),
        published_at=properties.timestamp,
        redelivered=redelivered,
        replay=_replay(properties),
        is_lost=is_lost,
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
    for name in (TRACE, TRACEPARENT_HEADER) if properties.headers else ():
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


def encode_result(topology: Topology, result: ResultMessage, *, now: datetime) -> Outgoing:
    """The result for its exchange."""
    properties = Properties.of(
        content_type=CONTENT_TYPE,
        correlation_id=result.correlation_id,
        message_id=result.message_id,
        timestamp=now,
        type=result.type,
        app_id=APP_ID,
        headers=_trace_headers(result.traceparent),
    )
    return Outgoing(topology.result_exchange(result.exchange), result.routing_key, result.body, properties)


def encode_reply(result: Outgoing, reply_to: str) -> Outgoing:
    """The copy of a result for the queue that the job named."""
    return Outgoing("", reply_to, result.body, result.properties)


def encode_part(topology: Topology, part: PartMessage, *, now: datetime) -> Outgoing:
    """The part for the queue of its lane."""
    properties = Properties.of(
        content_type=CONTENT_TYPE,
        correlation_id=part.correlation_id,
        message_id=part.message_id,
        reply_to=part.reply_to,
        timestamp=now,
        app_id=APP_ID,
        headers={ROUTING_KEY: part.routing_key, **_trace_headers(part.traceparent)},
    )
    return Outgoing("", topology.work_queue(part.lane), part.body, properties)


def _trace_headers(traceparent: str | None) -> dict[str, FieldValue]:
    return {TRACEPARENT_HEADER: traceparent} if traceparent else {}


def _round_trace(traceparent: str | None) -> dict[str, FieldValue]:
    return {TRACE: traceparent} if traceparent else {}


def dead_letter_copy(
    topology: Topology,
    delivery: Delivery,
    properties: Properties,
    why: DeadLetter,
    *,
    now: datetime,
    most: int = PROPERTIES_LIMIT,
) -> Outgoing:
    """The original, with headers that say why it is dead; *most* bytes of properties."""
    said: dict[str, FieldValue] = {
        COPY_ID: uuid4().hex,
        DeadHeader.REASON.value: why.reason,
        DeadHeader.DETAIL.value: why.detail[:_DETAIL_LIMIT],
        DeadHeader.ATTEMPTS.value: delivery.attempts,
        DeadHeader.QUEUE.value: topology.work_queue(delivery.lane),
        DeadHeader.TIME.value: spell_time(now),
        **_round_trace(why.traceparent),
    }
    # After a delay the deaths are those in our own delay queue; before it they are the producer's affair.
    deaths = DEATHS if delivery.attempts else ()
    copied = copyable(properties, said, most).without_headers((ROUTING_KEY.encode(),), starting=deaths)
    if (excess := len(copied.marshal()) - most) > 0:
        shorter = why.detail[:_DETAIL_LIMIT].encode(errors="replace")[:-excess].decode(errors="ignore")
        copied = copied.with_headers({DeadHeader.DETAIL.value: shorter})
    return Outgoing(topology.dead, delivery.routing_key, delivery.body, copied)


def delay_copy(
    topology: Topology,
    delivery: Delivery,
    properties: Properties,
    wait: Delay,
    *,
    now: datetime,
    most: int = PROPERTIES_LIMIT,
) -> Outgoing:
    """The original for the delay queue that serves *wait*, one attempt more if it counts; *most* as above."""
    first_seen = min(delivery.first_seen or now, now) if delivery.first_seen or wait.counts else None
    said: dict[str, FieldValue] = {
        COPY_ID: uuid4().hex,
        DeadHeader.ATTEMPTS.value: delivery.attempts + wait.counts,
        **({FIRST_SEEN: spell_time(first_seen)} if first_seen else {}),
        ROUTING_KEY: delivery.routing_key,
        **_round_trace(wait.traceparent),
    }
    key = topology.delay_key(topology.delay_for(wait.seconds), delivery.lane)
    copied = copyable(properties, said, most).without_headers((), starting=DEATHS)
    return Outgoing(topology.delay, key, delivery.body, copied)


def copyable(
    properties: Properties, said: Mapping[str, FieldValue], most: int = PROPERTIES_LIMIT
) -> Properties:
    """What the broker accepts from us and keeps, whatever the original asked for."""
    # RabbitMQ closes the channel over a user id that is not ours; an expiration makes the copy vanish.
    moved = {EXPIRATION: properties.text("expiration"), USER_ID: properties.text("user_id")}
    kept: dict[str, FieldValue] = {name: value for name, value in moved.items() if value is not None}
    # AMQP reserves cluster_id: some brokers refuse it.
    fields = properties.without_fields("expiration", "user_id", "cluster_id")
    clean = fields.without_headers(_SELECTED + _COUNTS).persistent()
    excess = len(clean.with_headers({**kept, **said}).marshal()) - most
    return _without_largest(clean, excess).with_headers({**kept, **said})


def _without_largest(properties: Properties, excess: int) -> Properties:
    """Leave out the largest headers until the copy, which is *excess* bytes too long, fits."""
    by_size = sorted(properties.headers or (), key=lambda header: len(header[1]))
    dropped = []
    while excess > 0 and by_size:
        name, value = by_size.pop()
        dropped.append(name)
        excess -= len(name) + len(value) + 1
    return properties.without_headers(dropped)


def spell_time(moment: datetime) -> str:
    """RFC 3339, UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
