"""The table of values in the chart's README: each value with its default and the sentence above it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

BEGIN = "<!-- values: begin (made by python -m scripts.chart) -->\n"
END = "<!-- values: end -->"
_KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z][A-Za-z0-9]*):")
_COMMENT = re.compile(r"^ *# (?P<words>.+)$")


class NoSentenceError(Exception):
    """A value has no comment above it; the text names it."""


@dataclass(frozen=True, slots=True)
class ValueRow:
    """One value.

    Attributes:
        path: ``image.tag``, say.
        default: as JSON.
        sentence: what stands above it.
    """

    path: str
    default: str
    sentence: str


def rows(text: str) -> list[ValueRow]:
    """Return the values of a ``values.yaml`` in their order.

    A mapping with a comment inside is a group; one without is a value by itself.

    Raises:
        NoSentenceError: a value has no sentence.
    """
    sentences = dict(_sentences(text))
    return [
        ValueRow(path, json.dumps(value), _sentence(sentences, path))
        for path, value in _values(yaml.safe_load(text), sentences, "")
    ]


def _sentence(sentences: dict[str, str], path: str) -> str:
    if path not in sentences:
        raise NoSentenceError(f"helm/values.yaml: {path} has no sentence above it")
    return sentences[path]


def _sentences(text: str) -> Iterator[tuple[str, str]]:
    """Yield path and comment of every commented key."""
    above: list[tuple[int, str]] = []
    words: list[str] = []
    for line in text.splitlines():
        if comment := _COMMENT.match(line):
            words.append(comment["words"])
            continue
        if key := _KEY.match(line):
            indent = len(key["indent"])
            above = [*((depth, name) for depth, name in above if depth < indent), (indent, key["key"])]
            if words:
                yield ".".join(name for _, name in above), " ".join(words)
        words = []


def _values(given: dict[str, Any], sentences: dict[str, str], start: str) -> Iterator[tuple[str, object]]:
    for key, value in given.items():
        path = f"{start}{key}"
        if isinstance(value, dict) and any(f"{path}.{inner}" in sentences for inner in value):
            yield from _values(value, sentences, f"{path}.")
        else:
            yield path, value


def with_table(readme: str, values: str) -> str:
    """Return the *readme* with the table of *values*."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = [f"| `{row.path}` | `{row.default}` | {row.sentence} |" for row in rows(values)]
    table = "\n".join(["| value | default | |", "| --- | --- | --- |", *lines])
    return f"{before}{BEGIN}{table}\n{END}{after}"
