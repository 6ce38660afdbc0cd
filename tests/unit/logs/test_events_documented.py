"""docs/logs.md against the source: every event and its keys, both ways."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EVENT = re.compile(r"[a-z]+\.[a-z_]+")
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
NAMES = {"log", "logger", "_log"}
LOGS = re.compile(rf"\b({'|'.join(NAMES)})\.({'|'.join(LEVELS)})\b")
COUNTS = "counts"
"""The word for keys that only the run knows."""


@dataclass
class Event:
    """What is said of one event in all its places."""

    levels: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)


def _documented() -> dict[str, Event]:
    table = (ROOT / "docs" / "logs.md").read_text().partition("\n## Events\n")[2].partition("\n## ")[0]
    rows = (line.split("|")[1:4] for line in table.splitlines() if line.startswith("| `"))
    events = {}
    for name, level, keys in rows:
        named = set(re.findall(r"`([a-z_]+)`", keys)) | ({COUNTS} if COUNTS in keys else set())
        events[name.strip(" `")] = Event({level.strip()}, named)
    return events


def _calls() -> Iterator[tuple[Path, ast.Call]]:
    for path in sorted((ROOT / "worker").rglob("*.py")):
        source = path.read_text()
        if not LOGS.search(source):
            continue  # most do not, and each process that collects tests parses the rest
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and _is_of_a_log(node.func):
                yield path, node


def _is_of_a_log(called: ast.expr) -> bool:
    if not isinstance(called, ast.Attribute) or called.attr not in LEVELS:
        return False
    return isinstance(called.value, ast.Name) and called.value.id in NAMES


def _written() -> dict[str, Event]:
    events: dict[str, Event] = defaultdict(Event)
    for path, call in _calls():
        name = getattr(call.args[0], "value", None)
        assert isinstance(name, str), f"{path}:{call.lineno}: an event is a constant"
        assert isinstance(call.func, ast.Attribute)
        assert EVENT.fullmatch(name), f"{path}:{call.lineno}: noun.past_participle"
        events[name].levels.add(call.func.attr)
        events[name].keys |= {word.arg for word in call.keywords if word.arg}
        events[name].keys |= {key for word in call.keywords if not word.arg for key in _spread(word)}
    # The one line that is written without structlog, when a library's line broke on its way.
    assert '"event": "log.failed"' in (ROOT / "worker" / "logs" / "setup.py").read_text()
    events["log.failed"] = Event({"error"})
    return dict(events)


def _spread(word: ast.keyword) -> set[str]:
    """Name what ``**reason`` and ``**summary.counts`` add."""
    return {word.value.id if isinstance(word.value, ast.Name) else COUNTS}


WRITTEN, DOCUMENTED = _written(), _documented()


class TestEvents:
    """Operators build alerts and searches on these names."""

    def test_every_event_is_documented_and_nothing_documented_is_gone(self) -> None:
        """By name."""
        assert sorted(WRITTEN) == sorted(DOCUMENTED)

    @pytest.mark.parametrize("name", sorted(WRITTEN))
    def test_its_level_and_keys_are_those_of_the_source(self, name: str) -> None:
        """In all places that write it, together."""
        assert WRITTEN[name] == DOCUMENTED[name]


def test_states_of_a_circuit_are_those_that_it_has() -> None:
    """The page names each, and no other."""
    (line,) = re.findall(r"^\| `circuit.changed` .*$", (ROOT / "docs" / "logs.md").read_text(), re.MULTILINE)
    assert {"open", "closed"} == set(re.findall(r"\(`(\w+)`\)", line))
