"""Debian packages for the demo and the tests: installed where that is allowed, else the command to type.

Runs on the machine's own Python before there is a virtual environment: the standard library only.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# A package is there when this file is.
PROOFS = {
    "rabbitmq-server": Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),
    "redis-server": Path("/usr/bin/redis-server"),
    # The client's packages leave a directory there as well; the server's name has its version.
    "postgresql": next(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), Path("/usr/lib/postgresql/server")
    ),
    "pgbouncer": Path("/usr/sbin/pgbouncer"),
    "amqp-tools": Path("/usr/bin/amqp-publish"),
    "sqlite3": Path("/usr/bin/sqlite3"),
    "libfaketime": Path(f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketime.so.1"),
    "prometheus": Path("/usr/bin/promtool"),
    "spin": Path("/usr/bin/spin"),
    "gcc": Path("/usr/bin/gcc"),  # Spin writes a search in C
    "libc6-dev": Path("/usr/include/stdio.h"),
}
# What such a package would start by itself.
SERVICES = {
    "rabbitmq-server": ("rabbitmq-server.service",),
    "redis-server": ("redis-server.service",),
    "postgresql": ("postgresql.service",),
    "pgbouncer": ("pgbouncer.service",),
    "prometheus": ("prometheus.service",),
    "docker.io": ("docker.service", "docker.socket", "containerd.service"),
}


class PackagesMissingError(Exception):
    """Packages are not installed and we may not install them; the text names the one command to type."""


def ensure(packages: Sequence[str]) -> None:
    """Install those of *packages* that are not there.

    Raises:
        PackagesMissingError: apt failed, or we are neither root nor may use ``sudo`` without a password.
    """
    missing = [name for name in packages if not PROOFS[name].exists()]
    if missing:
        install(missing)


def install(packages: Sequence[str]) -> None:
    """Install *packages*.

    Raises:
        PackagesMissingError: as `ensure`.
    """
    names, remedy = ", ".join(packages), f"sudo apt-get install -y {' '.join(packages)}"
    apt = _apt_get()
    if apt is None:
        raise PackagesMissingError(f"{names} not installed. Type: {remedy}")
    print(f"Installing Debian's {names} ...", file=sys.stderr, flush=True)
    if _install(apt, packages):
        raise PackagesMissingError(f"apt-get could not install {names}. Type: {remedy}")


def _apt_get() -> list[str] | None:
    """Return the words that run apt-get with the rights to install, or None."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return ["apt-get"]
    may_sudo = shutil.which("sudo") and _run(["sudo", "-n", "true"]) == 0
    return ["sudo", "-n", "apt-get"] if may_sudo else None


def _install(apt: Sequence[str], packages: Sequence[str]) -> int:
    """Install without starting services: nothing is to listen on this machine because of a demo."""
    has_systemd = Path("/run/systemd/system").is_dir()
    services = [service for name in packages if has_systemd for service in SERVICES.get(name, ())]
    systemctl = [*apt[:-1], "systemctl"]
    if services:
        _run([*systemctl, "mask", "--runtime", *services])
    try:
        _run([*apt, "-qq", "update"])
        options = ("-qq", "-y", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0")
        return _run([*apt, *options, "--no-install-recommends", "install", *packages], keep_errors=True)
    finally:
        if services:
            _run([*systemctl, "unmask", "--runtime", *services])


def _run(command: Sequence[str], *, keep_errors: bool = False) -> int:
    """Run quietly; with *keep_errors* what a failure said is printed."""
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode and keep_errors:
        print(done.stderr.strip()[-2000:], file=sys.stderr)
    return done.returncode


def main() -> int:
    """Ensure the packages named on the command line, all known ones by default."""
    try:
        ensure(sys.argv[1:] or list(PROOFS))
    except PackagesMissingError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
