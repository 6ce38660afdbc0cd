"""Where the commands of the documentation are typed: a broker, a gateway, a Redis, and a folder."""

import os
import pty
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from scripts.free_ports import free_ports
from scripts.local_broker import PROGRAMS, PrivateBroker
from tests.support.deadline import DEADLINE
from tests.support.redis_server import RedisServer
from tests.support.simulator_process import SimulatorProcess
from tests.support.snippets import ROOT
from tests.support.worker_process import PASSWORD, PROGRAM, USERNAME, worker_environment

OLD_PASSWORD, NEW_PASSWORD = "old-secret", "new-secret"
"""Of the Redis: what it has, and what a page changes it to."""

_ACCOUNT = ("ITON_USERNAME", "ITON_PASSWORD")
# Commands that stay in the foreground give the prompt back once they are ready.
_SHIM = """#!/bin/sh
case "$1" in
run) ask="http://127.0.0.1:$HEALTH_PORT/readyz" ;;
simulate-gateway) ask="http://127.0.0.1:$SIMULATOR_PORT/_control/state" ;;
*) exec "$REAL" "$@" ;;
esac
"$REAL" "$@" >"$LOG.$1" 2>&1 </dev/null &
echo $! >>"$PIDS"
tries=0
until curl --max-time 5 --output /dev/null "$ask" 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || exit 1
    sleep 0.2
done
"""


class Stage:
    """A broker with the default names, a gateway, a Redis, a ledger, and a folder to type commands in."""

    def __init__(
        self, broker: PrivateBroker, simulator: SimulatorProcess, redis: RedisServer, folder: Path
    ) -> None:
        self.broker, self.simulator, self.redis, self.folder = broker, simulator, redis, folder
        self.health_port, self.other_port = free_ports(2)
        self.simulator_port = int(simulator.url.split(":")[2].split("/")[0])
        self._shims()

    def environment(self) -> dict[str, str]:
        """Return what the shell has."""
        return {
            **worker_environment(
                amqp_url=self.broker.url,
                prefix="iton",
                gateway_url=self.simulator.url,
                folder=self.folder,
                HEALTH_PORT=self.health_port,
                LOG_FORMAT="console",
            ),
            "HOME": str(self.folder),
            "PATH": f"{self.folder / 'bin'}:{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "REAL": str(PROGRAM),
            "LOG": str(self.folder / "log"),
            "PIDS": str(self.folder / "pids"),
            "SIMULATOR_PORT": str(self.other_port),
            "REDIS": self.redis.url.replace("//:", "//default:"),
            "OLD_PASSWORD": OLD_PASSWORD,
            "NEW_PASSWORD": NEW_PASSWORD,
            "TERM": "dumb",
        }

    def here(self, text: str) -> str:
        """Put the ports of this stage where a page has the usual ones, and an account where it has none."""
        port = self.other_port if "simulate-gateway" in text else self.simulator_port
        for written, meant in (
            ("amqp://user:password@broker/", self.broker.url),
            ("@localhost/", f"@127.0.0.1:{self.broker.port}/"),
            ("localhost:8080", f"127.0.0.1:{self.health_port}"),
            ("localhost:8090", f"127.0.0.1:{port}"),
            ("127.0.0.1:8090", f"127.0.0.1:{port}"),
            ("--port 8090", f"--port {port}"),
            ("ITON_USERNAME=...", f"ITON_USERNAME={shlex.quote(USERNAME)}"),
            ("ITON_PASSWORD=...", f"ITON_PASSWORD={shlex.quote(PASSWORD)}"),
        ):
            text = text.replace(written, meant)
        return text

    def shell(self, script: str) -> "subprocess.CompletedProcess[str]":
        """Run a script in the folder, on a terminal that says yes to every question."""
        environment = self.environment()
        if "simulate-gateway" in script:  # has the account of the page
            environment = {name: value for name, value in environment.items() if name not in _ACCOUNT}
        terminal, ours = pty.openpty()
        os.write(terminal, b"y\n" * 4)
        try:
            return subprocess.run(
                ["bash", "-eo", "pipefail", "-c", script],
                cwd=self.folder, env=environment, stdin=ours, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, check=False, timeout=280,
            )  # fmt: skip
        finally:
            os.close(terminal)
            os.close(ours)
            self._end_started()

    def _end_started(self) -> None:
        """End what a block started to stay: cleanly, as its reader would with Ctrl-C."""
        pids = self.folder / "pids"
        for pid in map(int, pids.read_text().split() if pids.exists() else ()):
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                process.terminate()
                process.wait(DEADLINE)
        pids.unlink(missing_ok=True)

    def _shims(self) -> None:
        """Commands that stay in the foreground give the prompt back once they are ready."""
        programs = self.folder / "bin"
        programs.mkdir()
        node = " ".join(f"{name}={shlex.quote(value)}" for name, value in self.broker._env.items())
        scripts = {"iton-worker": _SHIM}
        for name in ("rabbitmqctl", "rabbitmq-plugins"):
            scripts[name] = f'#!/bin/sh\nexec env {node} {PROGRAMS / name} "$@"\n'
        for name, script in scripts.items():
            (programs / name).write_text(script)
            (programs / name).chmod(0o755)
        (self.folder / ".curlrc").write_text("fail\nsilent\nshow-error\n")
