"""What panels show over series that a test makes up: two deployments, and processes that are no workers."""

from pathlib import Path

import pytest

from tests.support.dashboard import queries
from tests.support.promtool import Series, complaints

_A, _B = (
    'namespace="sms",job="a",instance="10.0.0.1:8080"',
    'namespace="sms",job="b",instance="10.0.0.2:8080"',
)
_OTHER = 'namespace="shop",job="shop",instance="10.0.0.9:9100"'


def _each(name: str, of_a: str, of_b: str, labels: str = "") -> Series:
    """A worker's metric in both deployments."""
    more = f",{labels}" if labels else ""
    return {
        f"iton_worker_{name}{{{_A}{more}}}": of_a,
        f"iton_worker_{name}{{{_B}{more}}}": of_b,
    }


def _lane(waiting: tuple[str, str], in_hand: tuple[str, str], ended: tuple[str, str]) -> Series:
    """The lane ``send`` in both."""
    return {
        **_each("ready", "1+0x40", "1+0x40"),
        **_each("queue_messages", *waiting, 'queue="send"'),
        **_each("jobs_in_flight", *in_hand, 'lane="send"'),
        **_each("job_seconds_count", *ended, 'lane="send"'),
    }


_0, _7, _UP = "0+0x40", "7+0x40", "0+5x40"
_UNKNOWN = "NaN+0x40"

STUCK = {
    "both move": (_lane((_7, _7), (_7, _7), (_UP, _UP)), 0),
    "one moves, the other has a backlog and does not": (_lane((_7, _7), (_0, _0), (_UP, _0)), 1),
    "one moves, the other has all in hand and does not": (_lane((_7, _0), (_7, _7), (_UP, _0)), 1),
    "neither moves": (_lane((_7, _0), (_0, _7), (_0, _0)), 2),
    "neither has anything to do": (_lane((_0, _0), (_0, _0), (_0, _0)), 0),
    "a job came into an idle lane just now": (_lane(("0+0x27 9+0x9", _0), ("0+0x27 9+0x9", _0), (_0, _0)), 0),
    "one lost its broker, with jobs in hand": (_lane((_UNKNOWN, _0), (_7, _0), (_0, _0)), 1),
}


def _shown(title: str) -> list[str]:
    return [expr for name, expr in queries() if name == title]


def _test(title: str, series: Series, *samples: tuple[str, float], query: int = 0) -> list[dict[str, object]]:
    """One test in promtool's form: what the panel's query shows at the thirtieth minute."""
    expected = [{"labels": labels, "value": value} for labels, value in samples]
    asked = {"expr": _in_minutes(_shown(title)[query]), "eval_time": "30m", "exp_samples": expected}
    values = [{"series": name, "values": given} for name, given in series.items()]
    return [{"name": title, "interval": "1m", "input_series": values, "promql_expr_test": [asked]}]


def _in_minutes(expr: str) -> str:
    """A rate needs two samples, and here is one a minute."""
    return expr.replace("[1m]", "[5m]")


class TestTwoDeployments:
    """Shards by prefix, scraped by one Prometheus: none hides the other."""

    @pytest.mark.parametrize("case", STUCK)
    def test_a_stuck_lane_is_seen_beside_one_that_moves(self, tmp_path: Path, case: str) -> None:
        """Whether its jobs wait or are in hand; a job that has just come is no stuck one."""
        series, stuck = STUCK[case]
        assert complaints(tmp_path / "t.yaml", _test("Lanes stuck", series, ("{}", stuck))) == ""

    def test_what_waits_is_added_up(self, tmp_path: Path) -> None:
        """One queue that two workers report counts once; what one cannot tell spoils nothing."""
        second = _A.replace("10.0.0.1", "10.0.0.3")
        series = {
            **_each("queue_messages", "3+0x40", "4+0x40", 'queue="send"'),
            f'iton_worker_queue_messages{{{second},queue="send"}}': "3+0x40",
            **_each("queue_messages", _UNKNOWN, "5+0x40", 'queue="status"'),
            **_each("queue_messages", "1+0x40", "2+0x40", 'queue="dead"'),
        }
        tests = [
            *_test("Jobs waiting", series, ("{}", 3 + 4 + 5)),
            *_test("Kept aside", series, ("{}", 1 + 2)),
            *_test(
                "Messages in queues",
                series,
                ('{queue="dead"}', 3),
                ('{queue="send"}', 7),
                ('{queue="status"}', 5),
            ),
        ]
        assert complaints(tmp_path / "t.yaml", tests) == ""

    def test_one_without_a_ready_worker_is_seen(self, tmp_path: Path) -> None:
        """The other's workers do not make up for it."""
        tests = [
            *_test("Workers ready", _each("ready", "1+0x40", "1+0x40"), ("{}", 2)),
            *_test("Workers ready", _each("ready", "1+0x40", _0), ("{}", 0)),
        ]
        assert complaints(tmp_path / "t.yaml", tests) == ""

    def test_each_has_its_share_of_doubts(self, tmp_path: Path) -> None:
        """A small one's are not lost among a large one's."""
        series = {
            **_each("recipients_total", "0+900x40", "0+1x40", 'outcome="accepted"'),
            **_each("recipients_total", _0, "0+1x40", 'outcome="uncertain"'),
        }
        shares = ('{namespace="sms",job="a"}', 0), ('{namespace="sms",job="b"}', 0.5)
        assert complaints(tmp_path / "t.yaml", _test("Uncertain share", series, *shares)) == ""


class TestFullWorkers:
    """The panel of jobs in flight."""

    def test_the_limit_is_drawn_where_there_are_jobs(self, tmp_path: Path) -> None:
        """Of a lane with nothing in hand it would only press the others down."""
        series = {
            **_each("jobs_in_flight", "3+0x40", "4+0x40", 'lane="send"'),
            **_each("jobs_in_flight", _0, _0, 'lane="status"'),
            **_each("prefetch", "100+0x40", "50+0x40", 'lane="send"'),
            **_each("prefetch", "100+0x40", "50+0x40", 'lane="status"'),
        }
        limits = _test("Jobs in flight", series, ('{lane="send"}', 150), query=1)
        assert complaints(tmp_path / "t.yaml", limits) == ""


class TestProcesses:
    """Metrics that every process has."""

    @pytest.mark.parametrize("title", ["CPU", "Memory", "Open files"])
    def test_those_that_are_no_workers_are_left_out(self, tmp_path: Path, title: str) -> None:
        """Also while "All" is chosen, as it is at first."""
        series = {
            f"{name}{{{labels}}}": values
            for labels in (_A, _OTHER)
            for name, values in (
                ("process_cpu_seconds_total", "0+30x40"),
                ("process_resident_memory_bytes", "512+0x40"),
                ("process_open_fds", "512+0x40"),
                ("process_max_fds", "1024+0x40"),
            )
        } | {f'iton_worker_build_info{{{_A},version="1"}}': "1+0x40"}
        name = "process_resident_memory_bytes" if title == "Memory" else ""
        shown = 512 if title == "Memory" else 0.5
        assert complaints(tmp_path / "t.yaml", _test(title, series, (f"{name}{{{_A}}}", shown))) == ""

    def test_no_panel_asks_for_them_without_that(self) -> None:
        """Each that names a process's metric joins it with the workers'."""
        bare = [title for title, expr in queries() if "process_" in expr and "build_info" not in expr]
        assert bare == []
