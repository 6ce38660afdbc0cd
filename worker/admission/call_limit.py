"""How many calls in flight suit the gateway: found out from its refusals and its answering times.

Growth and refusals follow AIMD, the brake is a gradient (as in Netflix's concurrency-limits): answering times
of a round against the best round so far, like with like. A round is as many answers as there may be calls in
flight.

- It starts low and doubles each round, until the first refusal or slow round; then it grows by its root.
- A call that is refused while others are served was one too many: the limit goes down by one and does not
  grow past that for `_CEILING_HOLDS` seconds. So of 16 calls to a gateway that serves 10, six refusals lead
  to 10 within one round.
- Calls that queue behind each other are all late, the fast ones too. So a round is slow when each of its
  quartiles is several times the same quartile's best. A wide or heavy-tailed spread moves none of them.
- Slow rounds shrink the limit, never below `_FLOOR`. Where that does not help, the gateway itself has become
  slower, and that is the new measure.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from math import sqrt

from worker.ports import Clock

_TOLERANCE = 2.0  # times the best round's: as many calls wait as are served
_LEAST_ROUND = 25  # answers; the quartiles of fewer are luck
_CEILING_HOLDS = 30.0  # seconds
_LATE, _LATE_TIMES = 5.0, 4  # seconds; times what a slow call takes as a rule, where that is longer
_SERVED_LATELY = 1.0  # seconds since the last answer after which a refusal is an outage
_SHRINKS_TO = (0.5, 0.75)  # of the limit: enough to see whether it helps
_FLOOR = 16  # calls; a brake that is wrong still lets hundreds of jobs a second through to a usual gateway


@dataclass(slots=True)
class _Times:
    """Answering times of one command.

    Attributes:
        recent: seconds of each answer since the limit last changed, or the last look.
        best: the lowest value of each quartile in any round.
        slow_at: how slow the last look was, and with which limit; None where it was not.
        served_at: when the last answer came.
    """

    recent: list[float] = field(default_factory=list)
    best: tuple[float, ...] = ()
    slow_at: tuple[float, int] | None = None
    served_at: float = 0.0

    def slowness(self, limit: int) -> float:
        """Tell how many times the best a round was; 1.0 where that is how it is now, or nobody can tell."""
        if len(self.recent) < _LEAST_ROUND:
            return 1.0
        seen = _quartiles(self.recent)
        self.recent.clear()
        self.best = tuple(map(min, self.best or seen, seen))
        slowness = min(now / best for now, best in zip(seen, self.best, strict=True))
        before, self.slow_at = self.slow_at, None
        if slowness <= _TOLERANCE:
            return 1.0
        # Of a line at the gateway as much is gone as of the limit; halfway between that and nothing is a no.
        if limit <= _FLOOR or (before and slowness > before[0] * (1 + limit / before[1]) / 2):
            self.best = seen
            return 1.0
        self.slow_at = slowness, limit
        return slowness


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
        self._times: dict[Hashable, _Times] = {}
        self._ceiling_until = 0.0
        self._answers = 0
        self._was_full = False
        self.restart()

    def restart(self) -> None:
        """Begin anew, as after an outage; the best answering times are kept."""
        self.value, self._settling = self._first, 0
        self._ceiling = self._refused_above = self._highest
        self._doubling = True
        self._begin_round()
        for times in self._times.values():
            times.slow_at = None

    def served(self, kind: Hashable, seconds: float, *, full: bool) -> None:
        """A call was answered *seconds* after it went out; *full*: others wait for room."""
        times = self._times.get(kind)
        if times is None:
            times = self._times[kind] = _Times()
        times.served_at = self._clock.elapsed()
        if self._settling:
            # It went out while the limit was another.
            self._settling -= 1
            return
        times.recent.append(max(seconds, 1e-4))
        self._answers += 1
        self._was_full |= full
        if self._answers >= max(self.value, _LEAST_ROUND):
            self._end_round()

    def serves(self, kind: Hashable) -> bool:
        """Tell whether calls of this kind were answered until just now."""
        times = self._times.get(kind)
        if times is None:
            return False
        usual = times.best[-1] if times.best else max(times.recent, default=0.0)
        return self._clock.elapsed() - times.served_at <= max(_SERVED_LATELY, 3 * usual)

    def patience(self, kind: Hashable) -> float:
        """Return the seconds after which an answer to one of its calls is late: some, or a few slow calls."""
        times = self._times.get(kind)
        return max(_LATE, _LATE_TIMES * times.best[-1] if times and times.best else 0.0)

    def refused(self) -> bool:
        """A call was one too many; tell whether there are fewer from now on."""
        if self.value <= self._lowest:
            return False  # there is nothing left to give way with
        self._become(self.value - 1)
        self._ceiling = self._refused_above = self.value
        self._ceiling_until = self._clock.elapsed() + _CEILING_HOLDS
        self._doubling = False
        self._begin_round()
        return True

    def served_beside(self) -> None:
        """A call was served that nobody counted: where others were refused beside it, there is more room."""
        if self._ceiling < self._highest:
            self._ceiling += 1
            self._refused_above += 1
            self._become(self.value + 1)

    def _begin_round(self) -> None:
        self._answers = 0
        self._was_full = False

    def _end_round(self) -> None:
        was_full = self._was_full
        self._begin_round()
        if self._clock.elapsed() >= self._ceiling_until:
            self._ceiling = self._highest
        slowness = max(times.slowness(self.value) for times in self._times.values())
        if slowness > _TOLERANCE:
            self._slow_down(slowness)
        elif was_full:
            self._grow()

    def _slow_down(self, slowness: float) -> None:
        self._doubling = False
        least, most = _SHRINKS_TO
        shrunk = int(self.value * min(max(least, _TOLERANCE / slowness), most))
        self._become(min(self.value, max(self._lowest, shrunk, _FLOOR)))

    def _grow(self) -> None:
        if self._doubling:
            more = self.value
        else:
            # Where a refusal was seen before, one more at a time.
            more = 1 if self.value >= self._refused_above else int(sqrt(self.value))
        self._become(max(self.value, min(self.value + max(more, 1), self._ceiling, self._highest)))

    def _become(self, value: int) -> None:
        """Change the limit; what is under way was sent off with the one before."""
        if value != self.value:
            self.value, self._settling = value, self.value
            for times in self._times.values():
                times.recent.clear()


def _quartiles(seconds: Sequence[float]) -> tuple[float, ...]:
    ordered = sorted(seconds)
    return tuple(ordered[len(ordered) * quarter // 4] for quarter in (1, 2, 3))
