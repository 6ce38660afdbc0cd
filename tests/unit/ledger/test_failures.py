"""Failures of the stores, as errors with a code and a remedy."""

import errno
import sqlite3
from pathlib import Path

import psycopg
import pytest
from redis import exceptions as redis_errors

from worker.ledger import redis_failures, sqlite_failures
from worker.ledger.postgresql import failures as postgresql_failures

PATH = Path("/var/lib/iton/ledger.db")


def sqlite_error(code: int, name: str = "SQLITE_X") -> sqlite3.Error:
    """An error as SQLite raises it."""
    error = sqlite3.OperationalError("x")
    error.sqlite_errorcode = code
    error.sqlite_errorname = name
    return error


class TestSqliteFailures:
    """The file and the disk below it."""

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (sqlite_error(sqlite3.SQLITE_FULL), "ledger_full"),
            (OSError(errno.ENOSPC, "x"), "ledger_full"),
            (OSError(errno.EDQUOT, "x"), "ledger_full"),
            (sqlite_error(sqlite3.SQLITE_BUSY), "ledger_locked"),
            (sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), "ledger_locked"),
            (sqlite_error(sqlite3.SQLITE_CORRUPT), "ledger_corrupted"),
            (sqlite_error(sqlite3.SQLITE_NOTADB), "ledger_corrupted"),
            (sqlite_error(sqlite3.SQLITE_READONLY_DBMOVED), "ledger_not_writable"),
            (sqlite_error(sqlite3.SQLITE_CANTOPEN), "ledger_not_writable"),
            (PermissionError(errno.EACCES, "x"), "ledger_not_writable"),
            (sqlite_error(sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC"), "ledger_io_failed"),
            (OSError(errno.EIO, "x"), "ledger_io_failed"),
            (OSError("no number"), "ledger_io_failed"),
            (sqlite3.InterfaceError("no code"), "ledger_io_failed"),
        ],
    )
    def test_each_failure_has_a_code_and_names_the_file(self, error: Exception, code: str) -> None:
        """Extended result codes count as their primary one."""
        failure = sqlite_failures.failure_of(error, PATH)
        assert code == failure.code
        assert str(PATH) in failure.detail

    def test_what_failed_is_named_where_no_rule_fits(self) -> None:
        """The symbol of SQLite or of the system."""
        error = sqlite_error(sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC")
        assert "SQLITE_IOERR_FSYNC" in sqlite_failures.failure_of(error, PATH).detail
        assert "EIO" in sqlite_failures.failure_of(OSError(errno.EIO, "x"), PATH).detail

    @pytest.mark.parametrize(
        ("error", "of_the_store"),
        [
            (sqlite_error(sqlite3.SQLITE_FULL), True),
            (OSError(errno.EIO, "x"), True),
            (sqlite_error(sqlite3.SQLITE_TOOBIG), False),
            (sqlite3.ProgrammingError("no code"), False),
            (OverflowError(), False),
        ],
    )
    def test_an_entry_that_cannot_be_stored_is_not_the_stores_fault(
        self, error: Exception, *, of_the_store: bool
    ) -> None:
        """The others of its batch are tried again without it."""
        assert of_the_store is sqlite_failures.is_of_the_store(error)


class TestRedisFailures:
    """The server and the way to it."""

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (redis_errors.AuthenticationError("invalid secret"), "ledger_credentials_refused"),
            (redis_errors.AuthenticationWrongNumberOfArgsError("secret"), "ledger_credentials_refused"),
            (redis_errors.NoPermissionError("secret"), "ledger_credentials_refused"),
            (redis_errors.BusyLoadingError("secret"), "ledger_loading"),
            (redis_errors.MaxConnectionsError("secret"), "ledger_unreachable"),
            (redis_errors.ConnectionError("secret"), "ledger_unreachable"),
            (ConnectionResetError("secret"), "ledger_unreachable"),
            (redis_errors.TimeoutError("secret"), "ledger_timed_out"),
            (TimeoutError("secret"), "ledger_timed_out"),
            (redis_errors.OutOfMemoryError("secret"), "ledger_full"),
            (redis_errors.ReadOnlyError("secret"), "ledger_read_only"),
            (redis_errors.MasterDownError("secret"), "ledger_read_only"),
            (redis_errors.ClusterDownError("secret"), "ledger_cluster"),
            (redis_errors.MovedError("1 secret:6379"), "ledger_cluster"),
            (redis_errors.ResponseError("MISCONF secret"), "ledger_not_persisting"),
            (redis_errors.ResponseError("NOREPLICAS secret"), "ledger_no_replicas"),
            (redis_errors.ResponseError("BUSY secret"), "ledger_timed_out"),
            (redis_errors.ResponseError("WRONGTYPE secret"), "ledger_foreign_entry"),
            (redis_errors.ResponseError("NEWERROR secret"), "ledger_refused"),
            (redis_errors.ResponseError("secret"), "ledger_refused"),
            (RuntimeError("secret"), "ledger_refused"),
        ],
    )
    def test_each_failure_has_a_code_and_quotes_nothing(self, error: Exception, code: str) -> None:
        """The server is named; its words, which may repeat what was sent, are not."""
        failure = redis_failures.failure_of(error, "ledger:6379/0")
        assert code == failure.code
        assert "ledger:6379/0" in failure.detail
        assert "secret" not in str(failure)

    def test_an_error_without_a_rule_is_named_by_its_code_word(self) -> None:
        """So that the server's manual can be searched for it."""
        error = redis_errors.ResponseError("NEWERROR something")
        assert "NEWERROR" in redis_failures.failure_of(error, "ledger:6379/0").detail


