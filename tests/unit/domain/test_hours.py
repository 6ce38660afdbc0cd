"""The hours by the clock of a zone: every day the same, also on those on which clocks are changed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.domain.hours import Hours

KOLKATA = "Asia/Kolkata"
MINUTE = timedelta(minutes=1)
# With an hour that is left out or shown twice, at midnight too, with half an hour, and with a day left out.
ZONES = (
    "Asia/Kolkata",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Pacific/Apia",
    "America/St_Johns",
)
CHANGES = (
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2011, 12, 30, 10, tzinfo=UTC),
)


def india(*windows: str) -> Hours:
    """Hours by India's clock."""
    return Hours.of(windows, KOLKATA)


def at(clock: str, day: str = "2026-03-02", zone: str = "+05:30") -> datetime:
    """A moment, in India unless *zone* says another offset."""
    return datetime.fromisoformat(f"{day}T{clock}{zone}")


class TestWindows:
    """What is open when."""

    @pytest.mark.parametrize(
        ("clock", "is_open"),
        [("09:59:59.999999", False), ("10:00", True), ("20:59:59.999999", True), ("21:00", False)],
    )
    def test_the_beginning_belongs_to_them_and_the_end_does_not(self, clock: str, *, is_open: bool) -> None:
        """To the microsecond."""
        assert is_open is india("10:00-21:00").are_open(at(clock))

    @pytest.mark.parametrize(
        ("clock", "is_open"),
        [("21:59", False), ("22:00", True), ("00:00", True), ("05:59", True), ("06:00", False)],
    )
    def test_a_window_may_go_over_midnight(self, clock: str, *, is_open: bool) -> None:
        """Where its end is before its beginning."""
        assert is_open is india("22:00-06:00").are_open(at(clock))

    def test_two_windows_have_a_break_between(self) -> None:
        """Which ends with the second one."""
        hours = india("10:00-13:00", "15:00-00:00")
        assert [True, False, True, True, False] == [
            hours.are_open(at(clock)) for clock in ("12:59", "13:00", "15:00", "23:59", "00:00")
        ]
        assert at("15:00") == hours.next_opening(at("14:00"))
        assert at("10:00") == hours.next_opening(at("03:00"))

    def test_the_zone_decides_and_not_the_offset_of_the_moment(self) -> None:
        """A moment is the same wherever it is written."""
        assert india("10:00-21:00").are_open(at("04:30", zone="+00:00"))
        assert not india("10:00-21:00").are_open(at("15:30", zone="+00:00"))

    @pytest.mark.parametrize(
        ("windows", "hours"),
        [
            (("10:00-21:00",), 13),
            (("22:00-06:00",), 16),
            (("10:00-13:00", "15:00-21:00"), 13),
            (("00:00-23:59",), 1 / 60),
        ],
    )
    def test_the_longest_break_is_known(self, windows: tuple[str, ...], hours: float) -> None:
        """An entry must outlive it."""
        assert 3600 * hours == pytest.approx(india(*windows).longest_closed)


class TestFaults:
    """What is no window."""

    @pytest.mark.parametrize(
        "window",
        [
            "10-21",
            "10:00",
            "25:00-26:00",
            "10:60-21:00",
            "24:00-10:00",
            "10:00-24:00",
            "9:00-21:00",
            "always",
            "10:00\u201321:00",
            "1\u0966:00-21:00",
            "10:00-21:00-22:00",
            "-",
            " 10:00-21:00",
        ],
    )
    def test_other_forms_are_refused_with_the_right_one(self, window: str) -> None:
        """Whatever people write."""
        with pytest.raises(ValueError, match="HH:MM-HH:MM"):
            india(window)

    def test_a_window_that_ends_where_it_begins_is_refused(self) -> None:
        """It could mean all day or never."""
        with pytest.raises(ValueError, match="ends where it begins"):
            india("10:00-10:00")

    @pytest.mark.parametrize("other", ["20:59-22:00", "22:00-10:01", "12:00-13:00", "10:00-21:00"])
    def test_windows_that_overlap_are_refused(self, other: str) -> None:
        """One of them is a slip."""
        with pytest.raises(ValueError, match="overlap"):
            india("10:00-21:00", other)

    def test_windows_may_touch(self) -> None:
        """That is none."""
        assert india("10:00-12:00", "12:00-14:00").are_open(at("12:00"))


class TestChangesOfClocks:
    """In other zones."""

    def test_an_hour_that_is_shown_twice_counts_twice(self) -> None:
        """Berlin's clocks go from 03:00 back to 02:00."""
        hours = Hours.of(("01:00-02:30",), "Europe/Berlin")
        shown = [
            at(clock, "2026-10-25", "+00:00")
            for clock in ("00:29", "00:30", "00:59", "01:00", "01:29", "01:30")
        ]
        assert [True, False, False, True, True, False] == [hours.are_open(one) for one in shown]
        assert shown[3] == hours.next_opening(shown[1])

    def test_a_beginning_that_is_left_out_is_where_the_clock_goes_on(self) -> None:
        """Berlin's clocks go from 02:00 on to 03:00."""
        hours = Hours.of(("02:30-05:00",), "Europe/Berlin")
        assert at("01:00", "2026-03-29", "+00:00") == hours.next_opening(at("00:10", "2026-03-29", "+00:00"))

    def test_a_window_that_is_left_out_is_not_open_that_day(self) -> None:
        """The next one is."""
        hours = Hours.of(("02:10-02:50",), "Europe/Berlin")
        assert at("00:10", "2026-03-30", "+00:00") == hours.next_opening(at("00:10", "2026-03-29", "+00:00"))

    @settings(max_examples=60, deadline=None)
    @given(
        zone=st.sampled_from(ZONES),
        change=st.sampled_from(CHANGES),
        minutes=st.integers(-2000, 600),
        begin=st.integers(0, 1439),
        length=st.integers(1, 1439),
    )
    @example("Pacific/Apia", CHANGES[-1], -30, 600, 60)
    @example("Australia/Lord_Howe", CHANGES[3], -10, 130, 30)
    def test_the_next_opening_is_the_first_minute_that_is_open(
        self, zone: str, change: datetime, minutes: int, begin: int, length: int
    ) -> None:
        """As whoever looks at the clock each minute sees it, around every change."""
        end = (begin + length) % 1440
        hours = Hours.of((f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}",), zone)
        now = change + minutes * MINUTE
        seen = now
        while not hours.are_open(seen):
            seen += MINUTE
        assert seen == hours.next_opening(now)
