"""The benchmark's own ``.local/bench-venv`` and its lock: the worker's environment stays as it is.

``python3 -m bench.environment lock`` writes ``requirements/bench.txt`` (``--upgrade`` for the newest),
``check`` tells whether it belongs to ``requirements/bench.in``, no argument installs it.
Runs on the machine's own Python: the standard library only.
"""

import hashlib
import sys
from pathlib import Path

from scripts.lock import OPTIONS
from scripts.uv_tool import ROOT, SetUpError, run, uv

ASKED = ROOT / "requirements" / "bench.in"
LOCK = ROOT / "requirements" / "bench.txt"
WORKERS_LOCK = ROOT / "requirements" / "dev.txt"
VENV = ROOT / ".local" / "bench-venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "set-up.sha256"


def first_line() -> str:
    """Return the line that a lock of the present ``bench.in`` starts with."""
    digest = hashlib.sha256(ASKED.read_bytes()).hexdigest()
    return f"# Written by `python3 -m bench.environment lock` for bench.in {digest}\n"


def is_stale() -> bool:
    """Whether the lock was written for another ``bench.in``, or is not there."""
    return not LOCK.exists() or not LOCK.read_text().startswith(first_line())


def write_lock(*, upgrade: bool) -> None:
    """Resolve anew; what the worker uses too gets the worker's version, so that no peer has another one.

    Raises:
        SetUpError: the dependencies cannot be resolved.
    """
    newest = ["--upgrade"] if upgrade else []
    names: list[str | Path] = [ASKED.relative_to(ROOT), "--constraint", WORKERS_LOCK.relative_to(ROOT)]
    options = [*OPTIONS, "--python-version", "3.11", *newest]
    run([uv(), "pip", "compile", *options, *names, "-o", LOCK], f"Locking {LOCK.name}")
    LOCK.write_text(first_line() + LOCK.read_text())
    print(f"Written: {LOCK.relative_to(ROOT)}")


def fingerprint() -> str:
    """Return a digest of all that the environment follows from, its place included."""
    return hashlib.sha256(f"{ROOT}\n{sys.version}\n".encode() + LOCK.read_bytes()).hexdigest()


def is_current() -> bool:
    """Whether the last installation was of this very lock."""
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text() == fingerprint()


def install() -> None:
    """Make the environment; nothing if it is there.

    Raises:
        SetUpError: a step failed.
    """
    if is_current():
        return
    tool = uv()
    print("Installing the peers into .local/bench-venv ...", flush=True)
    run([tool, "venv", "--quiet", "--clear", "--python", sys.executable, VENV], f"Making {VENV.name}")
    sync: list[str | Path] = [tool, "pip", "sync", "--quiet", "--python", PYTHON, "--require-hashes", LOCK]
    run(sync, "Installing the locked packages")
    STAMP.write_text(fingerprint())


def main() -> int:
    """Install, or do what the first argument says."""
    if sys.argv[1:2] == ["check"]:
        if is_stale():
            print(f"{LOCK.name} does not belong to {ASKED.name}. Type: make bench-lock", file=sys.stderr)
        return int(is_stale())
    try:
        if sys.argv[1:2] == ["lock"]:
            write_lock(upgrade="--upgrade" in sys.argv[2:])
        else:
            install()
    except (OSError, SetUpError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
