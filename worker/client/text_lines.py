"""The lines of a text file, or in one sentence why it is none."""

import codecs
from collections.abc import Iterable, Iterator

from worker.client.prepared import InputError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ZIP = b"PK\x03\x04"  # what spreadsheets save by themselves
_NUL = b"\x00"
SAVE = "save it as plain text in UTF-8 (in a spreadsheet: CSV UTF-8)"
"""What to do with a file that is in no text of ours."""


def plain_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file of bytes, their ends kept, without a byte order mark.

    Args:
        chunks: what reading a file line by line gives.

    Raises:
        InputError: it is UTF-16, a spreadsheet's own format, or holds a NUL byte.
    """
    number = 0
    for chunk in chunks:
        if number == 0:
            _refuse_other_formats(chunk)
            chunk = chunk.removeprefix(codecs.BOM_UTF8)  # noqa: PLW2901 - the first line as it counts
        for line in chunk.splitlines(keepends=True):
            number += 1
            if _NUL in line:
                raise InputError([f"line {number}: holds a NUL byte, which is no text: {SAVE}"])
            yield line


def text_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Do the same with the text of the lines.

    Raises:
        InputError: as above, or a line is not UTF-8.
    """
    for number, line in enumerate(plain_lines(chunks), start=1):
        yield _decoded(line, number)


def _decoded(line: bytes, number: int) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        wrong = line[error.start]
    raise InputError([f"line {number}: is not UTF-8 (byte 0x{wrong:02x}): {SAVE}"])


def _refuse_other_formats(start: bytes) -> None:
    if start.startswith(_ZIP):
        raise InputError([f"the file is a spreadsheet, or another archive: {SAVE}"])
    if start.startswith(_UTF16) or (_NUL in start and start.replace(_NUL, b"").isascii()):
        raise InputError([f"the file is UTF-16, not UTF-8: {SAVE}"])
