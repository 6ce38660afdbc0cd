"""Nothing that a message can hold keeps it from being settled."""

import struct
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest
from aiormq.abc import AbstractChannel, DeliveredMessage
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from worker.amqp import headers
from worker.amqp.consume.deliveries import DeliveryChannel, Destination, Received
from worker.amqp.consume.in_hand import Room
from worker.amqp.dead.records import read_record
from worker.amqp.dead.replay import replay_copy
from worker.amqp.publish import copies as made
from worker.amqp.publish.outgoing import Outgoing
from worker.amqp.topology.values import Topology
from worker.amqp.wire import frames
from worker.amqp.wire.properties import Properties, encode_header
from worker.amqp.wire.raw import RAW
from worker.amqp.wire.socket import FrameSocket
from worker.domain.disposition import RetryPolicy
from worker.domain.messages import DeadLetter, Delay, Hold, Lane, Schedule

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TOPOLOGY = Topology("iton", ladder=True)
SMALLEST = made.properties_limit(4_096)  # AMQP: every peer takes such frames
OUR_HEADERS = (
    headers.FIRST_SEEN,
    headers.ROUTING_KEY,
    headers.REPLAY,
    headers.REPLAY_FORCE,
    headers.REPLAY_KNOWN_UNTIL,
    headers.TRACE,
    headers.EXPIRATION,
    "x-iton-attempts",
    "x-iton-id",
    "traceparent",
    "x-death",
    "CC",
    "x-delivery-count",
)
TEXTS = ("message_id", "correlation_id", "reply_to", "expiration", "user_id", "content_type", "type")
SHORT = st.binary(max_size=255)
TIMES = st.sampled_from(
    ["0001-01-01T00:00:00+05:30", "9999-12-31T23:59:59-12:00", "10000-01-01T00:00:00Z", "-1", "2026", ""]
)


def long_text(value: bytes) -> bytes:
    """A header's value."""
    return b"S" + struct.pack(">I", len(value)) + value


def table(pairs: list[tuple[bytes, bytes]]) -> bytes:
    """A field table with its length in front."""
    inner = b"".join(bytes([len(name)]) + name + value for name, value in pairs)
    return struct.pack(">I", len(inner)) + inner


def nested(depth: int) -> bytes:
    """A table in a table in a table."""
    value = long_text(b"deep")
    for _ in range(depth):
        value = b"F" + table([(b"k", value)])
    return value


VALUES = st.one_of(
    SHORT.map(long_text),
    TIMES.map(lambda text: long_text(text.encode())),
    st.integers(-(2**63), 2**63 - 1).map(lambda number: b"l" + struct.pack(">q", number)),
    st.floats(width=64).map(lambda number: b"d" + struct.pack(">d", number)),
    st.integers(0, 2**64 - 1).map(lambda number: b"T" + struct.pack(">Q", number)),
    st.sampled_from([b"t\x00", b"t\x01", b"V", b"D\xff\xff\xff\xff\xff", nested(3), nested(2_000)]),
    st.binary(max_size=40).map(lambda raw: b"A" + struct.pack(">I", len(raw)) + raw),
    st.binary(max_size=40).map(lambda raw: b"x" + struct.pack(">I", len(raw)) + raw),
    st.integers(1, 60_000).map(lambda size: long_text(b"\xff" * size)),
)
HEADERS = st.lists(
    st.tuples(st.one_of(st.sampled_from([name.encode() for name in OUR_HEADERS]), SHORT), VALUES), max_size=6
)
FIELDS = st.fixed_dictionaries(
    {}, optional={**dict.fromkeys(TEXTS, SHORT), "timestamp": st.binary(min_size=8, max_size=8)}
)
PROPERTIES = st.one_of(
    st.builds(Properties, FIELDS, HEADERS.map(tuple)).map(Properties.marshal), st.binary(max_size=300)
)
DETAILS = st.text(max_size=50) | st.sampled_from(["x" * 5_000, "नम" * 3_000, "half a pair \ud83d"])


def received(raw_properties: bytes, key: bytes = b"send", body: bytes = b"job") -> Received:
    """Take a message from the wire."""
    taken: list[Received] = []
    wire = cast("FrameSocket", SimpleNamespace(serve=lambda *_: None))
    channel = cast("AbstractChannel", SimpleNamespace(number=1, is_closed=False))
    deliver = Basic.Deliver("tag", 1, exchange="", routing_key="").marshal()[:-1] + bytes([len(key)]) + key
    method = struct.pack(">I", frames.DELIVER) + deliver
    DeliveryChannel(Lane.SEND, channel, wire, Destination(taken.append, Room().take, Room().give)).on_content(
        method, raw_properties, body
    )
    return taken[0]


def copies(got: Received, detail: str, most: int) -> list[Outgoing]:
    """Everything that it may become."""
    policy = RetryPolicy(TOPOLOGY.delays, 86_400)
    wait = policy.next_round(got.delivery, "down", now=NOW) or Delay(5, "down")
    dead = DeadLetter("bad", detail)
    return [
        made.dead_letter_copy(TOPOLOGY, got.delivery, got.properties, dead, now=NOW, most=most),
        made.delay_copy(TOPOLOGY, got.delivery, got.properties, wait, now=NOW, most=most),
        made.waiting_copy(TOPOLOGY, got.delivery, got.properties, Schedule(5, "scheduled"), most=most),
        made.waiting_copy(TOPOLOGY, got.delivery, got.properties, Hold("outside_hours"), most=most),
    ]


