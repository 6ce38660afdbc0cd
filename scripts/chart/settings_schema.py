"""The part of ``values.schema.json`` that follows from the worker's settings."""

import json
from typing import Any

from scripts.chart.worker_facts import NAMED, SECRET, place
from worker.settings.sections import SECTIONS

Schema = dict[str, Any]
# What JSON Schema's draft 7 and this chart have in common with the worker's own models.
_KEPT = (
    "type",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "description",
)
# These take the worker's bounds; the other named values have narrower ones of their own.
_BOUNDED = ("ITON_TIMEOUT", "ITON_RATE_LIMIT", "LOG_LEVEL", "WORKER_DRAIN_TIMEOUT")


class UnplacedSecretError(Exception):
    """A secret of the worker would end in a ConfigMap; the text names it."""


def with_settings(schema: Schema) -> Schema:
    """Return the chart's *schema* with the present settings of the worker.

    Raises:
        UnplacedSecretError: a secret has no place among the credentials.
    """
    fresh: Schema = json.loads(json.dumps(schema))
    settings = _settings()
    for variable in _BOUNDED:
        _put(fresh, NAMED[variable].split("."), settings[variable])
    fresh["properties"]["settings"]["properties"] = {
        variable: {"description": f"see {place(variable)}"} if variable in NAMED | SECRET else written
        for variable, written in settings.items()
    }
    return fresh


def _put(schema: Schema, path: list[str], value: Schema) -> None:
    *above, last = path
    for name in above:
        schema = schema["properties"][name]
    schema["properties"][last] = value


def _settings() -> dict[str, Schema]:
    """Return the schema of each setting by its variable."""
    return {
        variable: _setting(variable, given)
        for section in SECTIONS
        for variable, given in section.model_json_schema()["properties"].items()
    }


def _setting(variable: str, given: Schema) -> Schema:
    alternatives = [one for one in given.get("anyOf", []) if one.get("type") != "null"]
    merged = {**given, **(alternatives[0] if alternatives else {})}
    if merged.get("format") == "password" and variable not in {*SECRET, "LEDGER_URL"}:
        raise UnplacedSecretError(f"{variable} is a secret: give it a place in worker_facts.SECRET")
    kept = {name: merged[name] for name in _KEPT if name in merged}
    if kept.get("type") == "array":  # a comma list or JSON in the environment
        return {"type": ["string", "array"], "description": kept["description"]}
    return kept
