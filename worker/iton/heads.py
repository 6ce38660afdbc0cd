"""The head of a reply, put right where a parser would refuse the reply for it.

HTTP libraries are strict: ``Content-Length`` beside ``Transfer-Encoding`` may hide a second reply from a
proxy, a line without a colon may be anything. Here nobody shares the connection, it is closed afterwards, and
the ids of a reply that is thrown away are lost for good.
"""

import re

from worker.iton.codings import is_whole

_END = re.compile(rb"\r?\n\r?\n")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}[ \t]*(?:;[^\r\n]*)?\r?\n")
_CHUNK_SIZE_BEGUN = re.compile(rb"[0-9A-Fa-f]{0,16}[ \t]*(?:;[^\r\n]*)?\r?")
_INTERIM = re.compile(rb"HTTP/1\.[0-9] 1(?!01)[0-9][0-9]")
_OTHER_VERSION = re.compile(rb"(?!(?-i:HTTP)/1\.[01] )HTTP/[0-9](?:\.[0-9])? ", re.IGNORECASE)
_ONE_LENGTH = re.compile(rb"\ncontent-length: ?([0-9]{1,15})[ \t]*(?:\r|$)")
# A line without a name, or with one that is none (RFC 9110, 5.1), or with a character that ends a string.
_ODD = re.compile(rb"\n(?![!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*:)|\0")
_LONGEST = 65_536  # bytes; what is longer is no head, and the parser says so
_LONGEST_USUAL = 4_096  # bytes; parsers have limits for a line and for the number of lines
_LONGEST_LINE = 4_096
_MOST_LINES = 64
_LONGEST_NUMBER = 16  # digits
_LENGTH, _CODING, _CONNECTION = b"content-length", b"transfer-encoding", b"connection"
_NEEDED = frozenset({_LENGTH, _CODING, _CONNECTION, b"content-encoding", b"retry-after"})


def is_as_usual(came: bytes) -> bool:
    """Tell whether the parser may have all that came: a 2xx with a plain head and no more than its length."""
    end = came.find(b"\r\n\r\n")
    if not 0 <= end <= _LONGEST_USUAL or not came.startswith(b"HTTP/1.1 2"):
        return False
    head = came[:end].lower()
    length = _ONE_LENGTH.search(head)
    if length is None or head.count(_LENGTH) != 1 or _CODING in head:
        return False
    if head.count(b"\n") > _MOST_LINES or _ODD.search(head):
        return False
    return len(came) - end - 4 <= int(length[1])


def passed_on(came: bytes) -> tuple[bytes, bool] | None:
    """Return what the parser is to read of *came*, and whether another head follows it.

    Args:
        came: everything since the request was sent, or since the last interim reply (RFC 9110, 15.2).

    Returns:
        None where more must come first.
    """
    end = _END.search(came)
    if not b"HTTP/".startswith(came[:5].upper()) or (end is None and len(came) > _LONGEST):
        return came, False
    if end is None:
        return None
    head, body = came[: end.end()], came[end.end() :]
    if _INTERIM.match(head):
        return head, True
    mended = _mended(_plain(head), body)
    return None if mended is None else (mended, False)


def _plain(head: bytes) -> bytes:
    """Leave out lines that no parser takes, and name a version that it knows."""
    if other := _OTHER_VERSION.match(head):
        head = b"HTTP/1.1 " + head[other.end() :]
    bare = head.rstrip(b"\r\n")
    if len(bare) <= _LONGEST_USUAL and bare.count(b"\n") <= _MOST_LINES and not _ODD.search(bare):
        return head  # as nearly always
    status, *lines = bare.split(b"\n")
    lines = [line for line in lines if len(line) <= _LONGEST_LINE and not _ODD.search(b"\n" + line)]
    if len(lines) > _MOST_LINES:
        lines = [line for line in lines if _name(line) in _NEEDED]
    return b"\n".join([status, *(line.rstrip(b"\r") + b"\r" for line in lines), b"\r\n"])


def _mended(head: bytes, body: bytes) -> bytes | None:
    """Return the reply with one end that fits its body; None where more of that must come first."""
    lines = head.split(b"\n")
    said, codings = _values(lines, _LENGTH), _values(lines, _CODING)
    lengths = {int(length) for length in said if length.isdigit() and len(length) < _LONGEST_NUMBER}
    length = lengths.pop() if len(lengths) == 1 else None
    if codings and codings[-1].lower() == b"chunked":
        chunked = _looks_chunked(body, length)
        if chunked is None:
            return None
        if chunked:
            # h11 knows no other coding; what is compressed besides shows in the body.
            alone = not said and len(codings) == 1
            return (head if alone else _with_end(lines, b"Transfer-Encoding: chunked")) + body
    if length is None:
        return (_with_end(lines) if said or codings else head) + body
    own, kept = _own(body, length)
    if codings or len(said) > 1 or len(body) > length:
        head = _with_end(lines, b"Content-Length: %d" % own)
    return head + kept


def _own(body: bytes, length: int) -> tuple[int, bytes]:
    """Return the length of *body*, of which *length* bytes were announced, and what belongs to it.

    Old servers count characters where bytes are meant, or not the line break that they write behind. Of a
    sentence nobody can say where it ends.
    """
    told, more = body[:length], body[length:]
    if not more:
        return length, body
    if not more.strip() or more.startswith(b"HTTP/1.") or is_whole(told):
        return length, told
    return (len(body) if is_whole(body) else length), body


def _looks_chunked(body: bytes, length: int | None) -> bool | None:
    """Tell by the first line; None where it is not there yet."""
    if _CHUNK_SIZE.match(body):
        return True
    is_all = length is not None and len(body) >= length
    return None if _CHUNK_SIZE_BEGUN.fullmatch(body) and not is_all else False


def _name(line: bytes) -> bytes:
    return line.partition(b":")[0].strip().lower()


def _values(lines: list[bytes], name: bytes) -> list[bytes]:
    found = [line.partition(b":")[2] for line in lines if _name(line) == name]
    return [part.strip() for value in found for part in value.split(b",")]


def _with_end(lines: list[bytes], *end: bytes) -> bytes:
    """Return the head with nothing but *end* about the end of the body; it is the connection's, too."""
    status, *others = [line for line in lines if _name(line) not in {_LENGTH, _CODING, _CONNECTION}]
    return b"\n".join([status, *(line + b"\r" for line in (b"Connection: close", *end)), *others])
