"""Rows of panels as Grafana's JSON (dashboard schema 39, Grafana 10 and later)."""

import re
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from scripts.dashboard.panels import Panel, Query, Row

_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_SCOPE = 'namespace=~"$namespace",job=~"$job"'
_METRIC = re.compile(r"\b((?:iton_worker|process)_\w+)(?:\{([^}]*)\})?")
_COLUMNS = 24
_TYPES = {
    "stat": "stat",
    "lines": "timeseries",
    "stack": "timeseries",
    "states": "state-timeline",
    "table": "table",
}
# Of series that mean the same wherever they stand.
_COLOURS = {
    "accepted": "green",
    "uncertain": "red",
    "failed": "orange",
    "expired": "yellow",
    "invalid": "purple",
    "dnd": "blue",
    "dnd_unverified": "light-blue",
}


def dashboard(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the whole dashboard."""
    return {
        "uid": "iton-worker",
        "title": "iton-worker",
        "description": "Is it sending, is it stuck, is anyone at risk of a double?",
        "tags": ["iton-worker"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [_datasource_variable(), _variable("namespace", ""), _job_variable()]},
        "annotations": {"list": [_alerts()]},
        "panels": list(_laid_out(rows)),
    }


def scoped(expr: str) -> str:
    """Return *expr* with each metric narrowed to what the variables choose."""
    return _METRIC.sub(lambda found: f"{found[1]}{{{_SCOPE}{',' + found[2] if found[2] else ''}}}", expr)


def _datasource_variable() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _variable(name: str, within: str) -> dict[str, Any]:
    """A variable with the values of a label; all of them by default, also none at all."""
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": _DATASOURCE,
        "query": {"query": f"label_values(iton_worker_build_info{within}, {name})", "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _job_variable() -> dict[str, Any]:
    return _variable("job", '{namespace=~"$namespace"}')


def _alerts() -> dict[str, Any]:
    return {
        "name": "Alerts",
        "enable": True,
        "iconColor": "red",
        "datasource": _DATASOURCE,
        "expr": f'ALERTS{{alertname=~"ItonWorker.+",alertstate="firing",{_SCOPE}}}',
        "titleFormat": "{{alertname}}",
        "step": "30s",
    }


def _laid_out(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Each row's heading, then its panels from left to right, as many to a line as fit."""
    ids, top = count(1), 0
    for row in rows:
        yield {
            "id": next(ids),
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": top, "w": _COLUMNS, "h": 1},
            "panels": [],
        }
        top, left = top + 1, 0
        for panel in row.panels:
            if left + panel.width > _COLUMNS:
                top, left = top + row.height, 0
            place = {"x": left, "y": top, "w": panel.width, "h": row.height}
            yield {"id": next(ids), "gridPos": place, **_panel(panel)}
            left += panel.width
        top += row.height


def _panel(panel: Panel) -> dict[str, Any]:
    instant = panel.look == "table"
    return {
        "type": _TYPES[panel.look],
        "title": panel.title,
        "description": panel.description,
        "datasource": _DATASOURCE,
        "targets": [_target(letter, query, instant=instant) for letter, query in _lettered(panel)],
        "fieldConfig": {
            "defaults": _defaults(panel),
            "overrides": [*(_colours() if panel.look == "stack" else ()), *_dashes(panel)],
        },
        "options": _options(panel),
    }


def _lettered(panel: Panel) -> Iterator[tuple[str, Query]]:
    """Each query behind the letter by which Grafana knows it."""
    return zip("ABCDEF", panel.queries, strict=False)


def _target(letter: str, query: Query, *, instant: bool) -> dict[str, Any]:
    return {
        "refId": letter,
        "datasource": _DATASOURCE,
        "editorMode": "code",
        "expr": scoped(query.expr),
        "legendFormat": query.legend or "__auto",
        "instant": instant,
        "range": not instant,
        **({"format": "table"} if instant else {}),
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = [{"value": value, "color": colour} for value, colour in panel.steps]
    said = {f"{value:g}": {"text": word, "index": index} for index, (value, word) in enumerate(panel.words)}
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": [{"type": "value", "options": said}] if said else [],
    }
    if panel.look in {"lines", "stack"}:
        stacked = panel.look == "stack"
        return defaults | {
            "min": 0,
            "color": {"mode": "palette-classic"},
            "custom": {
                "drawStyle": "line",
                "lineWidth": 1,
                "fillOpacity": 30 if stacked else 8,
                "showPoints": "auto",
                "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
            },
        }
    # Prometheus extrapolates: of whole recipients it would show fractions.
    whole = {"decimals": 0} if panel.look == "stat" and panel.unit == "short" else {}
    return defaults | whole | {"color": {"mode": "thresholds"}}


def _colours() -> Iterator[dict[str, Any]]:
    for name, colour in _COLOURS.items():
        fixed = {"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}
        yield {"matcher": {"id": "byName", "options": name}, "properties": [fixed]}


def _dashes(panel: Panel) -> Iterator[dict[str, Any]]:
    drawn = {"custom.lineStyle": {"fill": "dash", "dash": [6, 6]}, "custom.fillOpacity": 0}
    for letter, query in _lettered(panel):
        if query.dashed:
            properties = [{"id": name, "value": value} for name, value in drawn.items()]
            yield {"matcher": {"id": "byFrameRefID", "options": letter}, "properties": properties}


def _options(panel: Panel) -> dict[str, Any]:
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
    match panel.look:
        case "stat":
            return {
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
                "colorMode": "background_solid" if len(panel.steps) > 1 else "value",
                "graphMode": "area" if len(panel.steps) == 1 else "none",
                "justifyMode": "center",
                "textMode": "value",
            }
        case "states":
            return {"legend": legend, "mergeValues": True, "showValue": "never", "rowHeight": 0.8}
        case "table":
            return {"showHeader": True, "cellHeight": "sm"}
        case _:
            return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
