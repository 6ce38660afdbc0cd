"""What counts as the way of a job."""

import json
import sys
import threading
from pathlib import Path

from tests.counts.recorder import Recorder
from tests.counts.way import Function, Recording, Span, Way, common
from worker.clock import SystemClock
from worker.domain.text import is_gsm7

A, B, C = (
    Function("worker/one.py", "a", 1),
    Function("worker/one.py", "b", 9),
    Function("schemas/two.py", "c", 1),
)
IDLE, JOB = Span(0, 10), Span(10, 20)


class TestRecording:
    """Calls by their time."""

    def test_the_functions_of_a_job_are_in_the_order_of_their_first_calls(self) -> None:
        """However often each is called."""
        way = Recording([A, B, C], [(11, 2), (12, 0), (13, 2)]).way(JOB, IDLE)
        assert {C: 2, A: 1} == way.times
        assert [C, A] == list(way.times)

    def test_what_runs_while_idle_is_taken_away(self) -> None:
        """It costs no job anything."""
        assert {A: 1} == Recording([A, B], [(1, 1), (11, 0), (12, 1)]).way(JOB, IDLE).times

    def test_another_time_is_another_job(self) -> None:
        """The end of a span is not in it."""
        assert {} == Recording([A], [(9, 0), (20, 0)]).way(JOB, Span(0, 1)).times


class TestWay:
    """The three counts."""

    def test_functions_and_files_count_once_and_calls_each_time(self) -> None:
        """Two files here."""
        way = Recording([A, B, C], [(11, 0), (12, 0), (13, 1), (14, 2)]).way(JOB, IDLE)
        assert "3 functions in 2 files, 4 calls" == way.words()

    def test_of_several_jobs_the_fewest_calls_count(self) -> None:
        """One that met a timer is not taken."""
        ways = [Recording([A], [(11, 0)] * times).way(JOB, IDLE) for times in (5, 9, 3)]
        assert {A: 3} == common(ways).times

    def test_where_each_met_a_timer_what_they_have_in_common_counts(self) -> None:
        """In the order of the one that met the least."""
        calls = ([(11, 1), (12, 0), (13, 2), (14, 1)], [(11, 2), (12, 0), (13, 1)], [(11, 2), (12, 0)] * 2)
        way = common([Recording([A, B, C], some).way(JOB, IDLE) for some in calls])
        assert {C: 1, A: 1} == way.times
        assert [C, A] == list(way.times)


class TestRecorder:
    """The interpreter's events."""

    def test_calls_of_ours_are_written_down_and_no_others(self, tmp_path: Path) -> None:
        """A generator expression belongs to the function that it stands in."""
        recorder = Recorder()
        profiled = sys.getprofile(), threading.getprofile()
        recorder.start()
        is_gsm7("Hello")
        json.dumps({})
        SystemClock().now()
        recorder.stop()
        sys.setprofile(profiled[0])
        threading.setprofile(profiled[1])
        recorder.write(tmp_path / "calls.json")
        found = Recording.read(tmp_path / "calls.json").way(Span(0, float("inf")), Span(0, 0))
        assert ["is_gsm7", "SystemClock.now"] == [one.name for one in found.times]
        assert ["worker/domain/text.py", "worker/clock.py"] == [one.file for one in found.times]
        assert isinstance(found, Way)
