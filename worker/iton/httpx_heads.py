"""httpx's connections with the head of each reply put right before it is parsed, see `worker.iton.heads`."""

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from worker.iton.heads import passed_on


def mend_heads(transport: httpx.AsyncHTTPTransport) -> None:
    """Have *transport*, which has no connection yet, read replies that say twice where their body ends."""
    # httpx has no public way to give its pool another backend.
    pool: Any = transport._pool  # noqa: SLF001
    pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001


class _Backend(httpcore.AsyncNetworkBackend):
    """Opens connections as *inner* does."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._inner.connect_tcp(host, port, timeout, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection.

    Attributes:
        _came: what is there of a head; None once it was passed on.
        _ready: what may be read.
    """

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._came: bytes | None = None
        self._ready = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as above
        while self._came is not None and not self._ready:
            data = await self._inner.read(max_bytes, timeout)
            self._came += data
            self._pass_on(at_end=not data)
            if not data:
                break
        if self._ready or self._came is not None:
            ready, self._ready = self._ready[:max_bytes], self._ready[max_bytes:]
            return ready
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        self._came = self._came or b""
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore's
        return self._inner.get_extra_info(info)

    def _pass_on(self, *, at_end: bool) -> None:
        while self._came and (found := (self._came, False) if at_end else passed_on(self._came)) is not None:
            known, more = found
            self._ready += known
            self._came = self._came[len(known) :] if more else None
