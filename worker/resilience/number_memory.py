"""Yes-or-no answers about numbers, remembered for a time, in bounds."""

from collections.abc import Callable, Iterable, Mapping

from worker.ports import Clock

_MOST = 262_144  # answers; 100 bytes each


class NumberMemory:
    """The `AnswerMemory` port in two dicts: the newer answers and the older ones.

    When the newer ones fill half of the room, the older ones are dropped as a whole and these take their
    place: what is lost thereby is only asked for once more.

    Args:
        seconds: how long an answer is remembered; 0 for not at all.
        clock: time.
        most: answers that are remembered at the most; the newest half of them always is.
        on_recall: told of each question how many numbers were known and how many were not.
    """

    def __init__(
        self,
        seconds: float,
        clock: Clock,
        *,
        most: int = _MOST,
        on_recall: Callable[[int, int], None] = lambda _known, _unknown: None,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._half = most // 2
        self._on_recall = on_recall
        # When the answer ends, in seconds of the clock; below zero for a number that is listed.
        self._newer: dict[str, float] = {}
        self._older: dict[str, float] = {}

    def recall(self, numbers: Iterable[str]) -> dict[str, bool]:
        """Return what is known and not too old."""
        if not self._seconds:
            return {}
        now, known, asked = self._clock.elapsed(), {}, 0
        newer, older = self._newer, self._older
        for name in numbers:
            asked += 1
            until = newer.get(name) or older.get(name, 0.0)
            if until > now or -until > now:
                known[name] = until < 0
        self._on_recall(len(known), asked - len(known))
        return known

    def keep(self, answers: Mapping[str, bool]) -> None:
        """Remember *answers* from now on, in place of earlier ones."""
        if not self._seconds:
            return
        until = self._clock.elapsed() + self._seconds
        for name, listed in answers.items():
            if len(self._newer) >= self._half:
                self._newer, self._older = {}, self._newer
            self._newer[name] = -until if listed else until
