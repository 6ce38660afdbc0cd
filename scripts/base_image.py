"""The base of the Dockerfile: the real one where a registry is reached, else a stand-in under its name.

The stand-in is a tree of the Debian suite that the tag names, with that suite's Python. It goes into an
engine of our own only: nobody finds it under the official name in theirs.
"""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts import debian
from scripts.container_engine import (
    IMAGES,
    ROOT,
    Engine,
    EngineFailedError,
    engine_that_answers,
    private_engine,
)

PACKAGES = "python3-minimal,python3-venv,ca-certificates"
BUILD_TIMEOUT = 600.0
LABEL = "stand-in"
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
# The official image has Python and pip below /usr/local; what is built on it must get rid of pip there.
HOOKS = (
    f"copy-in {CA_BUNDLE} {CA_BUNDLE.parent}",
    'ln -s /usr/bin/python3 "$1/usr/local/bin/python3"',
    'ln -s /usr/bin/python3 "$1/usr/local/bin/python"',
    'chroot "$1" python3 -m venv /opt/pip',
    'mkdir -p "$1"/usr/local/lib/python3.{minor}/site-packages',
    'mv "$1"/opt/pip/lib/python3*/site-packages/pip* "$1"/usr/local/lib/python3.{minor}/site-packages/',
    'mv "$1"/opt/pip/bin/pip* "$1"/usr/local/bin/',
    'rm -rf "$1/opt/pip" "$1"/var/cache/apt/*.bin',
)
_TAG = re.compile(r"python:3\.(?P<minor>\d+)-slim-(?P<suite>[a-z]+)")


class BaseMissingError(Exception):
    """No base image could be had; the text says why."""


def default_base() -> str:
    """Return the base image that the Dockerfile names."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    if found is None:
        raise BaseMissingError("The Dockerfile has no line ARG BASE_IMAGE=...")
    return found[1]


@contextmanager
def engine_with_base() -> Iterator[Engine]:
    """Provide an engine that holds the Dockerfile's base image: the user's own, else a private one.

    Raises:
        EngineMissingError: none answers and none may be started.
        PackagesMissingError: a Debian package is missing and cannot be installed.
        BaseMissingError: the stand-in could not be built.
    """
    base = default_base()
    theirs = engine_that_answers()
    if theirs and (theirs.has(base) or _pulled(theirs, base)):
        yield theirs
        return
    with private_engine() as engine:
        _ensure_stand_in(engine, base)
        yield engine


def _pulled(engine: Engine, image: str) -> bool:
    try:
        return engine.attempt("pull", "--quiet", image, timeout=300).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _ensure_stand_in(engine: Engine, base: str) -> None:
    named = _TAG.fullmatch(base)
    if named is None:
        raise BaseMissingError(
            f"{base} is not of the form python:3.N-slim-SUITE: no stand-in can be made of it"
        )
    hooks = [hook.replace("{minor}", named["minor"]) for hook in HOOKS]
    key = hashlib.sha256("\n".join([base, PACKAGES, *hooks]).encode() + CA_BUNDLE.read_bytes()).hexdigest()
    found = engine.attempt("image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', base)
    if found.stdout.strip() == key:
        return
    tree = IMAGES / "base.tar"
    try:
        _bootstrap(named["suite"], hooks, tree)
        changes = (f"LABEL {LABEL}={key}", f"ENV SSL_CERT_FILE={CA_BUNDLE}", 'CMD ["python3"]')
        options = [word for change in changes for word in ("--change", change)]
        engine("import", *options, tree, base)
    except EngineFailedError as error:
        raise BaseMissingError(f"The stand-in for {base} could not be taken over: {error}") from error
    finally:
        tree.unlink(missing_ok=True)


def _bootstrap(suite: str, hooks: list[str], tree: Path) -> None:
    if shutil.which("mmdebstrap") is None:
        debian.install(["mmdebstrap"])
    # A mirror that stands still serves lists whose time is over.
    options = [
        "--quiet",
        "--variant=apt",
        '--aptopt=Acquire::Check-Valid-Until "false"',
        f"--include={PACKAGES}",
    ]
    options += [f"--customize-hook={hook}" for hook in hooks]
    command = ["mmdebstrap", *options, suite, str(tree)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=BUILD_TIMEOUT)
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", "") or error).strip()[-1500:]
        raise BaseMissingError(f"mmdebstrap could not build Debian {suite}:\n{said}") from None
