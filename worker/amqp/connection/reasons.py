"""Why there is no connection to the broker, in the words of log, readiness and command line alike. Pure."""

import binascii
import os
import re
import socket
import ssl
import struct
from urllib.parse import unquote, urlsplit

from aiormq.exceptions import AuthenticationError, ProtocolSyntaxError
from pamqp.exceptions import PAMQPException

from worker.amqp.connection.calls import describe
from worker.amqp.wire.transport import CloseReason
from worker.domain.errors import BrokerUnavailableError

_ACCESS_REFUSED = 403
_NOT_ALLOWED = 530
# Where several addresses were tried, their errors are one text: "[Errno 111] Connect call failed (...".
_ERRNO = re.compile(r"Errno ([1-9]\d{0,2})\b")
_HUNG_UP = "it closed the connection before it said a word of AMQP"
_NO_BROKER = "what answers there is no AMQP broker"
_WORDS: dict[type[BaseException], str] = {
    EOFError: _HUNG_UP,  # asyncio's IncompleteReadError is one
    StopAsyncIteration: _HUNG_UP,
    ProtocolSyntaxError: "it speaks another version of AMQP than 0-9-1",
    # What reading it raises.
    **dict.fromkeys((PAMQPException, LookupError, TypeError, UnicodeDecodeError, struct.error), _NO_BROKER),
    FileNotFoundError: "a file that AMQP_URL names behind the ? is not there",
    **dict.fromkeys((IsADirectoryError, NotADirectoryError), "AMQP_URL names no file behind the ?"),
    binascii.Error: "cadata behind the ? of AMQP_URL cannot be read: it is a certificate's DER in Base64",
}
_NO_PEM = "PEM lib"  # OpenSSL has no other name for it
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "RECORD_LAYER_FAILURE"})


def place_of(url: str) -> str:
    """Return ``HOST:PORT`` of a broker's URL, and nothing of its credentials."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{host}:{parts.port or (5671 if parts.scheme == 'amqps' else 5672)}"


def no_connection(error: BaseException, url: str, close_reason: CloseReason | None) -> BrokerUnavailableError:
    """Say why *error* left us without a connection; the same cause has the same words each time.

    Args:
        error: of the library, of the system or of ours.
        url: of it only host, port and virtual host are shown.
        close_reason: what the broker said before it hung up, which the library does not hand on.
    """
    place = place_of(url)
    if close_reason is None:
        words = f"the broker at {place} cannot be reached: {_reason(error)}"
        return BrokerUnavailableError("connect_failed", words)
    if close_reason.code == _ACCESS_REFUSED:
        only = (
            ": it may only connect from the broker's own machine" if "localhost" in close_reason.words else ""
        )
        return BrokerUnavailableError(
            "login_refused", f"the broker at {place} refuses user or password{only}"
        )
    if close_reason.code == _NOT_ALLOWED and "limit" not in close_reason.words:
        host = unquote(urlsplit(url).path[1:]) or "/"
        return BrokerUnavailableError(
            "virtual_host_refused", f"the broker at {place} has no virtual host {host}, or not for this user"
        )
    words = describe(ConnectionError(close_reason.words))
    return BrokerUnavailableError("connect_failed", f"the broker at {place} refuses the connection: {words}")


def _reason(error: BaseException) -> str:
    """Find the words for what lies at the bottom of *error*: the library wraps the system's errors."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    for kind, words in _WORDS.items():
        if isinstance(error, kind):
            return words
    match error:
        case ssl.SSLError():
            return _tls_reason(error)
        case socket.gaierror():
            return f"its name cannot be resolved ({str(error.strerror).lower()})"
        case AuthenticationError():
            return f"it offers no log-in but {error.args[0]}, and AMQP_URL asks for another"
        case _:
            return _system_reason(error)


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message.rstrip('.').lower()}"
    if _NO_PEM in str(error):
        return "certfile or keyfile behind the ? of AMQP_URL cannot be read: name files in PEM form"
    reason = error.reason or "unknown"
    if reason in _NO_TLS:
        return "it does not answer in TLS; amqp:// goes without"
    return f"TLS fails: {reason.replace('_', ' ').lower()}"


def _system_reason(error: BaseException) -> str:
    """Use the system's words where it has any: the library puts its number and its brackets around them."""
    number = error.errno if isinstance(error, OSError) else None
    if found := _ERRNO.search(str(error)):
        number = int(found[1])
    return os.strerror(number).lower() if number and number > 0 else describe(error)
