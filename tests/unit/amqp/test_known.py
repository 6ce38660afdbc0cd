"""What is read of every delivery's properties, held against the careful reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.amqp.consume.deliveries import read_known
from worker.amqp.wire.properties import MalformedPropertiesError, Properties

TEXTS = (
    "content_type",
    "content_encoding",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
)
OCTET = st.binary(min_size=1, max_size=1)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(TEXTS, st.binary(max_size=255)),
        "delivery_mode": OCTET,
        "priority": OCTET,
        "timestamp": st.binary(min_size=8, max_size=8),
    },
)
HEADERS = st.lists(st.tuples(st.binary(max_size=9), st.sampled_from([b"t\x01", b"V", b"S\x00\x00\x00\x01a"])))


class TestReading:
    """One pass over the bytes."""

    @given(FIELDS, st.none() | HEADERS.map(tuple))
    def test_it_reads_what_the_careful_one_reads(
        self, fields: dict[str, bytes], headers: tuple[tuple[bytes, bytes], ...] | None
    ) -> None:
        """Whatever else is there, and whatever is not."""
        known = read_known(Properties(fields, headers).marshal())
        names = ("correlation_id", "reply_to", "message_id", "timestamp")
        assert [fields.get(name, b"") for name in names] == list(known[1:])
        assert b"".join(bytes([len(name)]) + name + value for name, value in headers or ()) == known.table

    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(self, raw: bytes) -> None:
        """Nothing but MalformedPropertiesError is ever raised; what the careful one reads, this does."""
        try:
            known = read_known(raw)
        except MalformedPropertiesError:
            with pytest.raises(MalformedPropertiesError):
                Properties.parse(raw)
        else:
            assert all(isinstance(each, bytes) for each in known)

    def test_what_ends_too_early_is_refused(self) -> None:
        """In the middle of a text, or of its length, of a table, of a time."""
        for raw in (b"", b"\x00", b"\x00\x80", b"\x00\x80\x05abc", b"\x20\x00\x00", b"\x00\x40\x01"):
            with pytest.raises(MalformedPropertiesError):
                read_known(raw)
