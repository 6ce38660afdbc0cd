"""The private RabbitMQ node that the demo and the tests start."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pika
import psutil
import pytest

from scripts.local_broker import PrivateBroker
from tests.support.broker import keeps_jobs
from tests.support.deadline import DEADLINE

ROOT = Path(__file__).parents[2]
# Whoever is started in the background of a shell script ignores SIGINT, and so does what it starts.
OWNER = """
import signal, sys, time
from pathlib import Path
from scripts.local_broker import private_broker

signal.signal(signal.SIGINT, signal.default_int_handler)
with private_broker(Path(sys.argv[1])):
    print("up", flush=True)
    time.sleep(600)
"""


def processes_below(folder: Path) -> list[psutil.Process]:
    """Return everything that works in *folder*: the Erlang VM, its port mapper and their children."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def eventually(is_so: Callable[[], bool], *, seconds: float = DEADLINE) -> bool:
    """Return whether it comes to be so in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def held(url: str, queue: str) -> int:
    """Count the messages of a quorum queue."""
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        return int(connection.channel().queue_declare(queue, passive=True).method.message_count)


class TestPrivateBroker:
    """`scripts.local_broker`."""

    def test_confirmed_messages_outlive_a_kill(
        self, own_broker: PrivateBroker, own_broker_prefix: str
    ) -> None:
        """After SIGKILL and a start the port is the same and the queue is full, however young it is."""
        queue = f"{own_broker_prefix}.send"
        with closing(pika.BlockingConnection(pika.URLParameters(own_broker.url))) as connection:
            channel = connection.channel()
            channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
            channel.confirm_delivery()
            channel.basic_publish("", queue, b"kept", pika.BasicProperties(delivery_mode=2), mandatory=True)
        own_broker.kill()
        own_broker.start()
        assert eventually(lambda: held(own_broker.url, queue) == 1)

    def test_a_fresh_start_forgets_everything(
        self, own_broker: PrivateBroker, own_broker_prefix: str
    ) -> None:
        """The port is the same, the queue is gone, and new ones work."""
        queue = f"{own_broker_prefix}.send"
        with closing(pika.BlockingConnection(pika.URLParameters(own_broker.url))) as connection:
            connection.channel().queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        own_broker.start_afresh()
        assert keeps_jobs(own_broker.url)
        with (
            closing(pika.BlockingConnection(pika.URLParameters(own_broker.url))) as connection,
            pytest.raises(pika.exceptions.ChannelClosedByBroker),
        ):
            connection.channel().queue_declare(queue, passive=True)

    def test_rabbitmqctl_asks_this_node(self, own_broker: PrivateBroker) -> None:
        """Not one that the machine may run anyway."""
        assert str(own_broker.port) in own_broker.rabbitmqctl("status")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_nothing_outlives_its_owner(self, tmp_path: Path, number: signal.Signals) -> None:
        """However the owner ends, node and port mapper end with it."""
        command = [sys.executable, "-c", OWNER, str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as owner:
            assert owner.stdout is not None
            assert b"up\n" == owner.stdout.readline()
            assert processes_below(tmp_path)
            owner.send_signal(number)
        assert eventually(lambda: not processes_below(tmp_path))
