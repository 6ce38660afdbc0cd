"""A PostgreSQL of our own: a private cluster on a free port, gone with the test."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from scripts.free_ports import free_ports
from tests.support.deadline import DEADLINE

REMEDY = "no PostgreSQL server: apt-get install -y postgresql"
PASSWORD = "s3cret-p4ss"
_BINARIES = "/usr/lib/postgresql"
# Small, on the loopback only, and quick to start.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "jit": "off",
    "wal_level": "replica",
    "logging_collector": "off",
    "log_min_messages": "warning",
}


class PostgresqlServer:
    """One cluster whose files, and so its port, outlive ``kill`` until ``stop``.

    Its superuser is ``postgres``, with `PASSWORD`. As root it runs as the user that the package made.

    Args:
        durable: False leaves the disk out, for tests of what does not depend on it.
        settings: further ones of the server.
        primary: URL of the server of which it is to be a standby.
        port: where it listens; None: a free one.
    """

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
        primary: str | None = None,
        port: int | None = None,
    ) -> None:
        self._settings = {**_SETTINGS, "fsync": "on" if durable else "off", **(settings or {})}
        self._primary = primary
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port or free_ports(1)[0]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """``postgresql://…/postgres``, with the password."""
        return self.url_of("postgres")

    def url_of(self, user: str, *, password: str = PASSWORD, database: str = "postgres") -> str:
        """Return the URL for another role or database."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start, and wait until it answers. Fails with a remedy where no server is installed."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="iton-pg-"))
            shutil.chown(self._directory, **owner())
            self._make()
        with (self._directory / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [str(_bin() / "postgres"), "-D", str(self._data)],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=_environment(),
                **identity(),
            )
        self._wait_until_ready()

    def kill(self) -> None:
        """SIGKILL to the server and all its processes, at once."""
        self._end()

    def stop(self) -> None:
        """End it for good, and remove its files."""
        self._end()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def promote(self) -> None:
        """Have a standby lead."""
        self.command("SELECT pg_promote(true, 30)")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all its processes in their tracks for a while: connections stay open, nothing answers."""
        group = self._running().pid
        stopped = [group, *_children(group)]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def command(self, statement: str, *, database: str = "postgres") -> Any:  # noqa: ANN401 -- each has its own answer
        """Do one statement as an administrator; return the first column of its first row, if it has one."""
        url = self.url_of("postgres", database=database)
        with psycopg.connect(url, autocommit=True, connect_timeout=30) as connection:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def set(self, name: str, value: str) -> None:
        """Change a setting of the running server."""
        self.command(f"ALTER SYSTEM SET {name} = '{value}'")
        self.command("SELECT pg_reload_conf()")

    @property
    def log(self) -> str:
        """What it has said."""
        return (self._files / "output").read_text(errors="replace")

    @property
    def _files(self) -> Path:
        if self._directory is None:
            raise RuntimeError("the server was not started")
        return self._directory

    @property
    def _data(self) -> Path:
        return self._files / "data"

    def _make(self) -> None:
        if self._primary is None:
            secret = self._files / "password"
            secret.write_text(PASSWORD)
            shutil.chown(secret, **owner())
            options = ("--username=postgres", f"--pwfile={secret}", "--auth=scram-sha-256", "--no-sync")
            _run([str(_bin() / "initdb"), "-D", str(self._data), "-E", "UTF8", "--locale=C.UTF-8", *options])
            hba = "host all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n"
            (self._data / "pg_hba.conf").write_text(hba)
        else:
            url = f"{self._primary}?application_name=standby"
            command = [str(_bin() / "pg_basebackup"), "-D", str(self._data), "-d", url, "-R", "-c", "fast"]
            _run([*command, "--no-sync", "-X", "stream"])
        with (self._data / "postgresql.auto.conf").open("a") as file:
            for name, value in {**self._settings, "port": str(self.port)}.items():
                file.write(f"{name} = '{value}'\n")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and self._running().poll() is None:
            try:
                self.command("SELECT 1")
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        words = self.log[-800:]
        self._end()
        raise RuntimeError(f"PostgreSQL did not start: {words}")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            # Each of its processes leads a session of its own.
            for pid in [process.pid, *_children(process.pid)]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            process.wait(timeout=DEADLINE)


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in found.read_text().split()] if found.exists() else []


def _bin() -> Path:
    versions = sorted(Path(_BINARIES).glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise RuntimeError(REMEDY)
    return versions[-1].parent


def _account() -> pwd.struct_passwd | None:
    return pwd.getpwnam("postgres") if os.geteuid() == 0 else None


def owner() -> dict[str, Any]:
    """Whose files a server's are: arguments of `shutil.chown`."""
    account = _account()
    return {"user": account.pw_uid, "group": account.pw_gid} if account else {"user": os.geteuid()}


def identity() -> dict[str, Any]:
    """As whom a server runs, none of which will as root: arguments of `subprocess.Popen`."""
    account = _account()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd="/", env=_environment(), **identity()
    )
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-800:]}")
