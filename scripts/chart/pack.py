"""``python -m scripts.chart.pack FOLDER [HOME]``: the chart as a file, with the publisher's address in it."""

import shutil
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from scripts import helm_tool
from scripts.chart.__main__ import CHART

NOBODYS = "https://git.example.com/sms/iton-worker"
"""What Chart.yaml has for ``home`` and ``sources`` until somebody publishes the chart."""


def pack(destination: Path, home: str = "") -> int:
    """Pack the chart into *destination*; return Helm's exit code, 2 for a wrong *home*.

    Args:
        destination: a folder; made where it is missing.
        home: address of whoever publishes it; becomes its ``home`` and ``sources``.
    """
    parts = urlsplit(home)
    if home and (parts.scheme not in {"http", "https"} or not parts.hostname or set(home) & set("\"'# \n")):
        print(f"CHART_HOME must be https://HOST/PATH, not {home}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="chart-") as folder:
        copy = Path(folder) / "iton-worker"
        shutil.copytree(CHART, copy)
        about = copy / "Chart.yaml"
        about.write_text(about.read_text().replace(NOBODYS, home or NOBODYS))
        code = helm_tool.main(["package", str(copy), "--destination", str(destination)])
    if code == 0 and not home:
        print(f"Its home and sources are {NOBODYS}, which is nobody's: make chart CHART_HOME=https://...")
    return code


if __name__ == "__main__":
    sys.exit(pack(Path(sys.argv[1]), *sys.argv[2:3]))
