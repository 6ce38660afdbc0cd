"""Entries of api jobs in the ledger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain import entry_codec
from worker.domain.api_entry import ApiEnd, ApiEntry, begin, decode, encode, ended, joined, release
from worker.domain.entry import CallState, Entry
from worker.domain.entry_codec import UnreadableEntryError

_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
)
_ENDS = st.builds(
    ApiEnd,
    st.sampled_from(["done", "failed", "uncertain"]),
    st.none() | st.integers(200, 599),
    _JSON,
    st.booleans(),
    st.none() | _TEXT,
    st.none() | _TEXT,
)
_ENTRIES = st.builds(
    ApiEntry,
    _TEXT,
    st.sampled_from(CallState),
    st.integers(0, 9),
    st.floats(0, 2e9),
    st.none() | _ENDS,
    st.integers(1, 3),
    st.lists(_TEXT, max_size=2).map(tuple),
)


class TestCodec:
    """Bytes and back."""

    @given(entry=_ENTRIES)
    def test_round_trip(self, entry: ApiEntry) -> None:
        """Nothing gets lost."""
        assert entry == decode(encode(entry))

    def test_a_long_reply_is_compressed(self) -> None:
        """And comes back."""
        entry = ended(ApiEntry("f"), ApiEnd("done", 200, "x" * 65_536))
        assert len(encode(entry)) < 1_000
        assert entry == decode(encode(entry))

    @given(state=st.binary(max_size=40))
    def test_anything_else_is_unreadable(self, state: bytes) -> None:
        """Which is an error of its own."""
        with pytest.raises(UnreadableEntryError):
            decode(state)

    def test_a_newer_form_says_so(self) -> None:
        """While a deployment rolls."""
        newer = encode(ApiEntry("f")).replace(b'"v":1', b'"v":2')
        with pytest.raises(UnreadableEntryError) as raised:
            decode(newer)
        assert raised.value.is_newer

    def test_no_send_job_reads_it_and_it_reads_none(self) -> None:
        """A key belongs to a kind of job."""
        with pytest.raises(UnreadableEntryError):
            entry_codec.decode(encode(ApiEntry("f")))
        with pytest.raises(UnreadableEntryError):
            decode(entry_codec.encode(Entry("f")))

    @given(end=_ENDS)
    def test_a_repr_shows_no_reply(self, end: ApiEnd) -> None:
        """Asyncio and a failed test print them."""
        assert repr(ended(ApiEntry("f"), ApiEnd(end.status, 200, "secret-4711"))).count("4711") == 0


class TestSteps:
    """What may follow what."""

    def test_a_call_that_did_not_go_out_is_not_counted(self) -> None:
        """One whose reply was lost is."""
        begun = begin(ApiEntry("f"), started=5.0)
        assert (begun.state, begun.attempts, begun.started) == (CallState.CALLING, 1, 5.0)
        assert ApiEntry("f") == release(begun, went_out=False)
        assert ApiEntry("f", attempts=1) == release(begun, went_out=True)

    @pytest.mark.parametrize("mine", ["done", "failed", "uncertain"])
    @pytest.mark.parametrize("found", ["done", "failed", "uncertain"])
    def test_only_a_doubt_is_ever_replaced(self, found: str, mine: str) -> None:
        """By what is none: the one way in which an end changes."""
        entry = ended(ApiEntry("f"), ApiEnd(found, 200))  # type: ignore[arg-type]
        after = joined(entry, ApiEnd(mine, 201))  # type: ignore[arg-type]
        changed = found == "uncertain" and mine != "uncertain"
        assert (after.known_end.http_status, after.revision) == ((201, 2) if changed else (200, 1))
