"""What stands in front of a cluster: one address that leads to a node that lives."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.support.faults_gate import FaultGate, fault_gate
from tests.support.tcp_gate import TcpGate


class _FirstLiving(TcpGate):
    """Leads each new connection to the first port that anybody listens on."""

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__("127.0.0.1", ports[0])
        self._ports = ports

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        living = next((port for port in self._ports if _listens(port)), None)
        if living is None:
            writer.transport.abort()
            return
        self._target = ("127.0.0.1", living)
        await super()._serve(reader, writer)


@contextmanager
def balancer(url: str, ports: Sequence[int]) -> Iterator[FaultGate]:
    """Provide a way to whichever of the nodes at *ports* lives, the first first; the rest is of *url*."""
    with fault_gate(url, gate=_FirstLiving(ports)) as gate:
        yield gate


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
