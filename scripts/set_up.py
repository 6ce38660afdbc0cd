"""``make setup``: a ``.venv`` with everything locked and ``iton-worker`` in it. A second run does nothing."""

import hashlib
import sys
from pathlib import Path

from scripts.uv_tool import ROOT, SetUpError, run, uv

VENV = ROOT / ".venv"
STAMP = VENV / "set-up.sha256"
LOCK = ROOT / "requirements" / "dev.txt"
PROGRAM = VENV / "bin" / "iton-worker"


def fingerprint() -> str:
    """Return a digest of all that the environment follows from, its place included."""
    digest = hashlib.sha256(f"{ROOT}\n{sys.version}\n".encode())
    for path in (LOCK, ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_current() -> bool:
    """Whether the last set-up was of this very state."""
    return PROGRAM.exists() and STAMP.exists() and STAMP.read_text() == fingerprint()


def set_up() -> None:
    """Make the environment.

    Raises:
        SetUpError: a step failed.
    """
    tool = uv()
    STAMP.unlink(missing_ok=True)
    print(f"Installing into .venv (Python {sys.version.split()[0]}) ...", flush=True)
    python = VENV / "bin" / "python"
    if not _is_ours(python):
        run([tool, "venv", "--quiet", "--clear", "--python", sys.executable, VENV], "Making .venv")
    install: list[str | Path] = [tool, "pip"]
    target: list[str | Path] = ["--quiet", "--python", python]
    run([*install, "sync", *target, "--require-hashes", LOCK], "Installing the locked packages")
    run(
        [*install, "install", *target, "--no-deps", "--no-build-isolation", "-e", ROOT],
        "Installing iton-worker",
    )
    STAMP.write_text(fingerprint())
    print("Ready: .venv/bin/iton-worker", flush=True)


def _is_ours(python: Path) -> bool:
    """Whether it is there and of the version that runs us."""
    try:
        run([python, "-c", f"import sys; sys.exit(sys.version != {sys.version!r})"], "Asking .venv")
    except (OSError, SetUpError):
        return False
    return True


def main() -> int:
    """Set up unless that is done."""
    if is_current():
        return 0
    try:
        set_up()
    except (OSError, SetUpError) as error:
        print(f"make setup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
