"""Newer RabbitMQs than the machine's own: a Debian tree each, entered with chroot. For the versions suite.

``python -m scripts.broker_images`` builds those that are not there yet. Building and entering need root.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts import debian

IMAGES = Path(__file__).parents[1] / ".local" / "versions"
# RabbitMQ's version and the Debian suite that has it; "3.10" is Debian 12's, the machine's own.
SUITES = {"4.0": "trixie", "4.3": "forky"}
BUILD_TIMEOUT = 900
# The mounts live in a namespace of the node's processes and go with the last of them.
ENTER = """\
set -e
root=$1 folder=$2; shift 2
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mkdir -p "$root$folder"
mount --bind "$folder" "$root$folder"
exec chroot "$root" /usr/bin/env -C "$folder" "$@"
"""


class ImageMissingError(Exception):
    """There is no image of that version and none could be made; the text names the remedy."""


def way_into(version: str, folder: Path) -> tuple[str, ...]:
    """Return the words that run a program of that *version*, which sees *folder* under its own path.

    Raises:
        ImageMissingError: we are not root, or the image could not be built.
        PackagesMissingError: the tool that builds images may not be installed.
    """
    _insist_on_root()
    root = ensure(version)
    folder.mkdir(parents=True, exist_ok=True)
    here = str(folder.resolve())
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "enter", str(root), here)


def ensure(version: str) -> Path:
    """Return the root of the image of *version*, built first where it is not there.

    Raises:
        ImageMissingError: as `way_into`.
        PackagesMissingError: as `way_into`.
    """
    root = IMAGES / version
    if not root.exists():
        _insist_on_root()
        _build(SUITES[version], root)
    return root


def _insist_on_root() -> None:
    if os.geteuid() != 0:
        raise ImageMissingError("RabbitMQ 4 runs in a chroot: that needs root. Type: sudo make test-versions")


def _build(suite: str, root: Path) -> None:
    """Build beside and rename: a build that was cut short leaves no half image behind."""
    if shutil.which("mmdebstrap") is None:
        debian.install(["mmdebstrap"])
    root.parent.mkdir(parents=True, exist_ok=True)
    draft = root.with_name(f"{root.name}.{os.getpid()}")
    print(f"Building an image of Debian {suite} with RabbitMQ {root.name} ...", file=sys.stderr, flush=True)
    try:
        _bootstrap(suite, draft)
        # Debian's newer trees have none, and Erlang asks it for the node's host.
        (draft / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
        draft.rename(root)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _bootstrap(suite: str, draft: Path) -> None:
    # A mirror that stands still serves lists whose time is over.
    options = ("--quiet", "--variant=apt", '--aptopt=Acquire::Check-Valid-Until "false"')
    command = ["mmdebstrap", *options, "--include=rabbitmq-server", suite, str(draft)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=BUILD_TIMEOUT)
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise ImageMissingError(
            f"mmdebstrap could not build Debian {suite} ({said[-1] if said else 'no reason given'}). "
            f"See it fail: {' '.join(command)}"
        ) from None


def main(versions: Sequence[str]) -> int:
    """Build the images of *versions*, of all where none is named."""
    try:
        for version in versions or tuple(SUITES):
            print(f"{version}: {ensure(version)}")
    except (ImageMissingError, debian.PackagesMissingError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
