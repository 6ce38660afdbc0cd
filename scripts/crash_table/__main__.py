"""``python -m scripts.crash_table write`` or ``check``."""

import sys

from scripts.crash_table.marked import WrongRowError, kills, marked
from scripts.crash_table.page import PAGE, with_tables
from tests.support.chaos_rows import ON_SERVERS, ROWS


def main(arguments: list[str]) -> int:
    """Write the tables, or tell whether they are current; return the exit code."""
    text = PAGE.read_text()
    try:
        rows = [*kills([row.id for row in ROWS], [row.id for row in ON_SERVERS]), *marked()]
        written = with_tables(text, rows)
    except WrongRowError as error:
        print(f"crash table: {error}")
        return 1
    if arguments == ["write"]:
        PAGE.write_text(written)
        return 0
    if text == written:
        return 0
    print("docs/crash-table.md: the tables are out of date; run `python -m scripts.crash_table write`")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
