"""``docs/crash-table.md``: prose by hand, and a table where a comment asks for one."""

import re
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase

from scripts.crash_table.marked import ROOT, Row, WrongRowError

PAGE = ROOT / "docs" / "crash-table.md"
_TABLE = re.compile(
    r"(?P<begin><!-- rows (?P<ids>[^|\n]+) \| (?P<head>[^\n]+) -->\n)(?:.*?)(?P<end><!-- end of rows -->)",
    re.DOTALL,
)


def with_tables(text: str, rows: Sequence[Row]) -> str:
    """Return the page's *text* with the present tables.

    ``<!-- rows ID ID/* | COLUMN | COLUMN -->`` begins one: its ids in their order, or patterns of them, and
    the heads of its columns.

    Raises:
        WrongRowError: an id is that of two rows, a row is in no table, an id names none, or a row has other
            columns than its table.
    """
    left = {row.id: row for row in rows}
    if twice := sorted(name for name, times in Counter(row.id for row in rows).items() if times > 1):
        raise WrongRowError(f"two rows have the id {', '.join(twice)}")

    def table(found: re.Match[str]) -> str:
        head = ("id", *found["head"].split(" | "), "test")
        taken = [row for wanted in found["ids"].split() for row in _taken(left, wanted)]
        if wrong := [row.id for row in taken if len(row.words) != len(head) - 2]:
            raise WrongRowError(f"{', '.join(wrong)}: the table has the columns {head[1:-1]}")
        rule = f"| {' | '.join(['---'] * len(head))} |"
        lines = (f"| {' | '.join(head)} |", rule, *(row.line() for row in taken))
        return found["begin"] + "\n" + "".join(f"{line}\n" for line in lines) + "\n" + found["end"]

    written = _TABLE.sub(table, text)
    if left:
        raise WrongRowError(f"{PAGE.name} has no table for {', '.join(left)}")
    return written


def _taken(left: dict[str, Row], wanted: str) -> list[Row]:
    """Take what is *wanted* out of what is left."""
    names = [name for name in left if fnmatchcase(name, wanted)]
    if not names:
        raise WrongRowError(f"{PAGE.name} asks for {wanted}: no test has such a row, or another table has it")
    return [left.pop(name) for name in names]
