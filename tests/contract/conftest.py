"""Stores for the contract tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.contract.ledger_backends import (
    LONG,
    Backend,
    memory_backend,
    postgresql_backend,
    redis_backend,
    sqlite_backend,
)
from tests.support.pgbouncer import Pgbouncer
from tests.support.postgresql_server import PostgresqlServer
from tests.support.redis_server import RedisServer
from worker.ledger.postgresql.schema import script
from worker.ports import LedgerStore


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for all tests that leave it as it is."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """One server, with the schema, for all tests that leave it as it is."""
    with PostgresqlServer() as server:
        server.command(script())
        yield server


@pytest.fixture(scope="session")
def pgbouncer(postgresql_server: PostgresqlServer) -> Iterator[Pgbouncer]:
    """One pooler in front of that server, whose two sessions everybody shares."""
    with Pgbouncer(postgresql_server) as pooler:
        yield pooler


@pytest.fixture(params=["memory", "sqlite", "redis", "postgresql", "pgbouncer"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Each store in turn."""
    if request.param == "memory":
        return memory_backend()
    if request.param == "sqlite":
        return sqlite_backend(tmp_path)
    if request.param in {"postgresql", "pgbouncer"}:
        database: PostgresqlServer | Pgbouncer = request.getfixturevalue(
            {"postgresql": "postgresql_server"}.get(request.param, request.param)
        )
        return postgresql_backend(database.url)
    server: RedisServer = request.getfixturevalue("redis_server")
    return redis_backend(server.url)


@pytest.fixture
async def ledger(backend: Backend) -> AsyncIterator[LedgerStore]:
    """A ledger on an empty store, closed afterwards."""
    opened = backend.open(LONG)
    yield opened
    await opened.close()
