"""A TCP server of which nothing is left when it ends, also of a connection that comes at that moment."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What is done with an accepted connection; it is cancelled when the server ends."""


@contextlib.asynccontextmanager
async def tcp_server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Accept on a free port of 127.0.0.1, and provide it; in the end what is open is cut.

    asyncio's own server forgets about a connection between its acceptance and its first callback. Whoever
    closes it then leaves a socket behind, which is a warning in a test that has nothing to do with it.
    """
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    sockets: list[socket.socket] = []
    transports: list[asyncio.WriteTransport] = []

    async def connected(sock: socket.socket) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, ssl=tls)
        except OSError:
            return  # the client has gone again, or wants no TLS
        transports.append(transport)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):  # the client hung up
            await serve(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    def accept() -> None:
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            return  # it has gone again
        sock.settimeout(0)
        sockets.append(sock)
        task = asyncio.create_task(connected(sock))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        loop.add_reader(listener, accept)
        try:
            yield int(listener.getsockname()[1])
        finally:
            loop.remove_reader(listener)
            for task in tuple(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for transport in transports:
                transport.abort()
            await asyncio.sleep(0)  # in which they tell their protocols
            for sock in sockets:
                sock.close()  # that of a task which was cancelled before it began
