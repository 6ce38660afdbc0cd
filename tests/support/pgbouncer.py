"""A pgbouncer of our own in front of a PostgreSQL of our own, in transaction mode."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from scripts.free_ports import free_ports
from tests.support.deadline import DEADLINE
from tests.support.postgresql_server import PASSWORD, PostgresqlServer, identity, owner

REMEDY = "no pgbouncer: apt-get install -y pgbouncer"
_PROGRAM = Path("/usr/sbin/pgbouncer")
_CONFIGURATION = """\
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {directory}/users
pool_mode = transaction
default_pool_size = {sessions}
server_login_retry = 1
"""


class Pgbouncer:
    """As Debian's package comes, but for where it listens, its sessions, and soon back after the server is.

    Args:
        server: behind it.
        sessions: that all clients share.
    """

    def __init__(self, server: PostgresqlServer, *, sessions: int = 2) -> None:
        self._server = server
        self._sessions = sessions
        self._directory = Path(tempfile.mkdtemp(prefix="iton-pgbouncer-"))
        self._process: subprocess.Popen[bytes] | None = None
        (self.port,) = free_ports(1)

    @property
    def url(self) -> str:
        """``postgresql://…``, with the password."""
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Self:
        self._write("users", f'"postgres" "{PASSWORD}"\n')
        settings = {"server": self._server.port, "port": self.port, "sessions": self._sessions}
        file = self._write("pgbouncer.ini", _CONFIGURATION.format(directory=self._directory, **settings))
        shutil.chown(self._directory, **owner())
        if not _PROGRAM.exists():
            raise RuntimeError(REMEDY)
        with (self._directory / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [str(_PROGRAM), str(file)], stdout=output, stderr=subprocess.STDOUT, **identity()
            )
        self._wait_until_ready(self._process)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=DEADLINE)
        shutil.rmtree(self._directory, ignore_errors=True)

    def ask(self, question: str) -> object:
        """Return the first column of the first row that *question* has, in any session."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=30) as connection:
            row = connection.execute(question.encode()).fetchone()
            return row[0] if row else None

    def _write(self, name: str, text: str) -> Path:
        path = self._directory / name
        path.write_text(text)
        shutil.chown(path, **owner())
        return path

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and process.poll() is None:
            try:
                psycopg.connect(self.url, connect_timeout=30).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError(f"pgbouncer did not start: {(self._directory / 'output').read_text()[-500:]}")
