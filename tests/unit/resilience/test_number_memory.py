"""Answers about numbers: remembered for a time, within fixed bounds."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import FakeClock
from worker.resilience.number_memory import NumberMemory

HOUR = 3600.0
ONE, TWO = "919876543210", "919876543211"
NUMBERS = st.integers(10**6, 10**18 - 1).map(str)


class TestNumberMemory:
    """What is remembered, and for how long."""

    def test_both_answers_are_remembered(self) -> None:
        """A yes as well as a no; what nobody said is missing."""
        memory = NumberMemory(HOUR, FakeClock())
        memory.keep({ONE: True, TWO: False})
        assert {ONE: True, TWO: False} == memory.recall([ONE, TWO, "919876543212"])

    async def test_it_is_forgotten_when_its_time_is_over(self) -> None:
        """To the second, counted from the answer and not from the last question."""
        memory = NumberMemory(HOUR, clock := FakeClock())
        memory.keep({ONE: True})
        await clock.advance(HOUR - 1)
        assert {ONE: True} == memory.recall([ONE])
        await clock.advance(1)
        assert {} == memory.recall([ONE])

    async def test_a_new_answer_takes_the_place_of_the_old_one(self) -> None:
        """And lasts as long as any."""
        memory = NumberMemory(HOUR, clock := FakeClock())
        memory.keep({ONE: True})
        await clock.advance(HOUR / 2)
        memory.keep({ONE: False})
        await clock.advance(HOUR / 2 + 1)
        assert {ONE: False} == memory.recall([ONE])

    def test_no_time_is_no_memory(self) -> None:
        """Nothing is kept, nothing counted."""
        counts: list[tuple[int, int]] = []
        memory = NumberMemory(0, FakeClock(), on_recall=lambda *count: counts.append(count))
        memory.keep({ONE: True})
        assert ({}, []) == (memory.recall([ONE]), counts)

    def test_hits_and_misses_are_told(self) -> None:
        """Once for each question."""
        counts: list[tuple[int, int]] = []
        memory = NumberMemory(HOUR, FakeClock(), on_recall=lambda *count: counts.append(count))
        memory.keep({ONE: True})
        memory.recall([ONE, TWO])
        assert [(1, 1)] == counts

    @given(st.lists(st.dictionaries(NUMBERS, st.booleans(), max_size=20), max_size=20), NUMBERS)
    def test_an_answer_is_the_last_one_or_missing(self, rounds: list[dict[str, bool]], stranger: str) -> None:
        """Whatever was pushed out meanwhile; nobody gets another number's answer."""
        memory, said = NumberMemory(HOUR, FakeClock(), most=16), dict[str, bool]()
        for answers in rounds:
            memory.keep(answers)
            said |= answers
            known = memory.recall([*said, stranger])
            assert said | known == said
            assert len(known) <= 16

    async def test_the_newest_answers_stay(self) -> None:
        """A full memory drops the older half."""
        memory = NumberMemory(HOUR, clock := FakeClock(), most=8)
        names = [str(919800000000 + number) for number in range(9)]
        for name in names:
            memory.keep({name: True})
            await clock.advance(1)
        assert dict.fromkeys(names[4:], True) == memory.recall(names)

    @pytest.mark.no_cover  # a thousand rounds of what other tests cover
    def test_it_does_not_grow_with_the_traffic(self) -> None:
        """Of 200,000 numbers in a row all are remembered; of many more only the newest."""
        memory = NumberMemory(HOUR, FakeClock())
        names = [str(919800000000 + number) for number in range(600_000)]
        tracemalloc.start()
        for start in range(0, len(names), 100):
            memory.keep(dict.fromkeys(names[start : start + 100], False))
            if start == 200_000:
                assert len(memory.recall(names[:start])) == start
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert grown < 20_000_000
        assert len(memory.recall(names)) == len(memory.recall(names[-262_144:])) > 131_072
