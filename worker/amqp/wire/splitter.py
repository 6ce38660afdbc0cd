"""A stream of bytes, cut into frames; a message whose frames came together, into one piece. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from worker.amqp.wire.frames import (
    BODY,
    CONTENT,
    END,
    FRAME_START,
    HEADER,
    METHOD,
    OVERHEAD,
    START,
    WITH_CONTENT,
    Frame,
    MalformedFrameError,
    Message,
)

_END: Final = END[0]
_MOST: Final = 0xFFFF_FFFF  # bytes of a frame
_WITH_CONTENT: Final = frozenset(method.to_bytes(4, "big") for method in WITH_CONTENT)


@dataclass(slots=True)
class Splitter:
    """Cuts a stream of bytes into messages, as far as they came in one piece, and frames."""

    _rest: bytes = b""

    @property
    def empty(self) -> bool:
        """Whether no frame has begun that is not complete."""
        return not self._rest

    def feed(self, data: bytes) -> Iterator[Frame | Message]:
        """Return what is complete by now.

        Raises:
            MalformedFrameError: a frame does not end where it should.
        """
        data = self._rest + data if self._rest else data
        at, size = 0, len(data)
        try:
            while size - at >= OVERHEAD:
                kind, channel, length = START.unpack_from(data, at)
                start, end = at + FRAME_START, at + FRAME_START + length
                if end >= size:
                    break
                if data[end] != _END:
                    raise MalformedFrameError("a frame does not end with its end byte")
                at = end + 1
                if kind == METHOD and data[start : start + 4] in _WITH_CONTENT:
                    content = _content_at(data, at, channel)
                    if content is not None:
                        raw_properties, body, at = content
                        method = int.from_bytes(data[start : start + 4], "big")
                        yield Message(channel, method, data[start:end], raw_properties, body)
                        continue
                yield Frame(kind, channel, data[start:end])
        finally:
            self._rest = data[at:]


def _content_at(data: bytes, at: int, channel: int) -> tuple[bytes, bytes, int] | None:
    """Read a header's frame, and that of a body if there is one, which *data* has next, and where they end.

    None where they are not all there, or are more frames, or none of these: what it is shows frame by frame.
    """
    size = len(data)
    if size - at < OVERHEAD + CONTENT.size:
        return None
    kind, owner, length = START.unpack_from(data, at)
    start, end = at + FRAME_START, at + FRAME_START + length
    if kind != HEADER or owner != channel or length < CONTENT.size or end >= size or data[end] != _END:
        return None
    _, _, wanted = CONTENT.unpack_from(data, start)
    raw_properties, at = data[start + CONTENT.size : end], end + 1
    if not wanted:
        return raw_properties, b"", at
    start, end = at + FRAME_START, at + FRAME_START + wanted
    if end >= size or data[end] != _END or data[at:start] != START.pack(BODY, channel, wanted & _MOST):
        return None
    return raw_properties, data[start:end], end + 1
