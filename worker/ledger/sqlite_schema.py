"""Opening the ledger's database: the file, its mode of work, its tables."""

import os
import sqlite3
import time
from os.path import samestat
from pathlib import Path

from worker.domain.errors import LedgerUnavailableError
from worker.ledger.sqlite_failures import file_lost, primary_code

SCHEMA_VERSION = 1

# No auto_vacuum: pages of expired entries are reused, so the file levels off at what one retention time
# needs; auto_vacuum would write extra pages in every transaction to give back space that is needed again.
# The integer key keeps inserts at the end of the table; its extent tells the number of entries cheaply.
_TABLES = (
    """
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        token TEXT NOT NULL,
        state BLOB NOT NULL,
        expires_at INTEGER NOT NULL
    )
    """,
    "CREATE INDEX entries_by_expiry ON entries (expires_at)",
    "CREATE TABLE probes (id INTEGER PRIMARY KEY, padding BLOB NOT NULL)",
)
# Beside the version: a release that does not know it does without.
_TIME = """
    CREATE TABLE IF NOT EXISTS ledger_time (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        at INTEGER NOT NULL,
        seen INTEGER NOT NULL,
        boot TEXT NOT NULL
    )
"""
_HAS_TIME = "SELECT 1 FROM sqlite_master WHERE name = 'ledger_time'"
_PRAGMAS = (
    # FULL: a commit is on the disk before it returns, also when the power goes.
    "PRAGMA synchronous = FULL",
    # Deleted phone numbers are overwritten where that costs no extra write.
    "PRAGMA secure_delete = FAST",
    # After a burst the write-ahead log shrinks to 64 MiB; the page cache is 16 MiB.
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -16384",
)
_BUSY_PAUSE = 0.01


def create_parents(path: Path) -> None:
    """Make the missing directories above *path*, and their names durable."""
    missing = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for parent in missing:
        _sync_directory(parent.parent)


def connect(path: Path, *, busy_timeout: float) -> sqlite3.Connection:
    """Open the database at *path*, created for its owner alone where there is none, ready for use.

    Raises sqlite3.Error, OSError, or LedgerUnavailableError where the database is not one to work with.
    """
    _create_file(path)
    found = path.stat()
    connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None)
    try:
        _enter_wal(connection, path, time.monotonic() + busy_timeout)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        _create_tables(connection, path)
        _expect_in_place(path, found)
    except BaseException:
        connection.close()
        raise
    return connection


def _expect_in_place(path: Path, found: os.stat_result) -> None:
    if not samestat(found, path.stat()):
        raise file_lost(path)


def _create_file(path: Path) -> None:
    try:
        # O_EXCL: to open and close a file that SQLite has open in this process would drop its locks.
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    os.close(descriptor)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _enter_wal(connection: sqlite3.Connection, path: Path, deadline: float) -> None:
    """Switch to the write-ahead log; SQLite does not wait by itself while another process does the same."""
    while (mode := _try_wal(connection, deadline)) is None:
        time.sleep(_BUSY_PAUSE)
    if mode != "wal":
        raise LedgerUnavailableError(
            "ledger_not_writable",
            f"the file system of {path} has no shared memory for SQLite: use a local disk, or redis://",
        )


def _try_wal(connection: sqlite3.Connection, deadline: float) -> str | None:
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError as error:
        if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
            raise
        return None
    return str(mode)


def _create_tables(connection: sqlite3.Connection, path: Path) -> None:
    # Looked at without a lock first: a file that another process is writing to can be read all the same.
    if _version(connection, path) == SCHEMA_VERSION and connection.execute(_HAS_TIME).fetchone():
        return
    connection.execute("BEGIN IMMEDIATE")
    if _version(connection, path) < SCHEMA_VERSION:
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute(_TIME)
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise LedgerUnavailableError(
            "ledger_schema_newer",
            f"{path} was written by a newer version (schema {version}, this one knows {SCHEMA_VERSION}): "
            "run that version, or point LEDGER_URL to another file",
        )
    return int(version)
