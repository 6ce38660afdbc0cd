"""How many jobs of a queue are taken at once: what is done in about two seconds, found out by looking.

A gateway that takes half a second a call needs many jobs in hand to be kept busy. Of one that allows ten
calls at a time, or of a rate limit, the same number would be minutes of work that no other worker can have,
and that a crash hands out again. Both show in how long a job stays in hand: jobs in hand divided by jobs done
a second (Little's law).

- The limit doubles while jobs pass quickly, or while the gateway would take more calls than they make.
- It falls to what is done in that time where they pass slowly, but never below what the calls under way need.
- The two are far enough apart that it comes to rest.
- Bodies in hand take memory: of long ones there are fewer, at once.
"""

from collections import deque
from math import ceil

from worker.ports import Clock

FIRST = 50  # jobs; keeps a gateway of 20 ms busy, and is soon more where that is not enough
_MOST_BYTES = 67_108_864  # of bodies in hand
_WORK = 2.0  # seconds of work in hand
_TOO_MUCH = 8.0  # seconds of work in hand of which the most is given up
_WINDOW = 4.0  # seconds of looks
_CERTAIN = 25  # jobs done, or half a window, tell a rate: few jobs a second come in fits and starts
_JOBS_A_CALL = 2  # beside each in its call one that is before or behind it
_FULL = 0.9  # of the limit: what was done a moment ago is on its way from the broker

_Look = tuple[float, int]  # when, and how many were done by then


class PrefetchLimit:
    """The controller; knows of jobs only what it is told.

    Args:
        lowest: the limit goes below for long bodies alone.
        highest: it never goes above. As many as *lowest*: it never changes.
        clock: time.
        first: where it starts.

    Attributes:
        value: jobs that may be in hand.
    """

    def __init__(self, lowest: int, highest: int, clock: Clock, *, first: int = FIRST) -> None:
        self._lowest = min(lowest, highest)
        self._highest = highest
        self._clock = clock
        self._looks: deque[_Look] = deque()
        self.value = min(max(first, self._lowest), highest)

    def look(self, held: int, done: int, *, length: int, calls: int, has_room: bool) -> int:
        """Return what the limit should be; `follow` makes it so.

        Args:
            held: jobs in hand.
            done: how many have been done so far, ever.
            length: of those in hand together, in bytes.
            calls: to the gateway, under way.
            has_room: whether the gateway would take more of them.
        """
        now, wanted = self._clock.elapsed(), self.value
        fitting = _MOST_BYTES * held // max(length, 1)
        if length > _MOST_BYTES and fitting < self.value:
            wanted = self._bounded(fitting * 3 // 4, lowest=1)
        elif held < self.value * _FULL:
            # It is not the limit that keeps the worker from having more.
            self._looks.clear()
        elif self._looks:
            wanted = self._wanted((now, done), fitting, calls, has_room=has_room)
            wanted = self._bounded(wanted, lowest=min(self._lowest, max(fitting, 1)))
        self._looks.append((now, done))
        while now - self._looks[0][0] > _WINDOW:
            self._looks.popleft()
        return wanted

    def follow(self, value: int) -> None:
        """Make *value* the limit and look anew."""
        self.value = value
        self._looks.clear()

    def _wanted(self, last: _Look, fitting: int, calls: int, *, has_room: bool) -> int:
        first, middle = self._looks[0], self._looks[len(self._looks) // 2]
        seconds, done = last[0] - first[0], last[1] - first[1]
        is_certain = done >= _CERTAIN or seconds >= _WINDOW / 2
        # A gateway that has just gone away says nothing about how many suit it.
        if not seconds or not is_certain or last[1] == middle[1]:
            return self.value
        rate = done / seconds
        if has_room or rate * _WORK > self.value:
            return self.value * 2 if fitting > self.value * 2 else self.value
        if seconds >= _WINDOW and rate * _TOO_MUCH < self.value:
            return min(self.value, max(ceil(rate * _WORK), _JOBS_A_CALL * calls))
        return self.value

    def _bounded(self, value: int, *, lowest: int) -> int:
        if self._lowest == self._highest:
            return self.value
        return min(max(value, lowest, 1), self._highest)
