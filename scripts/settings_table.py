"""Writes the README's table of settings from the settings themselves: ``write`` or ``check``."""

import sys
from pathlib import Path

from worker.settings import settings_table

README = Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- settings: begin (made by python -m scripts.settings_table) -->\n"
END = "<!-- settings: end -->"
_WORDS = {"required", "unset"}


def table() -> str:
    """Return the table as Markdown."""
    rows = [f"| `{row.variable}` | {_shown(row.default)} | {row.meaning} |" for row in settings_table()]
    return "\n".join(["| variable | default | |", "| --- | --- | --- |", *rows]) + "\n"


def _shown(default: str) -> str:
    return default if default in _WORDS else f"`{default}`"


def with_table(text: str) -> str:
    """Return the README's *text* with the present table."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


def main(arguments: list[str]) -> int:
    """Write the table, or tell whether it is current; return the exit code."""
    text = README.read_text()
    if arguments == ["write"]:
        README.write_text(with_table(text))
        return 0
    if text == with_table(text):
        return 0
    print("README.md: the table of settings is out of date; run `python -m scripts.settings_table write`")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
