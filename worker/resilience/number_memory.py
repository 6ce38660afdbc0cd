"""Yes-or-no answers about numbers, remembered for a time in a few bytes each."""

import mmap
from collections.abc import Callable, Iterable, Mapping

from worker.ports import Clock

_WAYS = 8
_SHELVES = 32_768  # a power of two; times 8 answers of 16 bytes: a quarter of a million in 4 MB
_LONGEST_NUMBER = 18  # digits; with the answer below it, it fits into 64 bits
_GOLDEN_RATIO = 0x9E3779B97F4A7C15  # spreads neighbouring numbers (Knuth, TAOCP 3, 6.4)


class NumberMemory:
    """The `AnswerMemory` port in a table of fixed size; a dict would need ten times the space.

    A number has its place on one shelf of eight. Where a shelf is full, the answer that would be forgotten
    first makes room: what is lost thereby is only asked for once more.

    Args:
        seconds: how long an answer is remembered; 0 for not at all.
        clock: time.
        shelves: a power of two; the table holds eight times as many answers.
        on_recall: told of each question how many numbers were known and how many were not.
    """

    def __init__(
        self,
        seconds: float,
        clock: Clock,
        *,
        shelves: int = _SHELVES,
        on_recall: Callable[[int, int], None] = lambda _known, _unknown: None,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._mask = shelves - 1
        self._on_recall = on_recall
        # Pages of the system's own, which take up memory only once something is written to them.
        pages = (memoryview(mmap.mmap(-1, shelves * _WAYS * 8)) for _ in range(2))
        self._kept = next(pages).cast("Q")  # the number, doubled, and the answer in the lowest bit
        self._until = next(pages).cast("d")

    def recall(self, numbers: Iterable[str]) -> dict[str, bool]:
        """Return what is known and not too old."""
        if not self._seconds:
            return {}
        now, known, asked = self._clock.elapsed(), {}, 0
        for name in numbers:
            asked += 1
            answer = self._answer(name, now)
            if answer is not None:
                known[name] = answer
        self._on_recall(len(known), asked - len(known))
        return known

    def keep(self, answers: Mapping[str, bool]) -> None:
        """Remember *answers* from now on, in place of earlier ones."""
        if not self._seconds:
            return
        until = self._clock.elapsed() + self._seconds
        for name, answer in answers.items():
            if _is_number(name):
                place = self._place_for(int(name))
                self._kept[place] = int(name) << 1 | answer
                self._until[place] = until

    def _answer(self, name: str, now: float) -> bool | None:
        if not _is_number(name):
            return None
        yes = int(name) << 1 | 1
        start = self._shelf(yes >> 1)
        for place, kept in enumerate(self._kept[start : start + _WAYS], start):
            if kept | 1 == yes:
                return bool(kept & 1) if self._until[place] > now else None
        return None

    def _place_for(self, number: int) -> int:
        """Return the number's own place, else the one that is soonest to be forgotten."""
        start = self._shelf(number)
        for place, kept in enumerate(self._kept[start : start + _WAYS], start):
            if kept >> 1 == number:
                return place
        until = self._until[start : start + _WAYS].tolist()
        return start + until.index(min(until))

    def _shelf(self, number: int) -> int:
        return (number * _GOLDEN_RATIO >> 40 & self._mask) * _WAYS


def _is_number(name: str) -> bool:
    return len(name) <= _LONGEST_NUMBER and name.isascii() and name.isdigit() and name[0] != "0"
