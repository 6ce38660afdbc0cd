"""What the tests need of npm, a copy of the locked versions in ``.local/node``: a client, a schema."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from scripts.uv_tool import ROOT, SetUpError

LOCKED = ROOT / "tests" / "node"
FILES = ("package.json", "package-lock.json")


def node_packages() -> Path:
    """Return a folder with ``node_modules``; the first time it is fetched. Many processes may ask at once.

    Raises:
        SetUpError: it cannot be had; the text says why and what to do.
    """
    digest = hashlib.sha256(b"".join((LOCKED / name).read_bytes() for name in FILES)).hexdigest()[:20]
    place = ROOT / ".local" / "node" / digest
    if not place.exists():
        _fetch(place)
    return place


def _fetch(place: Path) -> None:
    """Install beside the place and move in one step: nobody sees half of it."""
    npm = shutil.which("npm")
    if npm is None:
        raise SetUpError("npm is not installed. Type: sudo apt-get install -y npm")
    place.parent.mkdir(parents=True, exist_ok=True)
    own = Path(tempfile.mkdtemp(prefix="fetch-", dir=place.parent))
    try:
        for name in FILES:
            shutil.copy(LOCKED / name, own)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(
            command, cwd=own, env=_environment(own), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SetUpError(f"npm could not install the locked packages: {done.stderr.strip()[-500:]}")
        if not place.exists():
            own.replace(place)
    except OSError:
        if not place.exists():  # else another process was first
            raise
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "npm_config_update_notifier": "false", "npm_config_cache": str(folder / "cache")}
