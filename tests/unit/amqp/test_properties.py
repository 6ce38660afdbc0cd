"""Message properties as bytes."""

import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from worker.amqp.wire.properties import MalformedPropertiesError, Properties, decode_value

# The library cuts the keys of tables at 128 bytes; a character takes four at the most.
SHORT = st.text(max_size=32)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 - bounds of naive ones
    lambda moment: moment.replace(microsecond=0)
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | SHORT
    | MOMENTS
    | st.binary(max_size=20).map(bytearray)
    | st.decimals(0, 10_000, places=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SHORT, inner, max_size=3),
    max_leaves=8,
)


def library_bytes(**fields: object) -> bytes:
    """What the client library writes for these properties, without the frame around it."""
    properties = Basic.Properties(**fields)  # type: ignore[arg-type]  # drawn by hypothesis
    return ContentHeader(properties=properties).marshal()[12:]


class TestReading:
    """`Properties.parse` against what the client library writes."""

    @given(headers=st.dictionaries(SHORT, VALUES, max_size=5), text=SHORT, moment=MOMENTS)
    def test_it_reads_what_the_library_writes(
        self, headers: dict[str, object], text: str, moment: datetime
    ) -> None:
        """Every header, text and time has the same value."""
        raw = library_bytes(headers=headers, correlation_id=text, timestamp=moment, priority=3)
        properties = Properties.parse(raw)
        assert properties.text("correlation_id") == (text or None)
        assert properties.timestamp == moment
        for name, value in headers.items():
            assert properties.header(name) == value

    @given(headers=st.dictionaries(SHORT, VALUES, max_size=5), text=SHORT)
    def test_writing_gives_the_same_bytes(self, headers: dict[str, object], text: str) -> None:
        """Nothing changes on the way through."""
        raw = library_bytes(headers=headers, message_id=text, app_id=text, delivery_mode=2)
        assert Properties.parse(raw).marshal() == raw

    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(self, raw: bytes) -> None:
        """Nothing but MalformedPropertiesError is ever raised, and what was read can be written."""
        try:
            properties = Properties.parse(raw)
        except MalformedPropertiesError:
            return
        assert Properties.parse(properties.marshal()) == properties

    @given(st.binary(max_size=60))
    def test_any_value_is_decoded_or_none(self, raw: bytes) -> None:
        """A header's value never raises."""
        decode_value(raw)

    @pytest.mark.parametrize("seconds", [2**64 - 1, 10**18])
    def test_an_absurd_time_is_none(self, seconds: int) -> None:
        """Nanoseconds are no reason to fail."""
        assert Properties.parse(struct.pack(">HQ", 64, seconds)).timestamp is None

    def test_milliseconds_are_understood(self) -> None:
        """A common mistake of producers."""
        properties = Properties.parse(struct.pack(">HQ", 64, 1_767_323_045_123))
        assert properties.timestamp == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def test_latin_1_is_no_text_and_survives(self) -> None:
        """It counts as absent and is written back as it came."""
        raw = struct.pack(">H", 1024) + b"\x03\xff\xfe\xfd"
        properties = Properties.parse(raw)
        assert properties.text("correlation_id") is None
        assert properties.marshal() == raw


class TestBuilding:
    """Properties of our own messages."""

    def test_the_library_reads_what_we_write(self) -> None:
        """Persistent, with the fields as given, absent where None was given."""
        now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(microseconds=7)
        built = Properties.of(message_id="m", correlation_id=None, timestamp=now, type="t", headers={"a": 1})
        read = Basic.Properties()
        raw = built.marshal()
        read.unmarshal(struct.unpack(">H", raw[:2])[0], raw[2:])
        assert (read.message_id, read.message_type, read.headers) == ("m", "t", {"a": 1})
        assert read.correlation_id is None
        assert read.delivery_mode == 2
        assert read.timestamp == now.replace(microsecond=0)

    def test_headers_are_set_left_out_and_replaced(self) -> None:
        """By name or by the start of a name; others stay as they are."""
        given = Properties.of(headers={"x-death": 1, "x-death-more": 2, "keep": Decimal("1.5"), "old": 1})
        changed = given.without_headers((), starting=(b"x-death",)).with_headers({"old": 2})
        assert [name for name, _ in changed.headers or ()] == [b"keep", b"old"]
        assert changed.header("old") == 2
        assert changed.without_headers([b"keep", b"old"]).headers == ()
