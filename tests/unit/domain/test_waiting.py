"""Whether a job goes out, waits or has no chance; and where it waits."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.errors import WaitsError
from worker.domain.hours import Hours
from worker.domain.messages import Delay, Hold, Lane, Requeue, Schedule
from worker.domain.waiting import Times, WaitingRoom

HOURS = Hours.of(("10:00-21:00",), "Asia/Kolkata")
ROOM = WaitingRoom(65_535, (5, 30, 120, 600))


def at(clock: str, day: int = 2) -> datetime:
    """A moment in India."""
    return datetime.fromisoformat(f"2026-03-{day:02}T{clock}+05:30")


def seconds(number: float) -> timedelta:
    """So many."""
    return timedelta(seconds=number)


NOW = at("12:00")
NIGHT = at("22:00")


def waits_until(moment: datetime | None) -> WaitsError:
    """What a job waits for."""
    return WaitsError("scheduled" if moment else "outside_hours", "", until=moment)


class TestWhen:
    """By send_after, expires_at and the hours."""

    def test_before_its_time_it_waits_for_that(self) -> None:
        """Also at night: the hours come after."""
        for now in (NOW, NIGHT):
            waits = Times(send_after=now + seconds(0.001), hours=HOURS).wait(now)
            assert waits
            assert ("scheduled", now + seconds(0.001)) == (waits.code, waits.until)

    def test_at_its_time_and_in_the_past_it_goes(self) -> None:
        """At once."""
        assert Times(send_after=NOW).wait(NOW) is None
        assert Times(send_after=NOW - seconds(1e9)).wait(NOW) is None

    def test_outside_the_hours_it_waits_for_these(self) -> None:
        """Without a time of its own."""
        waits = Times(hours=HOURS).wait(NIGHT)
        assert waits
        assert ("outside_hours", None) == (waits.code, waits.until)
        assert Times(hours=HOURS).wait(NOW) is None

    @pytest.mark.parametrize(
        ("end", "lost"), [(at("09:59", 3), True), (at("10:00", 3), True), (at("10:01", 3), False)]
    )
    def test_one_that_ends_before_the_next_opening_has_no_chance(self, end: datetime, *, lost: bool) -> None:
        """At the very moment of it is too late."""
        assert lost is Times(expires_at=end, hours=HOURS).has_no_chance(NIGHT)

    def test_a_job_for_the_night_that_ends_before_the_morning_has_no_chance_at_noon(self) -> None:
        """Nobody need wait to know."""
        times = Times(send_after=NIGHT, expires_at=at("06:00", 3), hours=HOURS)
        assert times.has_no_chance(NOW)
        assert not Times(send_after=at("13:00"), expires_at=at("14:00"), hours=HOURS).has_no_chance(NOW)

    def test_without_hours_there_is_always_one(self) -> None:
        """What is over is another matter."""
        assert not Times(send_after=NIGHT, expires_at=at("23:00")).has_no_chance(NOW)


class TestWhere:
    """In the ladder, in a held queue, or in front of its own."""

    @given(rest=st.floats(0.001, 604_800))
    def test_stages_reach_its_time_and_pass_it_by_less_than_a_second(self, rest: float) -> None:
        """However far it is; all but the last are one queue each."""
        left, stages = rest, []
        while left > 0:
            place = ROOM.place(waits_until(NOW + seconds(rest)), Lane.SEND, NOW + seconds(rest - left))
            assert isinstance(place, Schedule)
            stages.append(place.seconds)
            left -= place.seconds
        assert -1.001 < left
        assert {1} >= {stage.bit_count() for stage in stages[:-1]}
        assert len(stages) <= 18

    def test_an_early_look_is_worth_less_than_a_queue_more(self) -> None:
        """A retention of an hour has a job looked at each quarter of an hour."""
        place = WaitingRoom(1800, (5,)).place(waits_until(NOW + seconds(1801)), Lane.SEND, NOW)
        assert Schedule(1024, "scheduled") == place

    def test_what_meets_the_end_of_the_hours_is_held(self) -> None:
        """What was held stays in front."""
        for lane in (lane for lane in Lane if lane.is_held):
            assert Hold("outside_hours") == ROOM.place(waits_until(None), lane.open_lane, NIGHT)
            assert Requeue("outside_hours") == ROOM.place(waits_until(None), lane, NIGHT)

    def test_a_part_that_is_early_goes_back(self) -> None:
        """Whoever made it has a clock that is ahead."""
        place = ROOM.place(waits_until(NOW + seconds(1)), Lane.SEND_PARTS, NOW)
        assert Requeue("scheduled") == place

    @pytest.mark.parametrize(
        ("rest", "place"),
        [
            (4, Requeue("scheduled")),
            (31, Delay(30, "scheduled", counts=False)),
            (9e5, Delay(600, "scheduled", counts=False)),
        ],
    )
    def test_without_a_ladder_it_waits_where_retries_do(self, rest: float, place: object) -> None:
        """What was scheduled before somebody switched that off."""
        room = WaitingRoom(0, (5, 30, 120, 600))
        assert place == room.place(waits_until(NOW + seconds(rest)), Lane.SEND, NOW)
