"""Yes-or-no answers about numbers, remembered for a time in a few bytes each."""

import mmap
from collections.abc import Callable, Iterable, Mapping

from worker.ports import Clock

_WAYS = 8
_SHELVES = 32_768  # a power of two; times 8 answers of 16 bytes: a quarter of a million in 4 MB
_LONGEST_NUMBER = 18  # digits; with the answer below it, it fits into 64 bits
_GOLDEN_RATIO = 0x9E3779B97F4A7C15  # spreads neighbouring numbers (Knuth, TAOCP 3, 6.4)
_SPREAD = 37  # bits of the product that are not used


class NumberMemory:
    """The `AnswerMemory` port in a table of fixed size; a dict would need ten times the space.

    A number has its place on one shelf of eight, at best its own place there, which it takes while nobody
    has it. Where a shelf is full, the answer that would be forgotten first makes room: what is lost thereby
    is only asked for once more.

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
        self._mask = shelves * _WAYS - 1
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
        kept, until, mask = self._kept, self._until, self._mask
        for name in numbers:
            asked += 1
            if not _is_number(name):
                continue
            number = int(name)
            own = number * _GOLDEN_RATIO >> _SPREAD & mask
            # Whose own place is empty was never here: no place is ever emptied.
            there = kept[own] >> 1
            if not there:
                continue
            place = own if there == number else self._found(number, own)
            if place is not None and until[place] > now:
                known[name] = bool(kept[place] & 1)
        self._on_recall(len(known), asked - len(known))
        return known

    def keep(self, answers: Mapping[str, bool]) -> None:
        """Remember *answers* from now on, in place of earlier ones."""
        if not self._seconds:
            return
        until = self._clock.elapsed() + self._seconds
        kept, mask = self._kept, self._mask
        for name, answer in answers.items():
            if not _is_number(name):
                continue
            number = int(name)
            place = number * _GOLDEN_RATIO >> _SPREAD & mask
            there = kept[place] >> 1
            if there and there != number:
                place = self._place_for(number, place)
            kept[place] = number << 1 | answer
            self._until[place] = until

    def _found(self, number: int, own: int) -> int | None:
        """Return where on its shelf the number is."""
        start = own - own % _WAYS
        numbers = [kept >> 1 for kept in self._kept[start : start + _WAYS].tolist()]
        return start + numbers.index(number) if number in numbers else None

    def _place_for(self, number: int, own: int) -> int:
        """Return the number's place on its shelf, else the one that is soonest to be forgotten."""
        if (place := self._found(number, own)) is not None:
            return place
        start = own - own % _WAYS
        until = self._until[start : start + _WAYS].tolist()
        return start + until.index(min(until))


def _is_number(name: str) -> bool:
    return len(name) <= _LONGEST_NUMBER and name.isascii() and name.isdigit() and name[0] != "0"