def refused(words: str) -> psycopg.Error:
    """An error as libpq has it of a connection that was refused: without a state."""
    return psycopg.OperationalError(f'connection failed: connection to server at "x", port 1 failed: {words}')


class TestPostgresqlFailures:
    """The server, a pooler in front of it, and the way to them."""

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (psycopg.errors.ReadOnlySqlTransaction("secret"), "ledger_read_only"),
            (psycopg.errors.DiskFull("secret"), "ledger_full"),
            (psycopg.errors.OutOfMemory("secret"), "ledger_full"),
            (psycopg.errors.TooManyConnections("secret"), "ledger_unreachable"),
            (psycopg.errors.InsufficientPrivilege("secret"), "ledger_not_permitted"),
            (psycopg.errors.InvalidSchemaName("secret"), "ledger_schema_missing"),
            (psycopg.errors.UndefinedTable("secret"), "ledger_schema_missing"),
            (psycopg.errors.UndefinedFunction("secret"), "ledger_schema_missing"),
            (psycopg.errors.UndefinedColumn("secret"), "ledger_schema_differs"),
            (psycopg.errors.NotNullViolation("secret"), "ledger_schema_differs"),
            (psycopg.errors.LockNotAvailable("secret"), "ledger_timed_out"),
            (psycopg.errors.QueryCanceled("secret"), "ledger_timed_out"),
            (psycopg.errors.AdminShutdown("secret"), "ledger_unreachable"),
            (psycopg.errors.CannotConnectNow("secret"), "ledger_loading"),
            (psycopg.errors.IoError("secret"), "ledger_io_failed"),
            (psycopg.errors.DataCorrupted("secret"), "ledger_corrupted"),
            (psycopg.errors.FeatureNotSupported("secret"), "ledger_refused"),
            (
                refused('FATAL:  password authentication failed for user "secret"'),
                "ledger_credentials_refused",
            ),
            (refused('FATAL:  no pg_hba.conf entry for host "secret"'), "ledger_credentials_refused"),
            (refused('FATAL:  database "secret" does not exist'), "ledger_database_unknown"),
            (refused("FATAL:  sorry, too many clients already: secret"), "ledger_unreachable"),
            (refused("FATAL:  the database system is starting up: secret"), "ledger_loading"),
            (refused("session is read-only: secret"), "ledger_read_only"),
            (refused("Connection refused: secret"), "ledger_unreachable"),
            (ConnectionResetError("secret"), "ledger_unreachable"),
            (TimeoutError("secret"), "ledger_timed_out"),
            (postgresql_failures.UnreplicatedError("secret"), "ledger_not_replicated"),
        ],
    )
    def test_each_failure_has_a_code_and_quotes_nothing(self, error: Exception, code: str) -> None:
        """The server is named; its words, which may repeat what was sent, are not."""
        failure = postgresql_failures.failure_of(error, "ledger:5432/iton")
        assert code == failure.code
        assert "ledger:5432/iton" in failure.detail
        assert "secret" not in str(failure)

    def test_an_error_without_a_rule_is_named_by_its_state(self) -> None:
        """So that the server's manual can be searched for it."""
        error = psycopg.errors.FeatureNotSupported("x")
        assert "0A000" in postgresql_failures.failure_of(error, "ledger:5432/iton").detail

    @pytest.mark.parametrize(
        ("error", "of_the_store"),
        [
            (psycopg.errors.DiskFull("x"), True),
            (psycopg.OperationalError("x"), True),
            (TimeoutError(), True),
            (psycopg.DataError("a key with a zero byte"), False),
            (ValueError("x"), False),
        ],
    )
    def test_an_entry_that_cannot_be_stored_is_not_the_stores_fault(
        self, error: Exception, *, of_the_store: bool
    ) -> None:
        """The others of its batch are tried again without it."""
        assert of_the_store is postgresql_failures.is_of_the_store(error)
