"""A private RabbitMQ node: any user may start one, it listens on 127.0.0.1 and leaves nothing behind."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts import debian
from scripts.children import Child
from scripts.free_ports import free_ports

# The commands in /usr/sbin are wrappers that switch the user and drop the environment.
PROGRAMS = debian.PROOFS["rabbitmq-server"].parent
START_TIMEOUT = 100.0
REGISTER_TIMEOUT = 5.0
# No listener on other interfaces.
ERL_ARGUMENTS = "-kernel inet_dist_use_interface {127,0,0,1}"
# Loading code is a dialogue of the scheduler with the I/O threads: if these sleep at once, each turn costs a
# wake-up, which on a virtual machine triples the time to start.
QUICK_START = "+sbwt very_short +sbwtdio very_long +sbwtdcpu none"
AS_SHIPPED = ""
# RabbitMQ: reserved for the answer to a client's protocol header, Connection.Start on channel 0.
METHOD_FRAME = b"\x01"
CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{port}
loopback_users.guest = false
disk_free_limit.absolute = 50MB
"""
# Milliseconds; as shipped 180,000. After a crash what waited in delay queues may be handed on so much later.
ADVANCED_CONFIG = "[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 5000}]}].\n"


class BrokerNotStartedError(Exception):
    """No broker could be had; the text says why and what to type."""


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """What makes a node differ from a lone one of the machine's own RabbitMQ.

    Attributes:
        enter: words in front of each of RabbitMQ's programs: the way into another installation.
        name: of the node, unique at its port mapper.
        epmd_port: of a port mapper that another node runs; None: the node has one of its own.
        cookie: the secret that the nodes of a cluster share; None: Erlang draws one.
        config: further lines of the configuration file.
        waiting: how Erlang's threads wait for work. As RabbitMQ ships it they sleep at once; while they spin
            instead, they take the cores from whoever else is there.
    """

    enter: tuple[str, ...] = ()
    name: str = "iton@localhost"
    epmd_port: int | None = None
    cookie: str | None = None
    config: str = ""
    waiting: str = QUICK_START


