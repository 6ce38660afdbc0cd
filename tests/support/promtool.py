"""Prometheus's own tool: rules and expressions over series that a test makes up."""

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from scripts import debian

# Values by name and labels, in the tool's notation: ``0+5x30`` begins at 0 and rises by 5 thirty times.
Series = Mapping[str, str]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it."""
    program = str(debian.PROOFS["prometheus"])
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def complaints(file: Path, tests: list[dict[str, Any]]) -> str:
    """Run *tests* in the tool's form, written to *file*; return what it says to those that fail."""
    file.write_text(yaml.safe_dump({"tests": tests}))
    return complaints_of([file])


def complaints_of(files: Iterable[Path]) -> str:
    """Run files of tests; return what the tool says to those that fail."""
    done = promtool("test", "rules", *map(str, files))
    return "" if done.returncode == 0 else done.stdout + done.stderr
