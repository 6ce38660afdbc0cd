"""Rows of the crash table, as tests carry them."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_MARK = "pytest.mark.row"
_TABLE = "tests/e2e/test_crash_table.py::TestCrashTable::test_killed"
_WORDS = ROOT / "tests" / "support" / "crash_words.txt"


class WrongRowError(ValueError):
    """A row that cannot be shown: what is wrong with it, in a line."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the page.

    Attributes:
        words: its cells but the first and the last.
        tests: names as pytest takes them.
    """

    id: str
    words: tuple[str, ...]
    tests: tuple[str, ...]

    def line(self) -> str:
        """Return it as Markdown."""
        return (
            f"| {' | '.join((f'`{self.id}`', *self.words, ' '.join(f'`{test}`' for test in self.tests)))} |"
        )


def kills(ids: Iterable[str], also_on_servers: Iterable[str]) -> Iterator[Row]:
    """Return the rows of the test that kills a worker at each step, in the order of *ids*.

    Raises:
        WrongRowError: a kill has no words, or words belong to no kill.
    """
    words, on_servers = _words(), set(also_on_servers)
    for name in ids:
        if name not in words:
            raise WrongRowError(f"{_WORDS.name} says nothing of {name}")
        also = ("_with_redis", "_with_postgresql") if name in on_servers else ()
        tests = tuple(f"{_TABLE}{ledger}[{name}]" for ledger in ("", *also))
        yield Row(name, words.pop(name), tests)
    if words:
        raise WrongRowError(f"{_WORDS.name} speaks of {', '.join(words)}, which no test kills")


def _words() -> dict[str, tuple[str, ...]]:
    rows = (line.split(" | ") for line in _WORDS.read_text().splitlines())
    return {name: tuple(cells) for name, *cells in rows}


def marked(folder: Path = ROOT / "tests") -> list[Row]:
    """Return the rows of tests with ``@pytest.mark.row(ID, CELL, ...)``, by file and line.

    The cells stand at one test of a row; further tests of it have its id alone.

    Raises:
        WrongRowError: a row has no cells, or they stand at two tests.
    """
    found: dict[str, Row] = {}
    for file in sorted(folder.rglob("test_*.py")):
        source = file.read_text()
        if _MARK in source:
            for test, (name, *cells) in _marks(ast.parse(source), f"{file.relative_to(ROOT)}"):
                _add(found, name, tuple(cells), test)
    if bare := [name for name, row in found.items() if not row.words]:
        raise WrongRowError(f"no test says anything of {', '.join(bare)}")
    return list(found.values())


def _add(found: dict[str, Row], name: str, cells: tuple[str, ...], test: str) -> None:
    known = found.get(name, Row(name, (), ()))
    if cells and known.words:
        raise WrongRowError(f"two tests say what {name} is: {known.tests[0]} and {test}")
    found[name] = Row(name, cells or known.words, (*known.tests, test))


def _marks(node: ast.AST, start: str) -> Iterator[tuple[str, list[str]]]:
    """Return the name of each marked test, and the arguments of each mark."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _marks(child, f"{start}::{child.name}")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            for mark in child.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == _MARK:
                    yield f"{start}::{child.name}", [ast.literal_eval(one) for one in mark.args]
