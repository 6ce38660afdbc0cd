"""A value that is left blank (``prefix:`` with nothing behind it): Helm takes the chart's default away."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator  # type: ignore[import-untyped]  # it ships no types

from tests.support.chart import CHART, VALUE_SETS, faults, objects, refusal, template

DEFAULTS: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
# Blank, these and what is below them are taken out, as values.yaml says or as Helm's users know it.
TAKEN_OUT = (
    "podSecurityContext",
    "securityContext",
    "resources",
    "replicaCount",
    "autoscaling.keda.jobsPerPod.",
    "metrics.dashboard.labels.",
)
Place = tuple[str, ...]


def _values(of: dict[str, Any], above: Place = ()) -> Iterator[tuple[Place, Any]]:
    for name, value in of.items():
        yield (*above, name), value
        if isinstance(value, dict):
            yield from _values(value, (*above, name))


def _is_empty(default: object) -> bool:
    return default in ("", [], {}) and not isinstance(default, bool | int)


def _may_be_taken_out(path: Place) -> bool:
    return ".".join(path).startswith(TAKEN_OUT)


MEANT = [
    path for path, default in _values(DEFAULTS) if not _is_empty(default) and not _may_be_taken_out(path)
]
EMPTY = [path for path, default in _values(DEFAULTS) if _is_empty(default)]


def _without(path: Place) -> dict[str, Any]:
    """The default values as Helm has them when the user's leave *path* blank."""
    values = copy.deepcopy(DEFAULTS)
    place = values
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    return values


def _is_given(values: dict[str, Any], path: Place) -> bool:
    place: Any = values
    for name in path:
        if not isinstance(place, dict) or name not in place:
            return False
        place = place[name]
    return True


class TestBlank:
    """What people get who copy ``values.yaml`` and leave out what they do not know."""

    @pytest.mark.parametrize("path", MEANT, ids=".".join)
    def test_one_that_has_a_default_is_named(self, path: Place) -> None:
        """It would be written as ``null``: a queue's name, say."""
        said = [error.message for error in Draft7Validator(SCHEMA).iter_errors(_without(path))]
        assert said == [f"'{path[-1]}' is a required property"]

    @pytest.mark.parametrize(
        ("values", "name"),
        [
            ({"broker": {"prefix": None}}, "prefix"),
            ({"ledger": {"type": None}}, "type"),
            ({"probes": {"startup": None}}, "startup"),
            ({"networkPolicy": None}, "networkPolicy"),
        ],
    )
    def test_helm_says_so(self, values: dict[str, Any], name: str) -> None:
        """Helm takes a blank one for one that is not there; Helm 4 has other words than Helm 3."""
        assert re.search(f"{name} is required|missing property '{name}'", refusal(values))

    @pytest.mark.parametrize("given", VALUE_SETS.values(), ids=VALUE_SETS)
    def test_one_that_is_empty_by_default_stays_empty(self, given: Path) -> None:
        """All of them at once, beside what each of the usual installations gives."""
        usual: dict[str, Any] = yaml.safe_load(given.read_text()) or {}
        values = copy.deepcopy(usual)
        for path in EMPTY:
            if not _is_given(usual, path):
                place = values
                for name in path[:-1]:
                    place = place.setdefault(name, {})
                place[path[-1]] = None
        assert template(values) == template(given)

    def test_what_may_be_taken_out_leaves_nothing_behind(self) -> None:
        """Kubernetes takes the objects as they are then."""
        rendered = objects(
            {"podSecurityContext": None, "securityContext": None, "resources": None, "replicaCount": None}
        )
        assert [fault for one in rendered for fault in faults(one)] == []
