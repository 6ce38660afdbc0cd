"""The part of ``values.schema.json`` that follows from the alert rules: their names."""

import json
from typing import Any

import yaml


def with_alerts(schema: dict[str, Any], alerts: str) -> dict[str, Any]:
    """Return the chart's *schema* with a place for each alert of the rules' file, and for no other."""
    fresh: dict[str, Any] = json.loads(json.dumps(schema))
    names = [rule["alert"] for group in yaml.safe_load(alerts)["groups"] for rule in group["rules"]]
    of_alerts = fresh["properties"]["metrics"]["properties"]["alerts"]["properties"]
    of_alerts["rules"]["properties"] = {name: {"$ref": "#/definitions/alert"} for name in names}
    return fresh
