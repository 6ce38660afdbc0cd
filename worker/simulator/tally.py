"""How often each recipient got each text, in bounded memory."""

from collections.abc import Iterable, Iterator


class Tally:
    """Count pairs of number and text; at least the newest *room* distinct pairs are known exactly.

    Two generations hold the pairs, *room* each and a call's worth. When the newer one is full, the older
    one is dropped: what it held counts as forgotten, and a repeat of it goes unnoticed.

    Attributes:
        repeats: messages beyond the first of their pair, ever.
        forgotten: pairs that are no longer known.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.repeats = 0
        self.forgotten = 0
        self._new: dict[tuple[str, str], int] = {}
        self._old: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def add(self, numbers: Iterable[str], text: str) -> None:
        """Count one message to each of *numbers*."""
        new, old = self._new, self._old
        for number in numbers:
            pair = (number, text)
            before = new.get(pair) or old.pop(pair, 0)
            new[pair] = before + 1
            self.repeats += before > 0
        if len(new) >= self.room:
            self.forgotten += len(old)
            self._old, self._new = new, {}

    def times(self, number: str, text: str) -> int:
        """Return how often *number* got *text*."""
        pair = (number, text)
        return self._new.get(pair) or self._old.get(pair, 0)

    def items(self, at_least: int = 1) -> Iterator[tuple[str, str, int]]:
        """Yield number, text and times of each pair that was sent *at_least* so often."""
        for generation in (self._old, self._new):
            for (number, text), times in generation.items():
                if times >= at_least:
                    yield number, text, times
