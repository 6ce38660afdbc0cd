"""Takes messages and confirms from the wire before the client library does, and writes beside it.

The library spends three awaited reads, two queues and four objects on each frame. Jobs and results are most
of all frames; everything else (log-in, declarations, heartbeats, closing) stays its business.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from worker.amqp.wire import frames
from worker.amqp.wire.frames import Frame, Splitter

# Seconds; a library that is shown no frame for three heartbeats takes the connection for dead.
_SIGN_OF_LIFE = 1.0
_FRAME_KINDS = b"\x01\x02\x03\x08"  # method, header, body, heartbeat
_INTERRUPTED = "a message is interrupted by another frame"
_TLS_RECORD = (b"\x15\x03", b"\x16\x03")  # an alert, a handshake


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


class FrameReader(asyncio.Protocol):
    """Takes bytes from the socket, and leaves the library what no sink takes.

    It stands in the place of the protocol that the library's stream is fed by, which learns of everything but
    the bytes. So a message is with its sink as soon as the event loop has read it: no stream, and no task of
    the library's, has a turn in between.

    Args:
        replaced: the protocol whose place it takes.
        stream: that the library reads.
        rewrite: changes what goes on to the library of a message: its method and its content header.
        now: seconds of a clock that only runs forward.

    Attributes:
        close_reason: reply code and words with which the broker has closed the connection, once it has.
    """

    def __init__(
        self,
        replaced: asyncio.Protocol,
        stream: asyncio.StreamReader,
        *,
        rewrite: Callable[[Frame], bytes],
        now: Callable[[], float],
    ) -> None:
        self._replaced = replaced
        self._stream = stream
        self._rewrite = rewrite
        self._now = now
        self._splitter = Splitter()
        self._sinks: dict[int, Sink] = {}
        self._contents: dict[int, _Content] = {}
        self._passed: list[bytes] = []
        self._passed_at = now()
        self._start: bytes | None = b""
        self.close_reason: tuple[int, str] | None = None

    def serve(self, channel: int, sink: Sink) -> None:
        """Give *sink* what it takes of *channel*, from now on."""
        self._sinks[channel] = sink

    def forget(self, channel: int, sink: Sink) -> None:
        """Give *sink* nothing more; whoever has the channel's number by now is left alone."""
        if self._sinks.get(channel) is sink:
            del self._sinks[channel]
            self._contents.pop(channel, None)

    def data_received(self, data: bytes) -> None:
        """Take what the socket has; what is wrong with it is an error of the library's next read."""
        if self._stream.exception() is not None:
            return
        try:
            if self._start is not None:
                data = self._greeted(self._start + data)
            self._feed(data)
        except frames.MalformedFrameError as error:
            self._stream.set_exception(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection is of no use any more
            # Whoever reads knows what to do about a connection that broke, and about nothing else.
            broken = frames.MalformedFrameError(f"a frame cannot be read ({type(error).__name__})")
            self._stream.set_exception(broken)

    def eof_received(self) -> bool | None:
        """Pass it on, as all that follows."""
        return self._replaced.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        """Pass it on."""
        self._replaced.connection_lost(error)

    def pause_writing(self) -> None:
        """Pass it on."""
        self._replaced.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._replaced.resume_writing()

    def _greeted(self, data: bytes) -> bytes:
        """Return what of the first bytes are frames, as soon as that can be told."""
        if len(data) < frames.FRAME_START:
            self._start = data
            return b""
        self._start = None
        if data.startswith(b"AMQP"):
            # The broker refuses our protocol version: not a frame, the library knows what to say.
            self._stream.feed_data(data)
            return b""
        _check_first(data)
        return data

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
        if self._passed:
            passed, self._passed = self._passed, []
            self._stream.feed_data(b"".join(passed))

    def _pass_on(self, frame: Frame) -> None:
        if frame.channel == 0 and frames.method_of(frame.payload) == frames.CLOSE:
            self.close_reason = frames.read_close(frame.payload)
        self._passed.append(self._rewrite(frame) if _is_of_message(frame) else frames.whole(frame))
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


def _is_of_message(frame: Frame) -> bool:
    """Tell whether it is a message's, and no part of its body."""
    with_content = frame.kind == frames.METHOD and frames.method_of(frame.payload) in frames.WITH_CONTENT
    return with_content or frame.kind == frames.HEADER


def _check_first(start: bytes) -> None:
    """Refuse what is no frame, before a made-up length of a frame is waited for."""
    if start.startswith(_TLS_RECORD):
        raise frames.MalformedFrameError("it answers in TLS; amqps:// goes with it")
    if start[0] not in _FRAME_KINDS:
        raise frames.MalformedFrameError("what answers there is no AMQP broker")
