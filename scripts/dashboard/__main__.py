"""``python -m scripts.dashboard write|check``: the dashboard's file."""

import json
import sys
from pathlib import Path

from scripts.dashboard.content import ROWS
from scripts.dashboard.grafana import dashboard

FILE = Path(__file__).parents[2] / "helm" / "files" / "dashboard.json"


def fresh() -> str:
    """Return what the file should hold."""
    return json.dumps(dashboard(ROWS), indent=2) + "\n"


def main(arguments: list[str]) -> int:
    """Write the file, or tell whether it is current; return the exit code."""
    if arguments == ["write"]:
        FILE.write_text(fresh())
        return 0
    if FILE.exists() and FILE.read_text() == fresh():
        return 0
    print(
        "helm/files/dashboard.json is out of date; run `python -m scripts.dashboard write`", file=sys.stderr
    )
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
