"""The dashboard's first row as Grafana colours it: with workers, without any, and with few credits."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.dashboard import colour, filled_in, panels
from tests.support.promtool import Series, complaints

STATS = {panel["title"]: panel for panel in panels() if panel["type"] == "stat"}
_A, _B = 'namespace="sms",job="a",instance="a:1"', 'namespace="sms",job="b",instance="b:1"'
_MINUTES = 30
_GREEN = {"green", "blue"}  # what nobody looks at twice


def _worker(values: dict[str, str] | None = None, *, end: str = "", of: str = _A) -> Series:
    """All that a healthy worker tells that the first row asks for; *end*: " stale" once it is gone."""
    steps = "x10" if end else "x60"
    series = {
        f"iton_worker_ready{{{of}}}": f"1+0{steps}",
        f'iton_worker_intake_paused{{{of},reason="credits"}}': f"0+0{steps}",
        f'iton_worker_breaker_open{{{of},command="sendSMS"}}': f"0+0{steps}",
        f'iton_worker_queue_messages{{{of},queue="send"}}': f"0+0{steps}",
        f'iton_worker_queue_messages{{{of},queue="dead"}}': f"0+0{steps}",
        f'iton_worker_jobs_in_flight{{{of},lane="send"}}': f"0+0{steps}",
        f'iton_worker_job_seconds_count{{{of},lane="send"}}': f"0+60{steps}",
        f'iton_worker_recipients_total{{{of},outcome="accepted"}}': f"0+60{steps}",
        f'iton_worker_recipients_total{{{of},outcome="uncertain"}}': f"0+0{steps}",
        f"iton_worker_credits_remaining{{{of}}}": f"5000+0{steps}",
        f"iton_worker_credits_low_threshold{{{of}}}": f"100+0{steps}",
    }
    series |= {f"iton_worker_{name}{{{of}}}": given for name, given in (values or {}).items()}
    return {name: given + end for name, given in series.items()}


def _shows(
    tmp_path: Path, title: str, series: Series, wanted: dict[str, float | None], *, shown: str = "5m"
) -> str:
    """Hold the panel's queries, by their letters, against *wanted*; None: the query yields nothing."""
    tests: list[dict[str, Any]] = []
    for target in STATS[title]["targets"]:
        value = wanted[target["refId"]]
        samples = [] if value is None else [{"labels": "{}", "value": value}]
        asked = {
            "expr": filled_in(target["expr"], shown=shown),
            "eval_time": f"{_MINUTES}m",
            "exp_samples": samples,
        }
        values = [{"series": name, "values": given} for name, given in series.items()]
        tests.append({"interval": "1m", "input_series": values, "promql_expr_test": [asked]})
    return complaints(tmp_path / "t.yaml", tests)


class TestWithoutAWorker:
    """Every worker is gone, or there never was one."""

    @pytest.mark.parametrize("title", STATS)
    @pytest.mark.parametrize("series", [{}, _worker(end=" stale")], ids=["never one", "all gone"])
    def test_the_first_row_is_red(self, tmp_path: Path, title: str, series: Series) -> None:
        """Nobody tells that nothing is stuck; and in words, where there is no number."""
        letters = [target["refId"] for target in STATS[title]["targets"]]
        shown = 0.0 if title == "Workers ready" else None
        assert "" == _shows(tmp_path, title, series, dict.fromkeys(letters, shown))
        assert {"red"} == {colour(STATS[title], letter, shown) for letter in letters}
        assert STATS[title]["fieldConfig"]["defaults"]["noValue"]

    def test_doubts_of_the_time_shown_stay_on_the_screen(self, tmp_path: Path) -> None:
        """They are what people ask about when a worker has died."""
        title = "Uncertain recipients"
        doubts = f'iton_worker_recipients_total{{{_A},outcome="uncertain"}}'
        series = {**_worker(end=" stale"), doubts: "0+1x10 stale"}
        # Prometheus makes half a step more of a series that ended.
        assert "" == _shows(tmp_path, title, series, {"A": 10.5}, shown="40m")
        assert "red" == colour(STATS[title], "A", 10.5)

    def test_a_deployment_whose_workers_are_gone_is_seen_beside_one_that_works(self, tmp_path: Path) -> None:
        """For as long as the alert ItonWorkerGone tells it."""
        series = {**_worker(), **_worker(end=" stale", of=_B)}
        assert "" == _shows(tmp_path, "Workers ready", series, {"A": 0})
        assert "red" == colour(STATS["Workers ready"], "A", 0)


class TestWithWorkers:
    """A healthy one."""

    @pytest.mark.parametrize(
        ("title", "value"),
        [
            ("Sending", 1),
            ("Lanes stuck", 0),
            ("Held back", 0),
            ("Uncertain recipients", 0),
            ("Jobs waiting", 0),
            ("Workers ready", 1),
            ("Kept aside", 0),
        ],
    )
    def test_the_first_row_is_calm(self, tmp_path: Path, title: str, value: float) -> None:
        """A colour that is always there is not seen."""
        assert "" == _shows(tmp_path, title, _worker(), {"A": value})
        assert colour(STATS[title], "A", value) in _GREEN


class TestCredits:
    """The balance against ``WORKER_CREDITS_LOW``, which each worker exposes."""

    @pytest.mark.parametrize(
        ("left", "low", "letter", "wanted"),
        [
            (100, 100, "B", "blue"),
            (99, 100, "A", "orange"),
            (1, 100, "A", "orange"),
            (0, 100, "A", "red"),
            (7, 0, "B", "blue"),
            (0, 0, "B", "red"),
        ],
    )
    def test_they_turn_orange_below_the_threshold_and_red_at_the_end(
        self, tmp_path: Path, left: int, low: int, letter: str, wanted: str
    ) -> None:
        """Of the two queries one yields something, and its thresholds colour it."""
        series = _worker({"credits_remaining": f"{left}+0x60", "credits_low_threshold": f"{low}+0x60"})
        shown: dict[str, float | None] = {"A": None, "B": None, letter: left}
        assert "" == _shows(tmp_path, "Credits left", series, shown)
        assert wanted == colour(STATS["Credits left"], letter, left)

    def test_an_account_that_is_low_is_seen_beside_one_that_has_plenty(self, tmp_path: Path) -> None:
        """Each against its own threshold, though the other has fewer credits."""
        low = {"credits_remaining": "900+0x60", "credits_low_threshold": "1000+0x60"}
        plenty = {"credits_remaining": "50+0x60", "credits_low_threshold": "10+0x60"}
        series = {**_worker(low), **_worker(plenty, of=_B)}
        assert "" == _shows(tmp_path, "Credits left", series, {"A": 900, "B": None})

    def test_a_balance_that_was_not_seen_yet_is_said_in_words(self) -> None:
        """A worker tells NaN until it has asked."""
        (mapping,) = STATS["Credits left"]["fieldConfig"]["defaults"]["mappings"]
        assert ("nan", "not seen yet") == (mapping["options"]["match"], mapping["options"]["result"]["text"])
