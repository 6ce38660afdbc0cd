"""The hours in which promotional texts may go out, by the clock on a wall somewhere (docs/timing.md)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

_WINDOW = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY_MINUTES: Final = 1_440
# A calendar may leave out a whole day: Samoa moved across the date line in 2011.
_LOOK_AHEAD: Final = 3


@dataclass(frozen=True, slots=True)
class Window:
    """From *begin*, included, to *end*, excluded; over midnight where the end is not after the beginning."""

    begin: time
    end: time

    def holds(self, moment: time) -> bool:
        """Tell whether a clock that shows *moment* is in it."""
        if self.begin < self.end:
            return self.begin <= moment < self.end
        return moment >= self.begin or moment < self.end

    @property
    def minutes(self) -> frozenset[int]:
        """Those of the day that are in it."""
        first, last = _minute(self.begin), _minute(self.end)
        return (
            frozenset(range(first, last))
            if first < last
            else frozenset((*range(first, _DAY_MINUTES), *range(last)))
        )


@dataclass(frozen=True, slots=True)
class Hours:
    """Windows that are the same every day, by the clocks of *zone*.

    Where clocks are put forward or back, what they show decides: an hour that they show twice is in the
    hours twice, and a beginning that they leave out is where they go on.
    """

    windows: tuple[Window, ...]
    zone: ZoneInfo

    @classmethod
    def of(cls, written: Sequence[str], zone: str) -> Self:
        """Read windows such as ``10:00-21:00``.

        Raises:
            ValueError: they are none, with the remedy; or *zone* is no time zone.
        """
        windows = tuple([_window(one) for one in written])
        for index, one in enumerate(windows):
            if any(one.minutes & other.minutes for other in windows[:index]):
                raise ValueError("has windows that overlap; write one for both")
        return cls(windows, ZoneInfo(zone))

    def are_open(self, now: datetime) -> bool:
        """Tell whether *now*, aware, is in a window."""
        shown = now.astimezone(self.zone).time()
        return any(window.holds(shown) for window in self.windows)

    def next_opening(self, now: datetime) -> datetime:
        """The first moment from *now* on, in UTC, at which they are open; *now* itself where they are."""
        if self.are_open(now):
            return now
        found = [one for one in self._beginnings(now) if one > now and self.are_open(one)]
        return min(found, default=now + _LOOK_AHEAD * _DAY)

    @property
    def longest_closed(self) -> float:
        """Seconds from an end to the next beginning at the most, on days on which no clock is changed."""
        opened = sorted(frozenset().union(*[window.minutes for window in self.windows]))
        following = [*opened[1:], opened[0] + _DAY_MINUTES]
        return 60.0 * max(after - minute - 1 for minute, after in zip(opened, following, strict=True))

    def _beginnings(self, now: datetime) -> Iterator[datetime]:
        """Moments at which they may begin: where a window does, on a clock that may show it twice."""
        today = now.astimezone(self.zone).date()
        for day in range(_LOOK_AHEAD):
            for window in self.windows:
                yield from self._moments(today + day * _DAY, window.begin)
        yield from self._changes(now)

    def _moments(self, day: date, begin: time) -> Iterator[datetime]:
        for fold in (0, 1):
            yield datetime.combine(day, begin.replace(fold=fold), self.zone).astimezone(UTC)

    def _changes(self, now: datetime) -> Iterator[datetime]:
        """When the zone's clocks are changed, in the time that is looked at."""
        before = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        for _ in range(24 * _LOOK_AHEAD):
            after = before + _HOUR
            if self._offset(before) != self._offset(after):
                yield self._change(before, after)
            before = after

    def _change(self, before: datetime, after: datetime) -> datetime:
        """The minute between the two at which the offset becomes that of *after*."""
        old = self._offset(before)
        while self._offset(before) == old and before < after:
            before += _MINUTE
        return before

    def _offset(self, moment: datetime) -> timedelta | None:
        return moment.astimezone(self.zone).utcoffset()


def _window(written: str) -> Window:
    found = _WINDOW.fullmatch(written)
    if not found:
        raise ValueError("must be HH:MM-HH:MM, two of them with a comma between; 10:00-21:00, say")
    begin_hour, begin_minute, end_hour, end_minute = map(int, found.groups())
    window = Window(time(begin_hour, begin_minute), time(end_hour, end_minute))
    if window.begin == window.end:
        raise ValueError("has a window that ends where it begins; leave it unset where there are no hours")
    return window


def _minute(moment: time) -> int:
    return 60 * moment.hour + moment.minute
