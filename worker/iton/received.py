"""What had come of a reply whose end did not: it goes with the error, and may have message ids."""

from typing import TypeVar

_RECEIVED = "_received_of_the_reply"
_E = TypeVar("_E", bound=Exception)


def with_received(error: _E, content: bytes) -> _E:
    """Return *error* with the *content* that came before it."""
    vars(error)[_RECEIVED] = content
    return error


def received(error: Exception) -> bytes:
    """Return what came of the reply before *error*."""
    content: bytes = vars(error).get(_RECEIVED, b"")
    return content
