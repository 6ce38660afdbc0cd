"""``python -m scripts.chart write|check``: the files of the chart that follow from others."""

import json
import sys
from pathlib import Path

from scripts.chart.alert_names import with_alerts
from scripts.chart.settings_schema import UnplacedSecretError, with_settings
from scripts.chart.values_table import NoSentenceError, with_table
from scripts.chart.worker_facts import worker_facts

CHART = Path(__file__).parents[2] / "helm"


def fresh_files() -> dict[Path, str]:
    """Return what the files should hold now.

    Raises:
        NoSentenceError: a value has no sentence.
        UnplacedSecretError: a secret of the worker has no place among the credentials.
    """
    schema = json.loads((CHART / "values.schema.json").read_text())
    alerts = (CHART / "files" / "alerts.yaml").read_text()
    readme, values = (CHART / "README.md").read_text(), (CHART / "values.yaml").read_text()
    return {
        CHART / "generated" / "worker.json": worker_facts(),
        CHART / "values.schema.json": json.dumps(with_alerts(with_settings(schema), alerts), indent=2) + "\n",
        CHART / "README.md": with_table(readme, values),
    }


def stale(files: dict[Path, str]) -> list[str]:
    """Name the files that hold something else."""
    return [path.name for path, text in files.items() if not path.exists() or path.read_text() != text]


def main(arguments: list[str]) -> int:
    """Write the files, or tell whether they are current; return the exit code."""
    try:
        files = fresh_files()
    except (NoSentenceError, UnplacedSecretError) as error:
        print(error, file=sys.stderr)
        return 1
    if arguments == ["write"]:
        for path, text in files.items():
            path.write_text(text)
        return 0
    old = stale(files)
    if old:
        print(f"helm/: {', '.join(old)} out of date; run `python -m scripts.chart write`", file=sys.stderr)
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
