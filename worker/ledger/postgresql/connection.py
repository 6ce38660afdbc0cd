"""One connection to the server: each exchange is one statement, one round trip, and ends in time."""

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg.errors import Diagnostic

from worker.ledger.postgresql.failures import UnreplicatedError

_TRIPS_TO_CONNECT = 3
_UNSUPPORTED = "unsupported startup parameter"
# A machine that is gone is noticed within a dozen seconds, by statements under way as well.
_KEEPALIVE = {
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

Parameters = Mapping[str, object]


class Connection:
    """A session of the server, or of a pooler in front of it that gives each transaction any of its own.

    So nothing is kept in it: no prepared statement, no setting, no transaction of several statements.
    The server is never asked to cancel: one that waits for its synchronous standby would take that as leave
    to commit without it.

    Args:
        connection: psycopg's, in autocommit mode.
    """

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self._unreplicated = False
        connection.add_notice_handler(self._note)

    @classmethod
    async def open(cls, options: Mapping[str, str], *, limit: float) -> Self:
        """Connect. Raises psycopg.Error, OSError and TimeoutError.

        The server ends a statement of a client that is long gone by itself (``statement_timeout``). A pooler
        that takes no such parameter is asked without: its role's own setting holds there.
        """
        on_server = f"-c statement_timeout={round(limit * 1000)}"
        async with asyncio.timeout(_TRIPS_TO_CONNECT * limit):
            try:
                made = await _connect({**options, "options": on_server})
            except psycopg.OperationalError as error:
                if _UNSUPPORTED not in str(error):
                    raise
                made = await _connect(options)
        return cls(made)

    async def rows(self, statement: str, parameters: Parameters) -> Sequence[tuple[Any, ...]]:
        """Do one statement and return its rows, however long it takes.

        Raises psycopg.Error, UnreplicatedError; a write may have happened then, or not.
        """
        self._unreplicated = False
        cursor = self._connection.cursor(binary=True)
        await cursor.execute(statement, parameters)
        rows: Sequence[tuple[Any, ...]] = await cursor.fetchall()
        if self._unreplicated:
            raise UnreplicatedError
        return rows

    async def run(self, script: str) -> None:
        """Do several statements in one transaction, all or none. Raises as `rows`."""
        await self._connection.execute(script.encode())

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.close()

    def cut(self) -> None:
        """Have the statement under way end at once: it may be done or not."""
        # A copy of the descriptor, so that the connection's own stays its own.
        with (
            suppress(psycopg.Error, OSError),
            socket.socket(fileno=os.dup(self._connection.fileno())) as copy,
        ):
            copy.shutdown(socket.SHUT_RDWR)

    def _note(self, notice: Diagnostic) -> None:
        # PostgreSQL, syncrep.c: it warns after the commit, in the server's language; this name is always so.
        if notice.source_function == "SyncRepWaitForLSN":
            self._unreplicated = True


async def _connect(options: Mapping[str, str]) -> AsyncConnection[Any]:
    parameters = {"connect_timeout": "10", **_KEEPALIVE, **options}
    return await AsyncConnection.connect(
        make_conninfo("", **parameters),
        autocommit=True,
        # A pooler may give the next transaction to a session that has not prepared it.
        prepare_threshold=None,
    )
