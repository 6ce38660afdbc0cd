"""What SQLite and the file system report, as errors with a remedy."""

import errno
import sqlite3
from pathlib import Path

from worker.domain.errors import LedgerUnavailableError

# https://www.sqlite.org/rescode.html, primary result codes
_FULL = (
    "ledger_full",
    "the disk (or its quota) is full at {path}: free some space, the worker goes on by itself",
)
_LOCKED = (
    "ledger_locked",
    (
        "{path} stayed locked by another process: stop what holds it open (a backup, an SQLite shell); "
        "on a network file system use a local disk or redis:// instead"
    ),
)
_CORRUPTED = (
    "ledger_corrupted",
    (
        "{path} is damaged or no SQLite database: restore it from a backup; an empty one in its place "
        "forgets what was already sent"
    ),
)
_NOT_WRITABLE = (
    "ledger_not_writable",
    (
        "{path} or its directory cannot be opened for writing: it must exist on a mounted disk and belong to "
        "the worker's user"
    ),
)
_IO_FAILED = (
    "ledger_io_failed",
    "reading or writing {path} failed ({what}): look at the disk and the kernel's log",
)

_BY_RESULT_CODE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_PROTOCOL: _LOCKED,
    sqlite3.SQLITE_CORRUPT: _CORRUPTED,
    sqlite3.SQLITE_NOTADB: _CORRUPTED,
    sqlite3.SQLITE_READONLY: _NOT_WRITABLE,
    sqlite3.SQLITE_PERM: _NOT_WRITABLE,
    sqlite3.SQLITE_CANTOPEN: _NOT_WRITABLE,
    sqlite3.SQLITE_AUTH: _NOT_WRITABLE,
}
_BY_ERRNO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.ENOENT: _NOT_WRITABLE,
    errno.ENOTDIR: _NOT_WRITABLE,
    errno.EEXIST: _NOT_WRITABLE,
    errno.EACCES: _NOT_WRITABLE,
    errno.EPERM: _NOT_WRITABLE,
    errno.EROFS: _NOT_WRITABLE,
    errno.EISDIR: _NOT_WRITABLE,
}
_NOT_THE_STORES_FAULT = {sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE}


def primary_code(error: sqlite3.Error) -> int | None:
    """Return SQLite's primary result code; None where Python's own layer raised."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def is_of_the_store(error: Exception) -> bool:
    """Tell if the file or the disk failed, and not one entry that cannot be stored at all."""
    if isinstance(error, sqlite3.Error):
        code = primary_code(error)
        return code is not None and code not in _NOT_THE_STORES_FAULT
    return isinstance(error, OSError | LedgerUnavailableError)


def file_lost(path: Path) -> LedgerUnavailableError:
    """Return the error of a file that was deleted or replaced while it was in use."""
    return LedgerUnavailableError(
        "ledger_file_lost",
        f"{path} (or its -wal or -shm file) was deleted or replaced while in use: stop the worker before "
        "files are moved; the worker goes on with what is there now",
    )


def failure_of(error: Exception, path: Path) -> LedgerUnavailableError:
    """Translate whatever went wrong with the file at *path*."""
    if isinstance(error, LedgerUnavailableError):
        return error
    code, remedy = _IO_FAILED
    if isinstance(error, sqlite3.Error):
        code, remedy = _BY_RESULT_CODE.get(primary_code(error) or -1, _IO_FAILED)
    elif isinstance(error, OSError):
        code, remedy = _BY_ERRNO.get(error.errno or -1, _IO_FAILED)
    return LedgerUnavailableError(code, remedy.format(path=path, what=_name(error)))


def _name(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return errno.errorcode.get(error.errno, str(error.errno))
    return str(getattr(error, "sqlite_errorname", type(error).__name__))
