"""The dashboard's file: current, laid out, explained, and asking for metrics that exist."""

import itertools
import json
import re
from typing import Any

import pytest

from scripts.dashboard.__main__ import fresh
from scripts.dashboard.grafana import scoped
from tests.support.dashboard import DASHBOARD, metrics_of, panels, queries
from worker.metrics.catalogue import CATALOGUE

_UNITS = {"short", "s", "bytes", "percentunit"}
_PROCESS = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
}
DRAWN = [panel for panel in panels() if panel["type"] != "row"]


def _exposed() -> set[str]:
    names = set(_PROCESS)
    for spec in CATALOGUE:
        parts = ("_bucket", "_count", "_sum") if spec.buckets else ("",)
        names |= {spec.full_name + part for part in parts}
    return names


def _cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    at = panel["gridPos"]
    return set(itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))


class TestFile:
    """``helm/files/dashboard.json``."""

    def test_it_is_current(self) -> None:
        """It is made by ``python -m scripts.dashboard write``."""
        assert fresh() == DASHBOARD.read_text()

    def test_its_data_source_can_be_chosen(self) -> None:
        """And so can namespace and job; no panel is tied to a Prometheus of ours."""
        board = json.loads(DASHBOARD.read_text())
        assert ["datasource", "namespace", "job"] == [one["name"] for one in board["templating"]["list"]]
        assert {"${datasource}"} == {panel["datasource"]["uid"] for panel in DRAWN}


class TestLayout:
    """What a person sees."""

    def test_ids_are_unique(self) -> None:
        """Grafana drops the second panel of an id."""
        ids = [panel["id"] for panel in panels()]
        assert len(ids) == len(set(ids))

    def test_nothing_overlaps_or_sticks_out(self) -> None:
        """On a grid of 24 columns."""
        for one, other in itertools.combinations(panels(), 2):
            assert not _cells(one) & _cells(other), (one["title"], other["title"])
        assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels())

    def test_the_first_row_answers_the_three_questions(self) -> None:
        """Is it sending, is it stuck, is anyone at risk of a double?"""
        first = [panel for panel in DRAWN if panel["gridPos"]["y"] == DRAWN[0]["gridPos"]["y"]]
        asked = " ".join(panel["description"] for panel in first)
        assert all(
            question in asked for question in ("Is it sending?", "Is it stuck?", "at risk of a double?")
        )
        assert {"stat"} == {panel["type"] for panel in first}

    @pytest.mark.parametrize("panel", DRAWN, ids=lambda panel: panel["title"])
    def test_each_panel_is_explained(self, panel: dict[str, Any]) -> None:
        """A title of its own, a description, a unit, at least one query with a letter of its own."""
        assert 1 == [other["title"] for other in DRAWN].count(panel["title"])
        assert len(panel["description"]) > 15
        unit = panel["fieldConfig"]["defaults"]["unit"]
        assert unit in _UNITS or unit.startswith("suffix: ")
        letters = [target["refId"] for target in panel["targets"]]
        assert letters
        assert len(letters) == len(set(letters))


class TestQueries:
    """What the panels ask."""

    @pytest.mark.parametrize(("title", "expr"), queries())
    def test_each_asks_for_metrics_that_exist(self, title: str, expr: str) -> None:
        """A metric that was renamed leaves its panel empty."""
        assert metrics_of(expr), title
        assert set() == metrics_of(expr) - _exposed()

    def test_each_metric_is_shown_somewhere(self) -> None:
        """Nothing is measured that nobody sees."""
        shown = set().union(*(metrics_of(expr) for _, expr in queries()))
        whole = {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown}
        assert {spec.full_name for spec in CATALOGUE} == whole - _PROCESS

    def test_each_metric_is_narrowed_to_the_variables(self) -> None:
        """Labels of its own stay."""
        chosen = 'namespace=~"$namespace",job=~"$job"'
        assert f"sum(iton_worker_ready{{{chosen}}})" == scoped("sum(iton_worker_ready)")
        assert f'iton_worker_x_total{{{chosen},a="b"}}[5m]' == scoped('iton_worker_x_total{a="b"}[5m]')
