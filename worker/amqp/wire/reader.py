"""Takes messages and confirms from the wire before the client library does, and writes beside it.

The library spends three awaited reads, two queues and four objects on each frame. Jobs and results are most
of all frames; everything else (log-in, declarations, heartbeats, closing) stays its business.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from worker.amqp.wire import frames
from worker.amqp.wire.frames import Frame, Splitter

_CHUNK = 262_144  # bytes
# Seconds; a library that is shown no frame for three heartbeats takes the connection for dead.
_SIGN_OF_LIFE = 1.0
_FRAME_KINDS = b"\x01\x02\x03\x08"  # method, header, body, heartbeat
_INTERRUPTED = "a message is interrupted by another frame"
_TLS_RECORD = (b"\x15\x03", b"\x16\x03")  # an alert, a handshake


class Reader(Protocol):
    """What the library asks of a stream, as asyncio's has it."""

    async def readexactly(self, n: int) -> bytes:
        """Wait for *n* bytes; IncompleteReadError when there are no more."""
        ...

    async def read(self, n: int = -1) -> bytes:
        """Wait for some bytes, at most *n*; none at the end."""
        ...

    def at_eof(self) -> bool:
        """Whether nothing more will come."""
        ...


class Sink(Protocol):
    """Takes some methods of one channel. Its calls return soon and do not raise."""

    @property
    def methods(self) -> frozenset[int]:
        """What it takes."""
        ...

    def on_method(self, method: int, payload: bytes) -> None:
        """Take a method without content."""
        ...

    def wants(self, size: int) -> bool:
        """Whether a message of *size* bytes, properties included, shall be kept; asked once.

        Before its body comes, that is, and not at all of a message that came in one piece.
        """
        ...

    def on_content(self, method: bytes, raw_properties: bytes, body: bytes | None) -> None:
        """Take a method with its content, complete; without the body that was not wanted."""
        ...


class _Content:
    """A message on its way in, frame by frame."""

    __slots__ = ("_kept", "_method", "_pieces", "_properties", "_sink", "_size")

    def __init__(self, sink: Sink, method: bytes) -> None:
        self._sink = sink
        self._method = method
        self._properties = b""
        self._pieces: list[bytes] = []
        self._size = -1
        self._kept = True

    def add(self, frame: Frame) -> bool:
        """Take the next frame; tell if that was the last, and hand all over if so.

        Raises:
            MalformedFrameError: it is no part of a message.
        """
        if frame.kind == frames.HEADER and self._size < 0:
            self._size, self._properties = frames.read_content_header(frame.payload)
            self._kept = self._sink.wants(self._size + len(self._properties))
        elif frame.kind == frames.BODY and self._size >= 0:
            if self._kept:
                self._pieces.append(frame.payload)
            self._size -= len(frame.payload)
        else:
            raise frames.MalformedFrameError(_INTERRUPTED)
        if self._size > 0:
            return False
        self._sink.on_content(self._method, self._properties, self._body())
        return True

    def _body(self) -> bytes | None:
        if not self._kept:
            return None
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


class FrameReader:
    """A stream reader for the library that keeps back what a sink takes.

    Args:
        reader: of the socket.
        rewrite: changes a content header that goes on to the library.
        now: seconds of a clock that only runs forward.

    Attributes:
        close_reason: reply code and words with which the broker has closed the connection, once it has.
    """

    def __init__(
        self, reader: Reader, *, rewrite: Callable[[Frame], bytes], now: Callable[[], float]
    ) -> None:
        self._reader = reader
        self._rewrite = rewrite
        self._now = now
        self._splitter = Splitter()
        self._sinks: dict[int, Sink] = {}
        self._contents: dict[int, _Content] = {}
        self._passed: deque[bytes] = deque()
        self._passed_at = now()
        self._frame = b""
        self._offset = 0
        self._greeted = False
        self.close_reason: tuple[int, str] | None = None

    def serve(self, channel: int, sink: Sink) -> None:
        """Give *sink* what it takes of *channel*, from now on."""
        self._sinks[channel] = sink

    def forget(self, channel: int, sink: Sink) -> None:
        """Give *sink* nothing more; whoever has the channel's number by now is left alone."""
        if self._sinks.get(channel) is sink:
            del self._sinks[channel]
            self._contents.pop(channel, None)

    def at_eof(self) -> bool:
        """Whether nothing more will come."""
        left = self._passed or self._offset < len(self._frame) or not self._splitter.empty
        return not left and self._reader.at_eof()

    async def read(self, n: int = -1) -> bytes:
        """Pass on what is there, as it is."""
        return await self._reader.read(n)

    async def readexactly(self, n: int) -> bytes:
        """The next *n* bytes; the library asks for a frame in pieces, never for more than one."""
        if self._offset >= len(self._frame):
            self._frame, self._offset = await self._next_frame(), 0
        piece = self._frame[self._offset : self._offset + n]
        self._offset += n
        return piece

    async def _next_frame(self) -> bytes:
        if not self._greeted:
            self._greeted = True
            start = await self._reader.readexactly(frames.FRAME_START)
            if start.startswith(b"AMQP"):
                # The broker refuses our protocol version: not a frame, the library knows what to say.
                return start
            _check_first(start)
            self._feed(start)
        while not self._passed:
            data = await self._reader.read(_CHUNK)
            if not data:
                raise asyncio.IncompleteReadError(b"", 1)
            self._feed(data)
        return self._passed.popleft()

    def _feed(self, data: bytes) -> None:
        for one in self._splitter.feed(data):
            sink = self._sinks.get(one.channel)
            if isinstance(one, Frame):
                if sink is None or not self._taken(sink, one):
                    self._pass_on(one)
            elif sink is None or one.method not in sink.methods:
                for frame in one.frames():
                    self._pass_on(frame)
            elif one.channel in self._contents:
                raise frames.MalformedFrameError(_INTERRUPTED)
            else:
                sink.on_content(one.payload, one.raw_properties, one.body)
        if self._now() - self._passed_at > _SIGN_OF_LIFE:
            self._passed.append(frames.HEARTBEAT)
            self._passed_at = self._now()

    def _pass_on(self, frame: Frame) -> None:
        if frame.channel == 0 and frames.method_of(frame.payload) == frames.CLOSE:
            self.close_reason = frames.read_close(frame.payload)
        self._passed.append(self._rewrite(frame) if frame.kind == frames.HEADER else frames.whole(frame))
        self._passed_at = self._now()

    def _taken(self, sink: Sink, frame: Frame) -> bool:
        if content := self._contents.get(frame.channel):
            if content.add(frame):
                del self._contents[frame.channel]
            return True
        method = int.from_bytes(frame.payload[:4], "big") if frame.kind == frames.METHOD else 0
        if method not in sink.methods:
            return False
        if method in frames.WITH_CONTENT:
            self._contents[frame.channel] = _Content(sink, frame.payload)
        else:
            sink.on_method(method, frame.payload)
        return True


def _check_first(start: bytes) -> None:
    """Refuse what is no frame, before a made-up length of a frame is waited for."""
    if start.startswith(_TLS_RECORD):
        raise frames.MalformedFrameError("it answers in TLS; amqps:// goes with it")
    if start[0] not in _FRAME_KINDS:
        raise frames.MalformedFrameError("what answers there is no AMQP broker")
