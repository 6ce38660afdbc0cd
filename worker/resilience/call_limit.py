"""How many calls in flight suit the gateway: found out from its refusals and its answering times.

Additive growth, one step down for each refusal, and a brake on latency (as in TCP Vegas and in Netflix's
concurrency-limits): a round is as many answers as there may be calls in flight.

- It starts low and doubles each round, until the first refusal or slow round; then it grows by its root.
- A call that is refused while others are served was one too many: the limit goes down by one and does not
  grow past that for `_CEILING_HOLDS` seconds. So of 16 calls to a gateway that serves 10, six refusals lead
  to 10 within one round.
- Answers that take several times the shortest ones mean that calls queue behind each other: the limit
  shrinks. If they take as long afterwards, the gateway itself has become slower, and that is the new measure.
"""

from collections.abc import Hashable
from math import sqrt

from worker.ports import Clock

_TOLERANCE = 2.0  # times the shortest answering time: as many calls wait as are served
_LEAST_ROUND = 10  # answers; fewer say too little about latency
_CEILING_HOLDS = 30.0  # seconds
_SERVED_LATELY = 1.0  # seconds since the last answer after which a refusal is an outage
_SHRINKS_TO = (0.5, 0.75)  # of the limit: enough to see in the next round whether it helps
_NO_BETTER = 0.9  # of the latency before the limit shrank


class CallLimit:
    """The controller; knows of calls only what it is told.

    Args:
        lowest: the limit never goes below.
        highest: nor above.
        clock: time.
        first: where it starts.

    Attributes:
        value: calls that may be in flight.
    """

    def __init__(self, lowest: int, highest: int, clock: Clock, *, first: int = 8) -> None:
        self._lowest = min(lowest, highest)
        self._highest = highest
        self._clock = clock
        self._first = min(max(first, self._lowest), highest)
        self._usual: dict[Hashable, float] = {}
        self._served_at: dict[Hashable, float] = {}
        self._ceiling_until = 0.0
        self._answers = 0
        self._was_full = False
        self._slowness = 0.0
        self.restart()

    def restart(self) -> None:
        """Begin anew, as after an outage; the usual answering times are kept."""
        self.value = self._first
        self._ceiling = self._refused_above = self._highest
        self._doubling = True
        self._slow_before: float | None = None
        self._begin_round()

    def served(self, kind: Hashable, seconds: float, *, full: bool) -> None:
        """A call was answered *seconds* after it went out; *full*: others wait for room."""
        now = self._clock.elapsed()
        self._served_at[kind] = now
        usual = self._usual.get(kind, seconds)
        self._usual[kind] = usual = max(min(usual, seconds), 1e-4)
        self._slowness += seconds / usual
        self._answers += 1
        self._was_full |= full
        if self._answers >= max(self.value, _LEAST_ROUND):
            self._end_round(now)

    def refused(self, kind: Hashable) -> bool:
        """A call was turned away; tell whether that was for lack of room, with others being served."""
        now = self._clock.elapsed()
        if now - self._served_at.get(kind, -_SERVED_LATELY * 2) > self._patience(kind):
            return False
        if self.value <= self._lowest:
            return False  # there is nothing left to give way with
        self.value -= 1
        self._ceiling = self._refused_above = self.value
        self._ceiling_until = now + _CEILING_HOLDS
        self._doubling = False
        self._begin_round()
        return True

    def _patience(self, kind: Hashable) -> float:
        return max(_SERVED_LATELY, 3 * self._usual.get(kind, 0.0))

    def _begin_round(self) -> None:
        self._answers = 0
        self._was_full = False
        self._slowness = 0.0

    def _end_round(self, now: float) -> None:
        slowness = self._slowness / self._answers
        was_full = self._was_full
        self._begin_round()
        if now >= self._ceiling_until:
            self._ceiling = self._highest
        if slowness > _TOLERANCE:
            self._slow_down(slowness)
        else:
            self._slow_before = None
            if was_full:
                self._grow()

    def _slow_down(self, slowness: float) -> None:
        before, self._slow_before = self._slow_before, slowness
        self._doubling = False
        if before is not None and slowness > before * _NO_BETTER:
            self._usual = {kind: seconds * slowness for kind, seconds in self._usual.items()}
            self._slow_before = None
        else:
            least, most = _SHRINKS_TO
            self.value = max(self._lowest, int(self.value * min(max(least, _TOLERANCE / slowness), most)))

    def _grow(self) -> None:
        if self._doubling:
            more = self.value
        else:
            # Where a refusal was seen before, one more at a time.
            more = 1 if self.value >= self._refused_above else int(sqrt(self.value))
        self.value = max(self.value, min(self.value + max(more, 1), self._ceiling, self._highest))
