"""``make lock`` writes the locks of ``requirements/``; ``make lock-check`` tells whether they are current.

A lock holds every package with its hashes and no address, and in its first line a digest of what
pyproject.toml asks for, so that the check needs no network.
"""

import hashlib
import json
import sys
import tomllib
from pathlib import Path

from scripts.uv_tool import ROOT, SetUpError, run, uv

FOLDER = ROOT / "requirements"
EXTRAS = {"run": (), "otel": ("--extra", "otel"), "dev": ("--extra", "dev", "--extra", "otel")}
OPTIONS = (
    "--quiet",
    "--universal",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
)


def first_line() -> str:
    """Return the line that a lock of the present pyproject.toml starts with."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    asked = {name: project.get(name) for name in ("requires-python", "dependencies", "optional-dependencies")}
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return f"# Written by `make lock` for pyproject.toml's dependencies {digest}\n"


def stale() -> list[Path]:
    """Return the locks that were written for another pyproject.toml, or are not there."""
    wanted = first_line()
    locks = [FOLDER / f"{name}.txt" for name in EXTRAS]
    return [lock for lock in locks if not lock.exists() or not lock.read_text().startswith(wanted)]


def write() -> None:
    """Resolve anew, keeping the versions that still fit; ``--upgrade`` as an argument takes the newest.

    Raises:
        SetUpError: the dependencies cannot be resolved.
    """
    tool = uv()
    upgrade = [argument for argument in sys.argv[2:] if argument == "--upgrade"]
    constraint: list[str | Path] = []
    for name, extra in EXTRAS.items():
        lock = FOLDER / f"{name}.txt"
        run(
            [tool, "pip", "compile", *OPTIONS, *upgrade, *extra, *constraint, "pyproject.toml", "-o", lock],
            f"Locking {lock.name}",
        )
        lock.write_text(first_line() + lock.read_text())
        constraint = ["--constraint", lock.relative_to(ROOT)]
        print(f"Written: {lock.relative_to(ROOT)}")


def main() -> int:
    """Write, or with ``check`` only look."""
    if sys.argv[1:2] == ["check"]:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale())
        if names:
            print(f"{names} does not belong to this pyproject.toml. Type: make lock", file=sys.stderr)
        return 1 if names else 0
    try:
        write()
    except SetUpError as error:
        print(f"make lock: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