class PrivateBroker:
    """One node with its data in *folder*. Its port and data stay the same over stop, kill and start.

    Attributes:
        port: of AMQP, on 127.0.0.1.
        url: with the default user and vhost.
        epmd_port: of its port mapper.
    """

    def __init__(self, folder: Path, options: NodeOptions | None = None) -> None:
        self._folder = folder.resolve()
        self._options = options or NodeOptions()
        self.port, self._dist_port, own_epmd_port = free_ports(3)
        self.epmd_port = self._options.epmd_port or own_epmd_port
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/"
        self._env = self._environment()
        self._epmd: Child | None = None
        self._node: Child | None = None

    @property
    def name(self) -> str:
        """The node's name."""
        return self._options.name

    @property
    def running(self) -> bool:
        """Whether the node's process is there."""
        return self._node is not None and self._node.exit_code is None

    def start(self) -> None:
        """Start the node and wait until it takes connections; nothing if it runs.

        Raises:
            BrokerNotStartedError: it ended or was not up in time; the text holds the end of its log.
        """
        if self.running:
            return
        self._write_config()
        self.start_port_mapper()
        self._node = Child(
            self._command("rabbitmq-server"),
            env=self._env,
            log=self._folder / "console.log",
            cwd=self._folder,
        )
        self._wait_until_up(self._node)

    def stop(self) -> None:
        """Stop the node cleanly; its data is kept."""
        if self._node:
            self._node.stop()
            self._node = None

    def kill(self) -> None:
        """Kill the Erlang VM with SIGKILL; what was confirmed is kept.

        It waits until RabbitMQ has written down which quorum queues there are. That comes up to a second
        after they were declared, and one that is missing stays without its member on this node for ever.
        """
        deadline = time.monotonic() + REGISTER_TIMEOUT
        while self.running and not self._register_is_whole() and time.monotonic() < deadline:
            time.sleep(0.05)
        if self._node:
            self._node.kill()
            self._node = None

    def signal(self, number: signal.Signals) -> None:
        """Send the node's process a signal: SIGSTOP has it hang, SIGCONT go on."""
        os.kill(int((self._folder / "rabbitmq.pid").read_text()), number)

    def start_afresh(self) -> None:
        """Kill the node and start it with no data, at the same port."""
        if self._node:
            self._node.kill()
            self._node = None
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        (self._folder / "data").mkdir()
        self.start()

    def _register_is_whole(self) -> bool:
        for register in self._folder.glob("data/*/quorum/*/names.dets"):
            written = register.read_bytes()
            queues = (entry.name for entry in register.parent.iterdir() if entry.is_dir())
            if any(queue.encode() not in written for queue in queues):
                return False
        return True

    def close(self) -> None:
        """Kill the node and its port mapper: no process is left."""
        if self._node:
            self._node.kill()
            self._node = None
        if self._epmd:
            self._epmd.kill()
            self._epmd = None

    def rabbitmqctl(self, *arguments: str, timeout: float = 100) -> str:
        """Run ``rabbitmqctl`` against this node and return what it printed.

        Raises:
            subprocess.CalledProcessError: it failed; ``stderr`` says why.
        """
        done = subprocess.run(
            [*self._command("rabbitmqctl"), "--quiet", *arguments],
            env=self._env, capture_output=True, text=True, check=True, timeout=timeout,
        )  # fmt: skip
        return done.stdout

    def _command(self, program: str) -> list[str]:
        return [*self._options.enter, str(PROGRAMS / program)]

    def _environment(self) -> dict[str, str]:
        """Everything inside the folder, no setting of the machine's own RabbitMQ."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
        folder = self._folder
        return kept | {
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._options.name,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "feature_flags"),
            "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
            # The script turns into the Erlang VM instead of waiting for it: the VM is then our own child.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{ERL_ARGUMENTS} {self._options.waiting}",
        }

    def _write_config(self) -> None:
        for name in ("data", "log", "config"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "rabbitmq.conf").write_text(CONFIG.format(port=self.port) + self._options.config)
        (self._folder / "advanced.config").write_text(ADVANCED_CONFIG)
        (self._folder / "enabled_plugins").write_text("[].\n")
        cookie = self._folder / ".erlang.cookie"
        if self._options.cookie and not cookie.exists():
            cookie.touch(0o600)
            cookie.write_text(self._options.cookie)

    def start_port_mapper(self) -> None:
        """Start Erlang's port mapper as a child of ours; RabbitMQ would leave one of its own behind."""
        if self._options.epmd_port or (self._epmd and self._epmd.exit_code is None):
            return
        epmd = shutil.which("epmd") or "epmd"
        self._epmd = Child([epmd], env=self._env, log=self._folder / "epmd.log", cwd=self._folder)
        deadline = time.monotonic() + START_TIMEOUT
        while not _accepts(self.epmd_port) and time.monotonic() < deadline:
            time.sleep(0.01)

    def _wait_until_up(self, node: Child) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not _speaks_amqp(self.port):
            if node.exit_code is not None or time.monotonic() > deadline:
                tail = node.tail()
                self.close()
                raise BrokerNotStartedError(
                    f"The private RabbitMQ node did not start. The end of its log:\n{tail}"
                )
            time.sleep(0.05)


@contextmanager
def private_broker(folder: Path, options: NodeOptions | None = None) -> Iterator[PrivateBroker]:
    """Run a private node with its data in *folder*; nothing of it runs afterwards, however we end.

    Raises:
        PackagesMissingError: Debian's package is not there and may not be installed.
        BrokerNotStartedError: the node did not start.
    """
    debian.ensure(["rabbitmq-server"])
    folder.mkdir(parents=True, exist_ok=True)
    broker = PrivateBroker(folder, options)
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _speaks_amqp(port: int) -> bool:
    """Whether a broker answers AMQP 0-9-1 there: an open port alone comes too early."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == METHOD_FRAME
    except OSError:
        return False
