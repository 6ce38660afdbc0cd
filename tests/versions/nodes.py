"""RabbitMQ nodes of every version that the suite tries, alone and as a cluster."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import pytest

from scripts.broker_images import ImageMissingError, way_into
from scripts.debian import PackagesMissingError
from scripts.local_broker import BrokerNotStartedError, NodeOptions, PrivateBroker, private_broker
from tests.support.broker import FOLDER

MACHINES_OWN = "3.10"
VERSIONS = (MACHINES_OWN, "4.0", "4.3")


@contextmanager
def node_of(version: str) -> Iterator[PrivateBroker]:
    """Run a node of *version*; where it cannot be had the test fails, with the remedy in one line."""
    with _own_folder() as folder:
        try:
            enter = () if version == MACHINES_OWN else way_into(version, folder)
            with private_broker(folder, NodeOptions(enter=enter)) as node:
                yield node
        except (ImageMissingError, PackagesMissingError, BrokerNotStartedError) as error:
            pytest.fail(str(error), pytrace=False)


class Cluster:
    """Nodes that share their queues. The first one runs the port mapper of all.

    Attributes:
        nodes: in the order of their names.
    """

    def __init__(self, folder: Path, size: int) -> None:
        names = [f"iton{number}@localhost" for number in range(1, size + 1)]
        peers = [f"cluster_formation.classic_config.nodes.{n} = {name}" for n, name in enumerate(names, 1)]
        config = "\n".join(["cluster_formation.peer_discovery_backend = classic_config", *peers, ""])
        cookie = token_hex(10).upper()
        self.nodes: list[PrivateBroker] = []
        for name in names:
            epmd_port = self.nodes[0].epmd_port if self.nodes else None
            options = NodeOptions(name=name, epmd_port=epmd_port, cookie=cookie, config=config)
            own = folder / name
            own.mkdir()
            self.nodes.append(PrivateBroker(own, options))

    def start(self) -> None:
        """Start all at once, for each waits for its peers; BrokerNotStartedError if one is not up in time."""
        self.nodes[0].start_port_mapper()
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(PrivateBroker.start, self.nodes))
        self.nodes[0].rabbitmqctl("await_online_nodes", str(len(self.nodes)))

    def close(self) -> None:
        """Kill all; the port mapper last."""
        for node in reversed(self.nodes):
            node.close()

    def leader(self, queue: str) -> PrivateBroker:
        """Return the node that has the leader of *queue*."""
        names = {row[0]: row[1] for row in self._queues("name", "leader")}
        return next(node for node in self.nodes if node.name == names[queue])

    def members(self, prefix: str) -> dict[str, int]:
        """Return how many nodes hold each queue whose name starts with *prefix*."""
        return self._counted(prefix, "members")

    def online(self, prefix: str) -> dict[str, int]:
        """Return how many of these nodes run, by queue."""
        return self._counted(prefix, "online")

    def _counted(self, prefix: str, column: str) -> dict[str, int]:
        rows = self._queues("name", column)
        return {name: nodes.count("@") for name, nodes in rows if name.startswith(f"{prefix}.")}

    def _queues(self, *columns: str) -> Sequence[list[str]]:
        node = next(node for node in self.nodes if node.running)
        listed = node.rabbitmqctl("list_queues", "--silent", *columns)
        return [line.split("\t") for line in listed.splitlines()]


@contextmanager
def cluster_of(size: int) -> Iterator[Cluster]:
    """Run a cluster of the machine's own RabbitMQ."""
    with _own_folder() as folder:
        cluster = Cluster(folder, size)
        try:
            cluster.start()
            yield cluster
        except (PackagesMissingError, BrokerNotStartedError) as error:
            pytest.fail(str(error), pytrace=False)
        finally:
            cluster.close()


@contextmanager
def _own_folder() -> Iterator[Path]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="broker-", dir=FOLDER))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
