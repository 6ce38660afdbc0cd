"""A proxy in front of a broker that lets a publish through, and not its confirm."""

import socket
import threading
from contextlib import suppress

_PIECE = 65_536


class ConfirmThief:
    """Passes everything on until a mark has gone to the broker; what the broker says then is kept back.

    Args:
        host: of the broker.
        port: of the broker.
        mark: bytes of the publish whose confirm is to be lost.
        cut: whether the connection is reset as soon as the confirm is there; else it stays, silent.

    Attributes:
        port: where it listens, on 127.0.0.1.
        published: set once the broker has answered the publish, so that it has the message for certain.
    """

    def __init__(self, host: str, port: int, mark: bytes, *, cut: bool) -> None:
        self._target = (host, port)
        self._mark = mark
        self._cut = cut
        self._marked = threading.Event()
        self.published = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """End everything."""
        for each in self._sockets:
            with suppress(OSError):
                each.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                broker = socket.create_connection(self._target)
                self._sockets += [client, broker]
                threading.Thread(target=self._to_broker, args=(client, broker), daemon=True).start()
                threading.Thread(target=self._to_client, args=(broker, client), daemon=True).start()

    def _to_broker(self, client: socket.socket, broker: socket.socket) -> None:
        seen = b""
        with suppress(OSError):
            while piece := client.recv(_PIECE):
                seen = seen[-len(self._mark) :] + piece
                if self._mark in seen:
                    self._marked.set()
                broker.sendall(piece)
            broker.shutdown(socket.SHUT_WR)

    def _to_client(self, broker: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while piece := broker.recv(_PIECE):
                if not self._marked.is_set():
                    client.sendall(piece)
                    continue
                self.published.set()
                if self._cut:
                    client.shutdown(socket.SHUT_RDWR)
