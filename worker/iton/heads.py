"""The head of a reply, put right where it says twice where the body ends.

HTTP libraries refuse ``Content-Length`` beside ``Transfer-Encoding``, as it may hide a second reply from a
proxy. Here nobody shares the connection, it is closed afterwards, and the ids of a reply that is thrown away
are lost for good.
"""

import re

_END = re.compile(rb"\r?\n\r?\n")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}[ \t]*(?:;[^\r\n]*)?\r?\n")
_INTERIM = re.compile(rb"HTTP/1\.[0-9] 1(?!01)[0-9][0-9]")
_LONGEST = 65_536  # bytes; what is longer is no head, and the parser says so
_LENGTH, _CODING = b"content-length", b"transfer-encoding"


def is_as_usual(came: bytes) -> bool:
    """Tell whether the parser may have all that came: the whole head of a 2xx, which says everything once."""
    end = came.find(b"\r\n\r\n")
    if end < 0 or not came.startswith(b"HTTP/1.1 2"):
        return False
    head = came[:end].lower()
    return _CODING not in head and head.count(_LENGTH) == 1


def passed_on(came: bytes) -> tuple[bytes, bool] | None:
    """Return what the parser is to read of *came*, and whether another head follows it.

    Args:
        came: everything since the request was sent, or since the last interim reply (RFC 9110, 15.2).

    Returns:
        None where more must come first.
    """
    end = _END.search(came)
    if not b"HTTP/".startswith(came[:5]) or len(came) > _LONGEST:
        return came, False
    if end is None:
        return None
    head, body = came[: end.end()], came[end.end() :]
    if _INTERIM.match(head):
        return head, True
    mended = _mended(head, body)
    return None if mended is None else (mended + body, False)


def _mended(head: bytes, body: bytes) -> bytes | None:
    lowered = head.lower()
    if _CODING not in lowered and lowered.count(_LENGTH) < 2:  # noqa: PLR2004 - one is as it should be
        return head  # as nearly always
    lines = head.split(b"\n")
    lengths, codings = _values(lines, _LENGTH), _values(lines, _CODING)
    if len(set(lengths)) != 1 or not lengths[0].isdigit():
        return head
    if not codings:
        return _without(lines, _LENGTH, instead=b"Content-Length: " + lengths[0])
    if codings[-1].lower() != b"chunked":
        return _without(lines, _CODING, instead=b"Connection: close")
    chunked = _looks_chunked(body, int(lengths[0]))
    if chunked is None:
        return None
    if chunked:
        # h11 knows no other coding; what is compressed besides shows in the body.
        lines = _without(lines, _LENGTH, instead=b"Transfer-Encoding: chunked").split(b"\n")
    return _without(lines, b"connection" if chunked else _CODING, instead=b"Connection: close")


def _looks_chunked(body: bytes, length: int) -> bool | None:
    """Tell by the first line; None where it is not there yet."""
    if b"\n" in body or len(body) >= length:
        return _CHUNK_SIZE.match(body) is not None
    return None


def _values(lines: list[bytes], name: bytes) -> list[bytes]:
    found = [
        value for key, _, value in (line.partition(b":") for line in lines) if key.strip().lower() == name
    ]
    return [part.strip() for value in found for part in value.split(b",")]


def _without(lines: list[bytes], name: bytes, *, instead: bytes) -> bytes:
    left_out = {name, instead.partition(b":")[0].lower()}
    status, *others = [line for line in lines if line.partition(b":")[0].strip().lower() not in left_out]
    return b"\n".join([status, instead + b"\r", *others])
