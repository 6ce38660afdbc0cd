"""uv, the tool that installs: the machine's own where it has one, else a copy in ``.local/uv``.

Runs on the machine's own Python before there is a virtual environment: the standard library only.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts import debian

ROOT = Path(__file__).resolve().parents[1]
PRIVATE = ROOT / ".local" / "uv"
OLDEST = (0, 5)


class SetUpError(Exception):
    """The set-up cannot go on; the text says why and what to do."""


def run(command: Sequence[str | Path], doing: str) -> None:
    """Run *command* from the repository's root, printing nothing unless it fails.

    Raises:
        SetUpError: it failed; the text holds *doing* and the end of what it printed.
    """
    # A download of a Python is never wanted: the one that runs us is good enough.
    env = os.environ | {"UV_PYTHON_DOWNLOADS": "never", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    env.pop("VIRTUAL_ENV", None)
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-3000:]
        raise SetUpError(f"{doing} failed (exit code {done.returncode}):\n{said}")


def uv() -> Path:
    """Return the path of a uv that works; installs one into ``.local/uv`` if need be.

    Raises:
        SetUpError: it could not be installed.
    """
    on_path = shutil.which("uv")
    if on_path and _version(Path(on_path)) >= OLDEST:
        return Path(on_path)
    private = PRIVATE / "bin" / "uv"
    if _version(private) < OLDEST:
        _install()
    return private


def _version(program: Path) -> tuple[int, ...]:
    """Return (0, 13, 9), say; empty where it is missing or does not run."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ()
    found = re.match(r"uv (\d+)\.(\d+)\.(\d+)", done.stdout) if done.returncode == 0 else None
    return tuple(int(number) for number in found.groups()) if found else ()


def _install() -> None:
    """In a virtual environment of its own: Debian lets pip write nowhere else (PEP 668)."""
    print("Installing uv into .local/uv ...", flush=True)
    _ensure_venv_module()
    shutil.rmtree(PRIVATE, ignore_errors=True)
    run([sys.executable, "-m", "venv", PRIVATE], "Making .local/uv")
    pip: list[str | Path] = [
        PRIVATE / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
    ]
    run([*pip, "-r", "requirements/uv.txt"], "Installing uv")


def _ensure_venv_module() -> None:
    """Debian's Python comes without ensurepip, which ``python3 -m venv`` needs."""
    probe = [sys.executable, "-c", "import ensurepip, venv"]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return
    try:
        debian.install(["python3-venv"])
    except debian.PackagesMissingError as error:
        raise SetUpError(f"This Python cannot make virtual environments: {error}") from error