def replayed(properties: Properties, most: int) -> Outgoing:
    """What an operator's replay makes of a dead letter with these."""
    header = ContentHeader(properties=Basic.Properties(headers={RAW: bytearray(properties.marshal())}))
    message = DeliveredMessage(
        Basic.Deliver("tag", 1, routing_key="k" * 255), header, b"job", cast("AbstractChannel", None)
    )
    return replay_copy(TOPOLOGY, read_record(message, 1), force=True, known_until=NOW, most=most)


class TestOddMessages:
    """From the wire, through a delivery, to what is written of it."""

    @given(PROPERTIES, SHORT, DETAILS, st.sampled_from([made.PROPERTIES_LIMIT, 8_000, SMALLEST]))
    def test_every_message_can_be_copied(
        self, raw_properties: bytes, key: bytes, detail: str, most: int
    ) -> None:
        """Whatever its key, ids, times and headers are: the copy fits a frame, and its body is the same."""
        got = received(raw_properties, key)
        for copy in (*copies(got, detail, most), replayed(got.properties, most)):
            raw = copy.properties.marshal()
            assert len(raw) <= most
            assert Properties.parse(raw).header("x-iton-id")
            assert b"job" in frames.publish(1, copy.exchange, copy.routing_key, raw, copy.body, 131_072)

    @pytest.mark.parametrize("name", [*OUR_HEADERS, "x-iton-detail", "x-delivery-count", "x-death"])
    def test_a_large_header_that_the_copy_replaces_makes_no_room(self, name: str) -> None:
        """Another large one goes for ours: the copy of both did not fit a frame, and took the connection."""
        sizes = {name.encode(): 6_000, b"theirs": 5_000}
        given = Properties({}, tuple((key, long_text(b"y" * size)) for key, size in sizes.items()))
        for copy in copies(received(given.marshal()), "why", 4_096):
            assert len(copy.properties.marshal()) <= 4_096

    def test_what_a_copy_leaves_behind_anyway_costs_no_header_of_the_producers(self) -> None:
        """The broker's note of a delay makes room where it stands, and nothing else has to."""
        given = Properties({}, ((b"x-death", long_text(b"d" * 3_000)), (b"theirs", long_text(b"y" * 3_500))))
        waited = Properties({}, (*(given.headers or ()), encode_header("x-iton-attempts", 1)))
        for copy in copies(received(waited.marshal()), "why", SMALLEST):
            assert "y" * 3_500 == copy.properties.header("theirs")

    def test_a_replay_of_a_letter_that_fills_a_frame_fits_one_too(self) -> None:
        """The broker's own letters have none of our headers yet, and a broker may want small frames."""
        given = Properties({}, ((b"theirs", long_text(b"y" * 4_000)),))
        assert len(replayed(given, SMALLEST).raw_properties) <= SMALLEST

    def test_a_replay_outlives_the_many_headers_of_its_producer(self) -> None:
        """Its mark is longer than each of theirs, and without it the job would be taken for a repeat."""
        theirs = tuple((f"h{number:03}".encode(), long_text(b"y" * 20)) for number in range(130))
        marked = Properties.of(headers={headers.REPLAY: "r" * 40, headers.REPLAY_FORCE: True}).headers or ()
        for copy in copies(received(Properties({}, (*theirs, *marked)).marshal()), "why", SMALLEST)[1:]:
            again = received(copy.raw_properties).delivery.replay
            assert again is not None
            assert ("r" * 40, True) == (again.id, again.force)

    def test_a_key_of_many_bytes_that_are_no_text(self) -> None:
        """Cut to what a key may be."""
        got = received(b"\x00\x00", b"\xff" * 200)
        assert "\ufffd" * 85 == got.delivery.routing_key

    @pytest.mark.parametrize(
        "moment", ["0001-01-01T00:00:00+05:30", "1999-12-31T00:00:00Z", "9999-12-31T23:00:00-12:00", "1e9"]
    )
    def test_a_first_time_that_cannot_be_is_none(self, moment: str) -> None:
        """The next delay begins to count."""
        got = received(Properties.of(headers={headers.FIRST_SEEN: moment}).marshal())
        assert got.delivery.first_seen is None

    def test_a_first_time_to_come_is_now(self) -> None:
        """A job does not stay young for ever."""
        got = received(Properties.of(headers={headers.FIRST_SEEN: "2199-01-01T00:00:00Z"}).marshal())
        _, delayed, *_ = copies(got, "", made.PROPERTIES_LIMIT)
        assert made.spell_time(NOW) == delayed.properties.header(headers.FIRST_SEEN)

    def test_half_a_surrogate_pair_in_the_detail(self) -> None:
        """JSON can hold one, and words quote what they complain about."""
        dead, *_ = copies(received(b"\x00\x00"), "bad \ud83d here", made.PROPERTIES_LIMIT)
        assert "bad ? here" == dead.properties.header("x-iton-detail")
