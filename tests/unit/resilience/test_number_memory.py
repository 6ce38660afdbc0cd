"""Answers about numbers: remembered for a time, within fixed bounds."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import FakeClock
from worker.resilience.number_memory import NumberMemory

HOUR = 3600.0
ONE, TWO = "919876543210", "919876543211"
NUMBERS = st.from_regex(r"[1-9][0-9]{6,17}", fullmatch=True)


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

    def test_what_is_no_number_is_not_remembered(self) -> None:
        """It would stand for another one."""
        memory = NumberMemory(HOUR, FakeClock())
        memory.keep(dict.fromkeys(("", "+91", "0919876543210", "9" * 30, "\u0967\u0968"), True))
        assert {} == memory.recall(["", "+91", "0919876543210", "919876543210", "9" * 30, "\u0967\u0968"])

    @given(st.dictionaries(NUMBERS, st.booleans(), max_size=60))
    def test_an_answer_is_right_or_missing(self, answers: dict[str, bool]) -> None:
        """Also where numbers push each other out."""
        memory = NumberMemory(HOUR, FakeClock(), shelves=1)
        memory.keep(answers)
        known = memory.recall(answers)
        assert min(8, len(answers)) == len(known)
        assert answers | known == answers

    @given(st.lists(st.dictionaries(NUMBERS, st.booleans(), max_size=20), max_size=20), NUMBERS)
    def test_a_later_answer_counts_wherever_it_is_kept(
        self, rounds: list[dict[str, bool]], stranger: str
    ) -> None:
        """On its own place or another one of its shelf; nobody gets another number's answer."""
        memory, said = NumberMemory(HOUR, FakeClock(), shelves=4), {}
        for answers in rounds:
            memory.keep(answers)
            said |= answers
            known = memory.recall([*said, stranger])
            assert said | known == said

    async def test_the_oldest_answer_makes_room(self) -> None:
        """A full table keeps what is newest."""
        memory = NumberMemory(HOUR, clock := FakeClock(), shelves=1)
        names = [str(919800000000 + number) for number in range(9)]
        for name in names:
            memory.keep({name: True})
            await clock.advance(1)
        assert dict.fromkeys(names[1:], True) == memory.recall(names)

    def test_a_campaign_fits(self) -> None:
        """Of 200,000 numbers in a row nearly all are remembered, and nothing grows with them."""
        memory = NumberMemory(HOUR, FakeClock())
        names = [str(919800000000 + number) for number in range(200_000)]
        tracemalloc.start()
        for start in range(0, len(names), 100):
            memory.keep(dict.fromkeys(names[start : start + 100], False))
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert grown < 100_000
        assert len(memory.recall(names)) > 190_000
