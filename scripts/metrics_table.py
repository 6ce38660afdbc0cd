"""Writes the tables of ``docs/metrics.md`` from the catalogue of metrics: ``write`` or ``check``."""

import sys
from itertools import groupby
from pathlib import Path

from worker.metrics.catalogue import CATALOGUE
from worker.metrics.spec import Spec

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
BEGIN = "<!-- metrics: begin (made by python -m scripts.metrics_table) -->\n"
END = "<!-- metrics: end -->"
_MANY = 12  # values of a label; a longer list is described by its source
_SOURCES = {"reason": "a failure code, as in `x-iton-reason`", "version": "any", "python": "any"}


def tables() -> str:
    """Return a table for each group as Markdown."""
    groups = groupby(CATALOGUE, key=lambda spec: spec.group)
    return "\n".join(_table(group, list(specs)) for group, specs in groups)


def _table(group: str, specs: list[Spec]) -> str:
    rows = [f"| `{spec.full_name}` | {spec.kind} | {spec.meaning} | {_labels(spec)} |" for spec in specs]
    head = ["| metric | type | | labels |", "| --- | --- | --- | --- |"]
    return "\n".join([f"### {group}", "", *head, *rows, ""])


def _labels(spec: Spec) -> str:
    return "<br>".join(f"`{name}`: {_values(name, spec)}" for name in spec.labels.names)


def _values(name: str, spec: Spec) -> str:
    values = spec.labels.values.get(name, ())
    if not values or (len(values) > _MANY and name in _SOURCES):
        return _SOURCES[name]
    return ", ".join(values)


def with_tables(text: str) -> str:
    """Return the page's *text* with the present tables."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Write the tables, or tell whether they are current; return the exit code."""
    text = PAGE.read_text()
    if arguments == ["write"]:
        PAGE.write_text(with_tables(text))
        return 0
    if text == with_tables(text):
        return 0
    print("docs/metrics.md: the tables are out of date; run `python -m scripts.metrics_table write`")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
