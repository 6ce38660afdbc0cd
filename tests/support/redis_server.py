"""A Redis of our own: a private process on a free port, gone with the test."""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from scripts.free_ports import free_ports
from tests.support.deadline import DEADLINE

REMEDY = "no redis-server (or valkey-server) on PATH: apt-get install -y redis-server"


class RedisServer:
    """One server process whose files, and so its port, outlive ``kill`` until ``stop``.

    Every write is on the disk before it is answered (``appendfsync always``).

    Args:
        directory: for its files; made if need be.
        password: of the default user; none by default.
        cluster: a node of a cluster, alone.
        durable: False leaves the disk out, for measuring what does not depend on it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        password: str | None = None,
        durable: bool = True,
        cluster: bool = False,
    ) -> None:
        self._directory = directory
        self._password = password
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self.port, bus = free_ports(2)
        # By itself Redis takes a number 10,000 above, which may be the near end of anybody's connection.
        self._options = ("--cluster-enabled", "yes", "--cluster-port", str(bus)) if cluster else ()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """``redis://…/0``, with the password if there is one."""
        user = f":{self._password}@" if self._password else ""
        return f"redis://{user}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, and wait until it answers. Fails with a remedy where no server is installed."""
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            raise RuntimeError(REMEDY)
        self._directory.mkdir(parents=True, exist_ok=True)
        with (self._directory / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [program, *self._arguments()], stdout=output, stderr=subprocess.STDOUT
            )
        self._wait_until_ready()

    def kill(self) -> None:
        """SIGKILL, at once."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it for good."""
        self._end(signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the process in its tracks for a while: connections stay open, nothing answers."""
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> Any:  # noqa: ANN401 -- each command has its own reply
        """Run one command as an administrator and return its reply."""
        client = Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), socket_timeout=30)
        try:
            return client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
        finally:
            client.close()

    def _arguments(self) -> list[str]:
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory)]
        arguments += [
            "--appendonly",
            "yes" if self._durable else "no",
            "--appendfsync",
            "always",
            "--save",
            "",
        ]
        arguments += self._options
        return [*arguments, "--requirepass", self._password] if self._password else arguments

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            if self._running().poll() is not None:
                break
            with suppress(RedisConnectionError):
                self.command("PING")
                return
            time.sleep(0.02)
        self.stop()
        words = (self._directory / "output").read_text(errors="replace")[-500:]
        raise RuntimeError(f"redis-server did not start: {words}")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(timeout=DEADLINE)
