"""Yes-or-no answers about numbers, remembered for a time, in bounds."""

from collections.abc import Callable, Collection, Mapping

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

    def recall(self, numbers: Collection[str]) -> dict[str, bool]:
        """Return what is known and not too old."""
        if not self._seconds:
            return {}
        known: dict[str, bool] = {}
        newer, older = self._newer, self._older
        # Of most campaigns nobody is known: seen in a tenth of the time that it takes one by one.
        if not (newer.keys().isdisjoint(numbers) and older.keys().isdisjoint(numbers)):
            now = self._clock.elapsed()
            for name in numbers:
                until = newer.get(name) or older.get(name, 0.0)
                if until > now or -until > now:
                    known[name] = until < 0
        self._on_recall(len(known), len(numbers) - len(known))
        return known

    def keep(self, answers: Mapping[str, bool]) -> None:
        """Remember *answers* from now on, in place of earlier ones."""
        if not self._seconds:
            return
        until = self._clock.elapsed() + self._seconds
        told = {name: -until if listed else until for name, listed in answers.items()}
        if len(self._newer) + len(told) <= self._half:
            self._newer.update(told)
            return
        for name, ends in told.items():
            if len(self._newer) >= self._half:
                self._newer, self._older = {}, self._newer
            self._newer[name] = ends
