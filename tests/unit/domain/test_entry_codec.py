"""Ledger entries as bytes."""

import json
import zlib
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import Outcome
from worker.domain.entry import Call, CallState, Entry, Part, Settled, Split
from worker.domain.entry_codec import UnreadableEntryError, decode, encode, part_from_row, part_to_row

WORDS = st.text(max_size=12)
IDS = st.text(min_size=1, max_size=12)
SETTLED = st.builds(
    Settled,
    WORDS,
    st.sampled_from(Outcome),
    st.none() | IDS,
    st.none() | IDS,
    st.none() | IDS,
    st.lists(IDS, max_size=2).map(tuple),
    st.booleans(),
)
CALLS = st.builds(
    Call,
    st.lists(WORDS, min_size=4, max_size=5).map(tuple),
    st.sampled_from(CallState),
    st.integers(0, 20),
    st.floats(0, 2e9),
    st.lists(SETTLED | IDS, max_size=4).map(tuple),
    st.dictionaries(WORDS, st.lists(IDS, min_size=1, max_size=3).map(tuple), max_size=3),
    st.lists(SETTLED, max_size=2).map(lambda some: {one.recipient: one for one in some}),
)
PARTS = st.builds(
    Part,
    st.lists(WORDS, max_size=5).map(tuple),
    st.lists(SETTLED, max_size=3).map(tuple),
    st.lists(CALLS, max_size=3).map(tuple),
)
ENTRIES = st.builds(
    Entry,
    WORDS,
    st.none() | PARTS | st.builds(Split, st.lists(PARTS, max_size=3).map(tuple)),
    st.integers(1, 3),
    st.lists(IDS, max_size=2).map(tuple),
    st.integers(0, 2),
    st.none() | IDS,
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(WORDS, inner))


class TestRoundTrip:
    """What was written is read."""

    @given(ENTRIES)
    def test_an_entry_comes_back_as_it_was(self, entry: Entry) -> None:
        """Whatever is in it."""
        assert entry == decode(encode(entry))

    @given(PARTS)
    def test_a_part_comes_back_from_json(self, part: Part) -> None:
        """As it travels on the parts queue."""
        assert part == part_from_row(json.loads(json.dumps(part_to_row(part))))

    def test_a_long_one_is_compressed(self) -> None:
        """A hundred thousand numbers take a third."""
        names = tuple(f"9198{number:08d}" for number in range(1000))
        entry = Entry("f", Part(names, calls=(Call(names),)))
        assert len(encode(entry)) < 6000
        assert entry == decode(encode(entry))


class TestDamage:
    """Anything else is an error of ours."""

    @given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda some: b"z" + zlib.compress(some)))
    def test_arbitrary_bytes(self, state: bytes) -> None:
        """Never another exception."""
        with pytest.raises(UnreadableEntryError):
            decode(state)

    @given(JSON, st.sampled_from("ps"))
    def test_json_of_another_shape(self, value: object, key: str) -> None:
        """Where the plan should be."""
        with suppress(UnreadableEntryError):
            decode(json.dumps({"v": 1, "f": "x", key: value}).encode())

    @given(JSON)
    def test_json_that_is_no_entry(self, value: object) -> None:
        """At the top."""
        with suppress(UnreadableEntryError):
            decode(json.dumps(value).encode())

    @given(ENTRIES, st.data())
    def test_a_cut_entry(self, entry: Entry, data: st.DataObject) -> None:
        """A prefix is never taken for the whole."""
        state = encode(entry)
        with pytest.raises(UnreadableEntryError):
            decode(state[: data.draw(st.integers(0, len(state) - 1))])

    def test_a_newer_form_is_not_guessed_at(self) -> None:
        """The error says which one it is."""
        with pytest.raises(UnreadableEntryError, match="form 3"):
            decode(b'{"v":3,"f":"x"}')

    def test_a_cancelled_one_has_a_form_that_older_releases_refuse_as_newer(self) -> None:
        """They would send what was stopped. All others stay as they were."""
        entry = Entry("f", Part(("1",)))
        assert encode(entry).startswith(b'{"v":1,')
        assert encode(replace(entry, cancelled="stop")).startswith(b'{"v":2,')

    def test_deep_nesting(self) -> None:
        """Deeper than the parser goes."""
        with pytest.raises(UnreadableEntryError):
            decode(b"[" * 200_000)

    @given(JSON)
    def test_a_part_of_another_shape(self, value: object) -> None:
        """As a message on the parts queue may hold it."""
        with suppress(UnreadableEntryError):
            part_from_row(value)  # type: ignore[arg-type] # this is the test


def test_words_of_late_replies_take_no_room_where_there_are_none() -> None:
    """And stand behind what releases before them read."""
    late = Settled("1", Outcome.UNCERTAIN, None, "reply_lost", "(message id x)", tells_ids=True)
    called = Call(("1",), CallState.CALLING, 1, 1.0)
    told = part_to_row(Part(("1",), (late,), (replace(called, late_words={"1": late}),)))
    row: list[object] = ["1", "uncertain", None, "reply_lost", "(message id x)", [], 1]
    assert [None, [row], [[("1",), "calling", 1, 1.0, [], {}, [row]]]] == told
    silent = part_to_row(Part(("1",), (late._replace(tells_ids=False),), (called,)))
    assert [None, [row[:5]], [[("1",), "calling", 1, 1.0, []]]] == silent


def test_revision_one_takes_no_room() -> None:
    """Nearly every entry has it."""
    entry = Entry("f", Part(("1",)))
    assert b'"r"' not in encode(entry)
    assert b'"r":2' in encode(replace(entry, revision=2))
