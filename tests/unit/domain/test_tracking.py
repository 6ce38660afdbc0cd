"""Units of tracked messages: as bytes, by their numbers, and when they are looked at."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.entry_codec import UnreadableEntryError
from worker.domain.tracking import (
    Result,
    Tracked,
    Unit,
    decode_unit,
    delay_of,
    encode_unit,
    is_tracking_key,
    track_number,
    tracking_key,
)

WORDS = st.text(max_size=30)
MESSAGES = st.builds(
    Tracked, WORDS, st.lists(WORDS, min_size=1, max_size=3).map(tuple), st.integers(0, 2**33)
)
UNITS = st.builds(
    Unit,
    look=st.integers(1, 10_000),
    nonce=WORDS,
    step=st.integers(0, 100),
    results=st.integers(0, 100),
    open=st.lists(MESSAGES, max_size=5, unique_by=lambda one: one.message_id).map(
        lambda some: tuple(sorted(some, key=lambda one: one.accepted))
    ),
    ended=st.lists(WORDS, max_size=5).map(tuple),
    unpublished=st.lists(st.builds(Result, st.integers(1, 99), WORDS), max_size=2).map(tuple),
)


class TestBytes:
    """What the ledger holds."""

    @given(UNITS)
    def test_a_unit_comes_back_as_it_was(self, unit: Unit) -> None:
        """Messages of one time stand together."""
        found = decode_unit(encode_unit(unit))
        assert sorted(unit.open) == sorted(found.open)
        assert unit == replace(found, open=unit.open)

    @pytest.mark.parametrize("state", [b"", b"{}", b"[]", b"zzz", b'{"v": 1}', b'{"v":1,"l":1,"o":[[1]]}'])
    def test_anything_else_is_unreadable(self, state: bytes) -> None:
        """And nothing but that is raised."""
        with pytest.raises(UnreadableEntryError) as caught:
            decode_unit(state)
        assert not caught.value.is_newer

    def test_a_newer_form_is_known_as_such(self) -> None:
        """A deployment rolls."""
        with pytest.raises(UnreadableEntryError) as caught:
            decode_unit(b'{"v": 2}')
        assert caught.value.is_newer

    def test_a_hundred_messages_take_little(self) -> None:
        """The bound that docs/tracking.md names: 2.3 KB for an entry."""
        ids = tuple(Tracked(f"{number * 7919:024x}", (f"9198{number:08d}",), 1) for number in range(100))
        assert len(encode_unit(Unit(open=ids))) < 2_300


class TestKeys:
    """Of entries, and of results."""

    @pytest.mark.parametrize("other", ["track", "track/1/0123456789abcdef", "a-job"])
    def test_no_job_s_and_no_part_s_key_is_one(self, other: str) -> None:
        """Whatever a job is called."""
        assert is_tracking_key(tracking_key("track", 1, "f" * 64))
        assert not is_tracking_key(other)

    @given(st.integers(1, 50))
    def test_no_two_results_of_a_job_have_one_number(self, parts: int) -> None:
        """Without the parts knowing of each other; of one part they are 1, 2, 3."""
        numbers = [track_number(part, parts, nth) for part in range(1, parts + 1) for nth in range(1, 5)]
        assert len(numbers) == len(set(numbers))
        assert min(numbers) == 1
        assert parts > 1 or [1, 2, 3, 4] == numbers


class TestDelays:
    """When a look is due."""

    @pytest.mark.parametrize(
        ("step", "left", "seconds"),
        [
            (0, 1e6, 30),
            (1, 1e6, 60),
            (9, 1e6, 120),  # the last one repeats
            (9, 40.0, 60),  # the limit is near: the next look comes right after it
            (9, 0.0, 120),
            (9, -5.0, 120),
            (0, 1.0, 30),
        ],
    )
    def test_by_the_step_and_the_limit(self, step: int, left: float, seconds: int) -> None:
        """Never longer than the schedule has it."""
        assert seconds == delay_of((30, 60, 120), step, left)
