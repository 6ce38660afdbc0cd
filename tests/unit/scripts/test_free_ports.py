"""Ports for servers that are started a moment later."""

import multiprocessing
import socket
from collections import Counter
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from scripts import free_ports as module
from scripts.free_ports import free_ports
from tests.support.deadline import DEADLINE


class TestFreePorts:
    """``free_ports``."""

    def test_given_to_one_process_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two processes that look at the same time never get the same port."""
        # So few that both would choose the same ones by chance.
        monkeypatch.setattr(module, "_RANGE", range(31_900, 32_000))
        context = multiprocessing.get_context("fork")
        here, there = context.Pipe()
        other = context.Process(target=_look, args=(there,))
        other.start()
        theirs = here.recv()
        ours = free_ports(20)
        here.send("done")
        other.join(timeout=DEADLINE)
        assert max(Counter(theirs + ours).values()) == 1

    def test_not_one_that_somebody_listens_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A port with a server on it is passed over."""
        taken, free = free_ports(2)
        monkeypatch.setattr(module, "_RANGE", (taken, free))
        for mark in module._marks:
            mark.close()
        module._marks.clear()
        monkeypatch.setattr(module, "_MARKS", 0)
        with closing(socket.create_server(("127.0.0.1", taken))):
            assert {free_ports(1)[0] for _ in range(20)} == {free}

    def test_none_that_an_outgoing_connection_may_get(self) -> None:
        """The range ends where the kernel's own begins."""
        first, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
        assert max(free_ports(50)) < int(first)

    def test_usable_at_once(self) -> None:
        """What marks a port as given away doesn't keep a server from it."""
        for port in free_ports(5):
            with closing(socket.create_server(("127.0.0.1", port))) as server:
                assert server.getsockname()[1] == port

    def test_few_marks_are_kept(self) -> None:
        """A long run does not pile up sockets."""
        free_ports(300)
        assert len(module._marks) <= module._MARKS


def _look(pipe: Connection) -> None:
    """Look for ports in a process of its own, which keeps them until the other side has looked as well."""
    pipe.send(free_ports(20))
    pipe.recv()
