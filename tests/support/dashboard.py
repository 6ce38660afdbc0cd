"""The dashboard's file and the alert rules, as a test reads them."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_FILES = Path(__file__).parents[2] / "helm" / "files"
RULES = _FILES / "alerts.yaml"
DASHBOARD = _FILES / "dashboard.json"
_METRIC = re.compile(r"\b(?:iton_worker|process)_\w+")


@cache
def rules() -> list[dict[str, Any]]:
    """Return every alert rule. Whoever changes one copies it first."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Return every panel and every row's heading."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def queries() -> list[tuple[str, str]]:
    """Return each expression, as Grafana would send it for the last minute, behind its panel's title."""
    return [
        (panel["title"], filled_in(target["expr"]))
        for panel in panels()
        for target in panel.get("targets", ())
    ]


def filled_in(expr: str, *, shown: str = "5m") -> str:
    """Put values in the place of Grafana's variables; *shown* is the span of time on the screen."""
    values = {"$__rate_interval": "1m", "$__range": shown, "$namespace": ".*", "$job": ".*"}
    for name, value in values.items():
        expr = expr.replace(name, value)
    return expr


def metrics_of(expr: str) -> set[str]:
    """Return the metrics that an expression asks for."""
    return set(_METRIC.findall(expr))


def colour(panel: dict[str, Any], letter: str, value: float | None) -> str:
    """Return the colour in which Grafana shows a query's *value*; None: it yields nothing."""
    config = panel["fieldConfig"]
    thresholds = config["defaults"]["thresholds"]
    for override in config["overrides"]:
        if override["matcher"] == {"id": "byFrameRefID", "options": letter}:
            given = {one["id"]: one["value"] for one in override["properties"]}
            thresholds = given.get("thresholds", thresholds)
    reached = [
        step
        for step in thresholds["steps"]
        if step["value"] is None or (value is not None and step["value"] <= value)
    ]
    return str(reached[-1]["color"])
