"""The dashboard's file, a source by itself: laid out, explained, true at every zoom, with links."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.dashboard import DASHBOARD, metrics_of, panels, queries, rules
from worker.metrics.catalogue import CATALOGUE

ROOT = Path(__file__).parents[3]
_UNITS = {"short", "s", "bytes", "percentunit"}
_PROCESS = {
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
}
_CHOSEN = 'namespace=~"$namespace",job=~"$job"'
DRAWN = [panel for panel in panels() if panel["type"] != "row"]
EXPRESSIONS = [(panel["title"], target["expr"]) for panel in DRAWN for target in panel["targets"]]


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

    def test_it_is_written_as_grafana_exports_it(self) -> None:
        """Two spaces, so that what was edited there shows as what was edited."""
        assert json.dumps(json.loads(DASHBOARD.read_text()), indent=2) + "\n" == DASHBOARD.read_text()

    def test_its_data_source_can_be_chosen(self) -> None:
        """And so can namespace, job and the runbooks' address; no panel is tied to a Prometheus of ours."""
        board = json.loads(DASHBOARD.read_text())
        names = [one["name"] for one in board["templating"]["list"]]
        assert ["datasource", "namespace", "job", "runbooks"] == names
        assert {"${datasource}"} == {panel["datasource"]["uid"] for panel in DRAWN}
        assert {"${datasource}"} == {one["datasource"]["uid"] for panel in DRAWN for one in panel["targets"]}


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

    @pytest.mark.parametrize(("title", "expr"), EXPRESSIONS)
    def test_each_metric_is_narrowed_to_the_variables(self, title: str, expr: str) -> None:
        """Wherever it stands in an expression; the word behind a brace is not enough."""
        bare = [found[0] for found in re.finditer(r"\b(?:iton_worker|process)_\w+(?!\w)\{?[^}]*", expr)]
        assert [] == [one for one in bare if _CHOSEN not in one], title


class TestZoom:
    """The same moment shows the same number, whatever span of time is on the screen."""

    @pytest.mark.parametrize(("title", "expr"), EXPRESSIONS)
    def test_a_counter_is_shown_as_a_rate_or_over_a_span_that_is_named(self, title: str, expr: str) -> None:
        """What rose in `$__rate_interval` is more the farther one zooms out; its rate is not."""
        assert "increase" not in re.sub(r"increase\([^[]+\[(\$__range|\d+[smhd])\]\)", "", expr), title
        counters = {spec.full_name for spec in CATALOGUE if spec.kind == "counter"} | _PROCESS
        counters -= {name for name in _PROCESS if not name.endswith("_total")}
        counters |= {spec.full_name + part for spec in CATALOGUE for part in ("_bucket", "_count", "_sum")}
        for name in metrics_of(expr) & counters:
            uses = len(re.findall(rf"\b{name}\b", expr))
            assert uses == len(re.findall(rf"(?:rate|increase)\({name}\b", expr)), title

    @pytest.mark.parametrize(
        "panel", [panel for panel in DRAWN if panel["type"] == "stat"], ids=lambda panel: panel["title"]
    )
    def test_a_single_number_is_that_of_now(self, panel: dict[str, Any]) -> None:
        """Asked over the span on the screen, the last one known stays there after its worker is gone."""
        for target in panel["targets"]:
            assert (True, False) == (target["instant"], target["range"])
            assert "$__rate_interval" not in target["expr"]
        assert "none" == panel["options"]["graphMode"]


# What one of a metric is; those that say 1 or 0 of a worker count workers when added up.
_ONE_IS = {
    "jobs": r"jobs_total|jobs_in_flight|prefetch",
    "recipients": r"(tracked_)?recipients_total",
    "seconds": r"\w+_seconds(_bucket)?",
    "calls": r"send_calls\w*|gateway_calls_\w+",
    "numbers": r"dnd_\w+|gateway_call_keys\w*|unasked_total",
    "jobs in a call": r"gateway_call_jobs\w*",
    "events": r"(retries|redeliveries|revisions|crashes|ledger_failures|dead_letters|publishes)_total",
    "state": r"breaker_open|intake_paused|ready|draining",
    "credits": r"credits_\w+",
    "entries": r"ledger_entries",
    "workers": r"(consumer|publisher)_up|build_info",
    "messages": r"queue_messages|tracked_messages_total|tracking_ended_total",
    "words": r"unknown_statuses_total",
    "cores": r"process_cpu_seconds_total",
    "bytes": r"process_resident_memory_bytes|ledger_bytes",
    "files": r"process_(open|max)_fds",
}


def _measures(expr: str) -> str:
    """What a number of *expr* counts, and per what: ``calls/s`` say."""
    names = {name.removeprefix("iton_worker_") for name in metrics_of(expr)}
    names = names - {"build_info"} or names
    of = sorted({what for name in names for what, those in _ONE_IS.items() if re.fullmatch(those, name)})
    assert of, names
    per = ""
    if "rate(" in expr and "histogram_quantile" not in expr and " / " not in expr:
        per = "/min" if expr.startswith("60 * ") else "/s"
    return " and ".join(of) + per


class TestUnits:
    """One panel, one scale."""

    @pytest.mark.parametrize(
        "panel", [panel for panel in DRAWN if panel["type"] != "stat"], ids=lambda panel: panel["title"]
    )
    def test_no_panel_mixes_what_it_counts(self, panel: dict[str, Any]) -> None:
        """Beside thousands of credits three ids are a line at the bottom; and the unit is one of them."""
        measured = {_measures(target["expr"]) for target in panel["targets"]}
        assert 1 == len(measured), measured
        assert " and " not in measured.copy().pop()

    @pytest.mark.parametrize("panel", DRAWN, ids=lambda panel: panel["title"])
    def test_the_unit_says_per_what(self, panel: dict[str, Any]) -> None:
        """A second, a minute, or a plain number."""
        unit = panel["fieldConfig"]["defaults"]["unit"]
        for target in panel["targets"]:
            measured = _measures(target["expr"])
            if "histogram_quantile" in target["expr"]:
                assert "s" == unit
            elif measured != "cores/s" and not target["expr"].startswith("count("):
                assert measured.partition("/")[1:] == unit.partition("/")[1:]


class TestLinks:
    """From a panel to what is written about it, below an address that the chart or a person fills in."""

    BELOW = "${runbooks:raw}"

    def _headings(self, page: str) -> set[str]:
        """The anchors of a page of ours, as its readers' tools make them."""
        titles = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

    @pytest.mark.parametrize("panel", DRAWN, ids=lambda panel: panel["title"])
    def test_each_panel_leads_to_a_section_that_is_there(self, panel: dict[str, Any]) -> None:
        """How to read it; and each alert that it foretells, by the alert's name."""
        names = {rule["alert"] for rule in rules()}
        assert "How to read it" == panel["links"][0]["title"]
        for link in panel["links"]:
            page, _, anchor = link["url"].removeprefix(self.BELOW).partition("#")
            assert link["url"] != page
            assert anchor in self._headings(page)
            assert link["title"] in names or link is panel["links"][0]

    def test_each_alert_can_be_reached_from_a_panel(self) -> None:
        """A person who sees it coming finds what to do."""
        linked = {link["title"] for panel in DRAWN for link in panel["links"][1:]}
        assert {rule["alert"] for rule in rules()} == linked
