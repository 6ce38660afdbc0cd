"""Parts, and copies of deliveries: dead letters, delays. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Protocol
from uuid import uuid4

from schemas.channels import APP_ID, CONTENT_TYPE, TRACEPARENT_HEADER, DeadHeader
from worker.amqp.connection.library import FieldValue
from worker.amqp.headers import COPY_ID, EXPIRATION, FIRST_SEEN, ROUTING_KEY, TRACE, USER_ID, WAITED
from worker.amqp.publish.outgoing import Outgoing
from worker.amqp.topology import ladder
from worker.amqp.topology.values import Topology
from worker.amqp.wire.frames import HEADER_OVERHEAD
from worker.amqp.wire.properties import Header, Properties
from worker.domain.messages import DeadLetter, Delay, Delivery, FollowUpMessage, Hold, PartMessage, Schedule

# RabbitMQ: older brokers drop a republished message as a "cycle" over these.
DEATHS: Final = (b"x-death", b"x-first-death", b"x-last-death")
# RabbitMQ: a quorum queue adds these to what it delivers; they are not the producer's.
_COUNTS = (b"x-delivery-count", b"x-acquired-count")
# RabbitMQ, "sender-selected distribution": a copy with these would be routed to other queues again.
_SELECTED = (b"CC", b"BCC")
_DETAIL_LIMIT = 1000
# RabbitMQ closes the connection over a content header that does not fit a frame (128 KiB by default), and a
# producer may have filled it up to the last byte.
PROPERTIES_LIMIT: Final = 130_000
_OURS_AT_MOST = 5 + 255  # bytes of a header of ours with its type and length: the longest is a routing key


class Copyable(Protocol):
    """A delivery that can be copied elsewhere."""

    @property
    def delivery(self) -> Delivery:
        """What the worker read of it."""
        ...

    @property
    def properties(self) -> Properties:
        """All that came with it."""
        ...

    @property
    def orphaned(self) -> bool:
        """Whether the broker has it again: a copy is then for another delivery to make."""
        ...


def encode_part(topology: Topology, part: PartMessage, *, now: datetime) -> Outgoing:
    """The part for the queue of its lane."""
    return Outgoing.of("", topology.work_queue(part.lane), part.body, _own_properties(part, now))


def encode_follow_up(topology: Topology, follow_up: FollowUpMessage) -> Outgoing:
    """The follow-up for the delay queue in which it waits.

    Without a timestamp: nobody waits for it from the moment on in which it is published.
    """
    properties = _own_properties(follow_up, None)
    key = topology.track_key(topology.track_delay_for(follow_up.seconds))
    # Two that are under way at once may have the same message id.
    return Outgoing.of(topology.delay, key, follow_up.body, properties.with_headers({COPY_ID: uuid4().hex}))


def _own_properties(message: PartMessage | FollowUpMessage, now: datetime | None) -> Properties:
    return Properties.of(
        content_type=CONTENT_TYPE,
        correlation_id=message.correlation_id,
        message_id=message.message_id,
        reply_to=message.reply_to,
        timestamp=now,
        app_id=APP_ID,
        headers={ROUTING_KEY: message.routing_key, **_trace_headers(message.traceparent)},
    )


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
    # After a wait the deaths are those in our own delay queue; before it they are the producer's affair.
    deaths = DEATHS if delivery.attempts or delivery.waited else ()
    copied = copyable(properties, said, most, gone=(ROUTING_KEY, WAITED), starting=deaths)
    if (excess := len(copied.marshal()) - most) > 0:
        shorter = why.detail[:_DETAIL_LIMIT].encode(errors="replace")[:-excess].decode(errors="ignore")
        copied = copied.with_headers({DeadHeader.DETAIL.value: shorter})
    return Outgoing.of(topology.dead, delivery.routing_key, delivery.body, copied)


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
    copied = copyable(properties, said, most, starting=DEATHS)
    return Outgoing.of(topology.delay, key, delivery.body, copied)


def waiting_copy(
    topology: Topology,
    delivery: Delivery,
    properties: Properties,
    wait: Schedule | Hold,
    *,
    most: int = PROPERTIES_LIMIT,
) -> Outgoing:
    """The original for the ladder, or for the held queue of its lane; *most* as above."""
    said: dict[str, FieldValue] = {
        COPY_ID: uuid4().hex,
        ROUTING_KEY: delivery.routing_key,
        WAITED: True,
    }
    copied = copyable(properties, said, most, starting=DEATHS)
    lane = delivery.lane.open_lane
    if isinstance(wait, Hold):
        return Outgoing.of(topology.held, lane.value, delivery.body, copied)
    return Outgoing.of(topology.scheduled, ladder.key(wait.seconds, lane), delivery.body, copied)


def properties_limit(frame_max: int) -> int:
    """Bytes of properties that fit a frame of *frame_max*, and the broker's own limit."""
    return min(PROPERTIES_LIMIT, frame_max - HEADER_OVERHEAD)


def copyable(
    properties: Properties,
    said: Mapping[str, FieldValue],
    most: int = PROPERTIES_LIMIT,
    *,
    gone: tuple[str, ...] = (),
    starting: tuple[bytes, ...] = (),
) -> Properties:
    """What the broker accepts from us and keeps, whatever the original asked for.

    Args:
        properties: of the original.
        said: headers of ours.
        most: bytes of all of it.
        gone: headers that the copy has no use for, by name.
        starting: the same, by how their names start.
    """
    # RabbitMQ closes the channel over a user id that is not ours; an expiration makes the copy vanish.
    moved = {EXPIRATION: properties.text("expiration"), USER_ID: properties.text("user_id")}
    added = {**{name: value for name, value in moved.items() if value is not None}, **said}
    # AMQP reserves cluster_id: some brokers refuse it.
    fields = properties.without_fields("expiration", "user_id", "cluster_id")
    # What goes anyway, or is replaced by ours, makes no room: it must not be taken for the largest.
    names = (*_SELECTED, *_COUNTS, *(name.encode() for name in (*gone, *added)))
    clean = fields.without_headers(names, starting).persistent()
    excess = len(clean.with_headers(added).marshal()) - most
    return _without_largest(clean, excess).with_headers(added)


def _without_largest(properties: Properties, excess: int) -> Properties:
    """Leave out the largest headers until the copy, which is *excess* bytes too long, fits; ours last."""
    by_size = sorted(properties.headers or (), key=lambda header: (not _is_ours(header), len(header[1])))
    dropped = []
    while excess > 0 and by_size:
        name, value = by_size.pop()
        dropped.append(name)
        excess -= len(name) + len(value) + 1
    return properties.without_headers(dropped)


def _is_ours(header: Header) -> bool:
    """Tell whether a worker may have written it: a replay, its age and its rounds must outlive the copy."""
    name, value = header
    return name.startswith(b"x-iton-") and len(value) <= _OURS_AT_MOST


def spell_time(moment: datetime) -> str:
    """RFC 3339, UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
