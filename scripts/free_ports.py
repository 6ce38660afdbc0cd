"""Ports for servers of our own that are started a moment later, while others look for ports as well."""

import atexit
import random
import socket
from collections import deque

# Below the ports that Linux and macOS give to outgoing connections (from 32,768 and 49,152 on): one of those
# can be taken by any connection that somebody makes between the choice and the server's start.
_RANGE = range(18_000, 32_000)
# So many starts later a server has long been listening, and its own socket keeps the port.
_MARKS = 64

_marks: deque[socket.socket] = deque()


@atexit.register
def _close() -> None:
    for mark in _marks:
        mark.close()


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens on, all different.

    Other processes that ask here don't get them meanwhile: a UDP socket on the same number, where nothing is
    sent, marks a port as given away, until this process ends or has asked for many more.
    """
    return [_free_port() for _ in range(count)]


def _free_port() -> int:
    while True:
        port = random.choice(_RANGE)  # noqa: S311 - not a secret
        mark = _bound(socket.SOCK_DGRAM, port)
        if mark is None:
            continue
        probe = _bound(socket.SOCK_STREAM, port)
        if probe is None:
            mark.close()
            continue
        probe.close()
        _marks.append(mark)
        if len(_marks) > _MARKS:
            _marks.popleft().close()
        return port


def _bound(kind: socket.SocketKind, port: int) -> socket.socket | None:
    """Return a socket on *port*, None where somebody else has it."""
    one = socket.socket(type=kind)
    try:
        one.bind(("127.0.0.1", port))
    except OSError:
        one.close()
        return None
    return one
