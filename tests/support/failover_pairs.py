"""Two servers, of which one leads and the other follows until the leader is killed."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from scripts.free_ports import free_ports
from tests.support.faults_gate import FaultGate, fault_gate
from tests.support.postgresql_server import PASSWORD, PostgresqlServer
from tests.support.redis_server import RedisServer
from tests.support.worker_process import wait_until


class Pair(Protocol):
    """A store with a follower.

    Attributes:
        url: for workers: it leads to whichever server leads.
    """

    url: str

    def fail_over(self, *, stall: float = 0.0) -> None:
        """SIGKILL the leader, and have the follower lead at once.

        For *stall* seconds before that nothing passes between the two, as where a network fails bit by bit.
        """
        ...

    def heal(self) -> None:
        """Give the new leader a follower, an empty server, and wait until that has everything."""
        ...


class _Link:
    """The way between the two.

    Args:
        lag: seconds that each byte takes on it, either way.
    """

    def __init__(self, lag: float) -> None:
        self._lag = lag
        self._open = ExitStack()
        self._gate: FaultGate | None = None

    def open(self, url: str) -> FaultGate:
        """Lead to the server at *url*."""
        self._gate = self._open.enter_context(fault_gate(url, delay=self._lag))
        return self._gate

    def cut(self, kill: Callable[[], None], stall: float) -> None:
        """Pass nothing for *stall* seconds, have the leader killed, then be no more."""
        if stall and self._gate is not None:
            self._gate.hang()
            time.sleep(stall)
        kill()
        self.close()

    def close(self) -> None:
        """Be no more."""
        self._open.close()


class PostgresqlPair:
    """A primary and its synchronous standby.

    Args:
        lag: seconds that each byte takes between the two, either way.
        durable: whether both write to the disk what they say they did.
    """

    def __init__(self, *, lag: float = 0.0, durable: bool = True) -> None:
        self._durable = durable
        self._ports = free_ports(2)
        self._link = _Link(lag)
        self.leader = PostgresqlServer(durable=durable, port=self._ports[0])
        self.follower: PostgresqlServer | None = None
        places = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        self.url = f"postgresql://postgres:{PASSWORD}@{places}/postgres"

    def __enter__(self) -> Self:
        self.leader.start()
        self.heal()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.follower is not None:
            self.follower.stop()
        self._link.close()
        self.leader.stop()

    def fail_over(self, *, stall: float = 0.0) -> None:
        """SIGKILL the primary and promote the standby."""
        if self.follower is None:
            raise RuntimeError("there is no standby")
        dead, self.leader, self.follower = self.leader, self.follower, None
        self._link.cut(dead.kill, stall)
        self.leader.promote()
        dead.stop()

    def heal(self) -> None:
        """Make a standby, at the place where no server is, and have every commit wait for it."""
        link = self._link.open(self.leader.url)
        (port,) = (each for each in self._ports if each != self.leader.port)
        # What the leader waits for is none of the standby's own settings when it leads one day.
        own = {"synchronous_standby_names": ""}
        self.follower = PostgresqlServer(durable=self._durable, settings=own, primary=link.url, port=port)
        self.follower.start()
        leader = self.leader
        wait_until(lambda: bool(leader.command(_STATE.format("state = 'streaming'"))), "a standby")
        leader.set("synchronous_standby_names", "standby")
        wait_until(lambda: bool(leader.command(_STATE.format("sync_state = 'sync'"))), "a synchronous one")


_STATE = "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'standby' AND {}"


class RedisPair:
    """A primary and a replica; as Redis has no address for both, a proxy leads to the one that leads.

    Args:
        folder: for their files.
        lag: seconds that each byte takes between the two, either way.
    """

    def __init__(self, folder: Path, *, lag: float = 0.0) -> None:
        self._folder = folder
        self._made = 0
        self._stack = ExitStack()
        self._link = _Link(lag)
        self._leader = self._new()
        self._follower: RedisServer | None = None
        self._way: FaultGate
        self.url = ""

    def __enter__(self) -> Self:
        self._leader.start()
        self._way = self._stack.enter_context(fault_gate(self._leader.url))
        self.url = self._way.url
        self.heal()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._follower is not None:
            self._follower.stop()
        self._link.close()
        self._leader.stop()
        self._stack.close()

    def fail_over(self, *, stall: float = 0.0) -> None:
        """SIGKILL the primary and have the replica lead."""
        if self._follower is None:
            raise RuntimeError("there is no replica")
        dead, self._leader, self._follower = self._leader, self._follower, None
        self._link.cut(dead.kill, stall)
        self._leader.command("REPLICAOF", "NO", "ONE")
        self._way.lead_to(self._leader.port)

    def heal(self) -> None:
        """Start a replica and wait until it has everything."""
        link = self._link.open(self._leader.url)
        self._follower = follower = self._new()
        follower.start()
        port = link.url.rpartition(":")[2].partition("/")[0]
        follower.command("REPLICAOF", "127.0.0.1", port)
        wait_until(lambda: b"master_link_status:up" in _said(follower), "a replica")

    def _new(self) -> RedisServer:
        self._made += 1
        return RedisServer(self._folder / f"redis-{self._made}")


def _said(server: RedisServer) -> bytes:
    info = server.command("INFO", "replication")
    return info if isinstance(info, bytes) else "\n".join(f"{k}:{v}" for k, v in info.items()).encode()
