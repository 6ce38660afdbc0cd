"""The body of a call of the Web API: JSON, or ``multipart/form-data`` as browsers write it (RFC 7578). Pure.

What a name or a file name may end its quotes or its line with is percent-encoded (HTML, 4.10.21.8), so that
no part can become two, or another header.
"""

from collections.abc import Mapping, Sequence
from itertools import count

from pydantic import JsonValue
from pydantic_core import to_json

from schemas import ApiFile, ApiJob

# The same for nearly all bodies: connections are told apart by the headers of their requests.
_BOUNDARY = "iton-worker-7d1f0c86b2e94a53"
_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


def body_of(job: ApiJob) -> tuple[bytes | None, str | None]:
    """Return the body and its content type; None for both where there is no body."""
    if job.fields or job.files:
        return multipart(job.fields, job.files)
    return (None, None) if job.document is None else _json(job.document)


def _json(document: JsonValue) -> tuple[bytes, str]:
    return to_json(document), "application/json"


def multipart(fields: Mapping[str, str], files: Sequence[ApiFile]) -> tuple[bytes, str]:
    """Return the body and its content type."""
    parts = [(_head(name), value.encode()) for name, value in fields.items()]
    parts += [(_head(file.name, file), file.content) for file in files]
    boundary = _boundary([content for part in parts for content in part])
    lines: list[bytes] = []
    for head, content in parts:
        lines += [b"--" + boundary, head, b"", content]
    body = b"\r\n".join([*lines, b"--" + boundary + b"--", b""])
    return body, f"multipart/form-data; boundary={boundary.decode()}"


def _head(name: str, file: ApiFile | None = None) -> bytes:
    told = f'Content-Disposition: form-data; name="{name.translate(_ESCAPES)}"'
    if file is not None:
        told += f'; filename="{file.filename.translate(_ESCAPES)}"\r\nContent-Type: {file.content_type}'
    return told.encode()


def _boundary(contents: Sequence[bytes]) -> bytes:
    """Return the first of the boundaries that occurs in none of *contents*."""
    for number in count():
        boundary = (f"{_BOUNDARY}-{number}" if number else _BOUNDARY).encode()
        if not any(boundary in content for content in contents):
            return boundary
    raise AssertionError
