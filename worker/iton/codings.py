"""A reply's body out of whatever it was compressed with: the bytes decide, the label helps at the most.

Old servlets send ``Content-Encoding: UTF-8`` with a plain body, others forget the label or name the wrong
one. What is compressed can be told by its first bytes (RFC 1952, 2.3.1; RFC 1950, 2.2), and neither JSON nor
ITON's sentences begin with them.
"""

import zlib
from contextlib import suppress

from worker.iton.bodies import decoded

_GZIP = b"\x1f\x8b"
_GZIP_WBITS, _ZLIB_WBITS, _DEFLATE_WBITS = 31, 15, -15
_MOST_MEMBERS = 1_000  # of a gzip file; each costs a copy of the rest
_MOST_LAYERS = 3
_PADDING = b"\0 \t\r\n"
_STRIDE = 4096  # bytes; what breaks within one is taken byte by byte


class BrokenCodingError(ValueError):
    """The body is compressed, and broken, or ends too early."""


class OversizedBodyError(ValueError):
    """More would come out than is wanted."""


def unpacked(content: bytes, label: str, limit: int) -> bytes:
    """Return the body that *content* was compressed from; what is not compressed as it is.

    Args:
        content: the complete body.
        label: the header ``Content-Encoding``.
        limit: bytes; more are not made of it.

    Raises:
        BrokenCodingError: it is compressed, and nobody can say from what.
        OversizedBodyError: it is longer than *limit*.
    """
    for _ in range(_MOST_LAYERS):
        inner = _one_layer_less(content, label.lower(), limit)
        if inner is None:
            return content
        content = inner
    raise BrokenCodingError


def begun(content: bytes, limit: int) -> bytes:
    """Return what comes out of a broken or cut *content* before the break, at most *limit* bytes."""
    for _ in range(_MOST_LAYERS):
        if not _GZIP.startswith(content[: len(_GZIP)]):
            return content
        content = _gunzipped_to_the_break(content, limit)  # nothing, of the first byte alone
    return b""


def is_whole(content: bytes) -> bool:
    """Tell of a body whose transfer was cut off whether it had come to its end: an object or list says so."""
    return decoded(content).json is not None


def _one_layer_less(content: bytes, label: str, limit: int) -> bytes | None:
    if content.startswith(_GZIP):
        return _gunzipped(content, limit)
    is_zlib = len(content) > 1 and content[0] & 0x8F == 8 and int.from_bytes(content[:2]) % 31 == 0  # noqa: PLR2004 - RFC 1950, 2.2
    if is_zlib and (inner := _inflated(content, _ZLIB_WBITS, limit)) is not None:
        return inner
    return _inflated(content, _DEFLATE_WBITS, limit) if "deflate" in label else None


def _gunzipped(content: bytes, limit: int) -> bytes:
    """Return all members, one behind the other; padding and whatever else follows them is none of it."""
    pieces: list[bytes] = []
    room = limit
    for _ in range(_MOST_MEMBERS):
        stream = zlib.decompressobj(_GZIP_WBITS)
        try:
            piece = stream.decompress(content, room + 1)
        except zlib.error:
            raise BrokenCodingError from None
        room -= len(piece)
        if room < 0:
            raise OversizedBodyError
        if not stream.eof:
            raise BrokenCodingError
        pieces.append(piece)
        content = stream.unused_data
        if not content.startswith(_GZIP):
            return b"".join(pieces)
    raise BrokenCodingError


def _gunzipped_to_the_break(content: bytes, limit: int) -> bytes:
    plain = bytearray()
    for _ in range(_MOST_MEMBERS):
        stream = zlib.decompressobj(_GZIP_WBITS)
        at = 0
        for step in (_STRIDE, 1):
            with suppress(zlib.error):
                while at < len(content) and len(plain) < limit and not stream.eof:
                    ahead = stream.copy() if step > 1 else stream
                    plain += ahead.decompress(content[at : at + step], limit - len(plain))
                    stream, at = ahead, at + step
        content = stream.unused_data + content[at:]
        if not (stream.eof and content.startswith(_GZIP)):
            break
    return bytes(plain)


def _inflated(content: bytes, wbits: int, limit: int) -> bytes | None:
    """Return what was deflated; None where that is not what *content* is."""
    stream = zlib.decompressobj(wbits)
    try:
        plain = stream.decompress(content, limit + 1)
    except zlib.error:
        return None
    if len(plain) > limit:
        raise OversizedBodyError
    if not stream.eof or (wbits == _DEFLATE_WBITS and stream.unused_data.strip(_PADDING)):
        return None  # no checksum tells that it was compressed at all
    return plain
