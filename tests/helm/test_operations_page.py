"""What ``docs/operations.md`` says of dashboard and chart, held against both."""

import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.chart import CHART, objects, one
from tests.support.dashboard import panels

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())


def _section(title: str) -> str:
    """The text below a heading, up to the next of its level."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def _known(name: str) -> bool:
    """Whether the chart has a value of that name; below an empty one anything may stand."""
    place: Any = VALUES
    for key in name.split("."):
        if place == {}:
            return True
        if not isinstance(place, dict) or key not in place:
            return False
        place = place[key]
    return True


def _commands(first: str) -> list[list[str]]:
    """The words of each command of the page that begins with *first*."""
    lines = re.findall(rf"^\$ ({first} .*?)(?:  +#.*)?$", PAGE, re.MULTILINE)
    return [shlex.split(line) for line in lines]


def _set(command: list[str]) -> dict[str, str]:
    """What a Helm command sets, by the values' names."""
    pairs = [word for before, word in itertools.pairwise(command) if before == "--set"]
    return dict(pair.split("=", 1) for pair in pairs)


class TestDashboard:
    """The section on reading it."""

    def test_it_has_a_line_for_each_panel_in_their_order(self) -> None:
        """And none for one that is gone: row by row, as on the screen."""
        text = _section("Read the dashboard")
        told = [
            row or panel for row, panel in re.findall(r"^(?:### (.+)|\| ([^|]+?) \| .*)$", text, re.MULTILINE)
        ]
        assert [panel["title"] for panel in panels()] == [
            title for title in told if title not in {"panel", "---"}
        ]

    def test_each_line_asks_and_answers(self) -> None:
        """A question, what healthy looks like, what to do."""
        lines = re.findall(r"^\| (.+) \|$", _section("Read the dashboard"), re.MULTILINE)
        cells = [line.split(" | ") for line in lines if not line.startswith(("panel", "---"))]
        assert {4} == {len(cell) for cell in cells}
        assert [] == [cell[0] for cell in cells if not cell[1].endswith("?") or not all(cell)]

    def test_what_it_points_at_is_there(self) -> None:
        """Other panels, and sections of the alerts' page."""
        text = _section("Read the dashboard")
        titles = " ".join(panel["title"] for panel in panels())
        pointed = set(re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", text)) - {"i"}
        assert [] == [title for title in pointed if title not in titles]
        alerts = (CHART.parent / "docs" / "alerts.md").read_text().lower()
        anchors = set(re.findall(r"alerts\.md#(\w+)", PAGE))
        assert [] == [anchor for anchor in anchors if f"\n## {anchor}\n" not in alerts]


class TestChart:
    """The section on Kubernetes, and the move from SQLite to Redis."""

    def test_every_value_it_names_is_one_of_the_chart(self) -> None:
        """In sentences and in commands."""
        text = _section("Kubernetes") + _section("From SQLite to Redis")
        first = "|".join(VALUES)
        named = set(re.findall(rf"`((?:{first})(?:\.\w+)*)`", text))
        named |= {name for command in _commands("helm") for name in _set(command)}
        assert {"ledger.sqlite.size", "nameOverride", "image.tag", "replicaCount"} <= named
        assert [] == [name for name in named if not _known(name)]

    @pytest.mark.parametrize("kind", ["Deployment", "PersistentVolumeClaim"])
    def test_commands_name_the_objects_of_such_a_release(self, kind: str) -> None:
        """``deployment/iton-worker`` and the claim of the ledger."""
        name = one(objects({}, release="iton-worker"), kind)["metadata"]["name"]
        assert (f"deployment/{name}" if kind == "Deployment" else f"`{name}`") in PAGE

    def test_pods_are_waited_for_by_their_labels(self) -> None:
        """All of the selector's are the workers' own."""
        (wait,) = (command for command in _commands("kubectl") if command[1:3] == ["wait", "pod"])
        (selector,) = (word for word in wait if word.startswith("--selector="))
        deployment = one(objects({}, release="iton-worker"), "Deployment")
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        wanted = dict(pair.split("=") for pair in selector.removeprefix("--selector=").split(","))
        assert wanted == {name: labels[name] for name in wanted}

    def test_pods_of_both_ledgers_would_overlap(self) -> None:
        """The reason why the move goes over no pod at all; its last step is what the chart takes."""
        off, on = (
            command
            for command in _commands("helm")
            if command[1] == "upgrade" and "--set" in command and "image.tag" not in " ".join(command)
        )
        assert {"replicaCount": "0"} == _set(off)
        redis = {"type": _set(on)["ledger.type"], "redis": {"url": _set(on)["ledger.redis.url"]}}
        before, after = (
            one(objects(values, release="iton-worker"), "Deployment")["spec"]["strategy"]["type"]
            for values in ({}, {"ledger": redis})
        )
        assert ("Recreate", "RollingUpdate") == (before, after)
        assert 0 == one(objects({"replicaCount": 0}, release="iton-worker"), "Deployment")["spec"]["replicas"]
