"""Every row of the guarantees names tests, and the tests are there."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.chaos_rows import ROWS

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| `(?P<id>[a-z0-9/-]+)` \|.*\| (?P<tests>[^|]*) \|$", re.MULTILINE)
_TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<names>[\w:]+)(?:\[(?P<case>[^]`]+)\])?`")


def table_rows() -> dict[str, str]:
    """Return the cell with the tests, by the id of the row."""
    text = (ROOT / "docs" / "guarantees.md").read_text()
    return {found["id"]: found["tests"] for found in _ROW.finditer(text)}


@cache
def names_in(file: str) -> frozenset[str]:
    """Return every test of a file as ``Class::function`` or ``function``."""
    return frozenset(_names(ast.parse((ROOT / file).read_text()), ""))


def _names(node: ast.AST, start: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _names(child, f"{child.name}::")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield start + child.name


class TestGuarantees:
    """The tables of docs/guarantees.md."""

    @pytest.mark.parametrize("row", table_rows())
    def test_a_row_names_tests_that_exist(self, row: str) -> None:
        """At least one, each by file, class and name."""
        tests = list(_TEST.finditer(table_rows()[row]))
        assert tests
        for test in tests:
            assert (ROOT / test["file"]).is_file()
            assert test["names"] in names_in(test["file"])

    @pytest.mark.parametrize("row", table_rows())
    def test_a_case_is_the_row_itself(self, row: str) -> None:
        """A row that is a case of the crash table's test names just that case."""
        cases = {test["case"] for test in _TEST.finditer(table_rows()[row])} - {None}
        assert cases <= {row}
        assert cases <= {one.id for one in ROWS}

    def test_every_kill_is_documented(self) -> None:
        """What is killed in the tests has its row, at its own case."""
        documented = {
            case
            for cell in table_rows().values()
            for case in (t["case"] for t in _TEST.finditer(cell))
            if case
        }
        assert {row.id for row in ROWS} == documented

    def test_ids_are_unique(self) -> None:
        """No row hides behind another."""
        ids = [found["id"] for found in _ROW.finditer((ROOT / "docs" / "guarantees.md").read_text())]
        assert len(ids) == len(set(ids))
