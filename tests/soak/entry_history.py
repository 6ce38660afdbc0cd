"""Every change that a soak made in the ledger, from the store itself: no worker is asked.

SQLite and PostgreSQL keep it by triggers of ours in the soak's database, Redis in its append-only file.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import psycopg
from redis import Redis

from tests.support.checked_ledger import Changes

Change = tuple[str, bytes | None, bytes]

_TRIGGERS = """
CREATE TABLE soak_history (id INTEGER PRIMARY KEY, key TEXT, before BLOB, after BLOB);
CREATE TRIGGER soak_inserted AFTER INSERT ON entries
    BEGIN INSERT INTO soak_history (key, after) VALUES (new.key, new.state); END;
CREATE TRIGGER soak_updated AFTER UPDATE OF state ON entries
    BEGIN INSERT INTO soak_history (key, before, after) VALUES (new.key, old.state, new.state); END;
"""


_TRIGGERS_OF_POSTGRESQL = """
CREATE TABLE soak_history (id bigserial PRIMARY KEY, prefix text, key text, before bytea, after bytea);
CREATE FUNCTION soak_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO soak_history (prefix, key, after) VALUES (new.prefix, new.key, new.state);
    ELSIF old.token <> new.token THEN
        INSERT INTO soak_history (prefix, key, before, after)
        VALUES (new.prefix, new.key, old.state, new.state);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER soak_changed AFTER INSERT OR UPDATE ON iton_worker.entries
    FOR EACH ROW EXECUTE FUNCTION soak_note();
"""


def begin(ledger_url: str) -> None:
    """Have the store keep its history from here on; a worker has made it by now."""
    if ledger_url.startswith("postgresql"):
        with psycopg.connect(ledger_url, target_session_attrs="read-write") as database:
            database.execute(_TRIGGERS_OF_POSTGRESQL)
    elif not ledger_url.startswith("redis"):
        with closing(sqlite3.connect(_path(ledger_url), timeout=30)) as connection:
            connection.executescript(_TRIGGERS)


def changes(ledger_url: str, prefix: str) -> Changes:
    """Hold what was changed since then against the model of the protocol."""
    found = Changes()
    for key, before, after in _history(ledger_url, prefix):
        found.note(key, before, after)
    return found


def _history(ledger_url: str, prefix: str) -> Iterator[Change]:
    if ledger_url.startswith("postgresql"):
        return _of_postgresql(ledger_url, prefix)
    return _of_redis(ledger_url, prefix) if ledger_url.startswith("redis") else _of_sqlite(ledger_url)


def _path(ledger_url: str) -> str:
    return ledger_url.removeprefix("sqlite:///")


def _of_sqlite(ledger_url: str) -> Iterator[Change]:
    with closing(sqlite3.connect(_path(ledger_url), timeout=30)) as connection:
        yield from connection.execute("SELECT key, before, after FROM soak_history ORDER BY id")


def _of_postgresql(ledger_url: str, prefix: str) -> Iterator[Change]:
    asked = "SELECT key, before, after FROM soak_history WHERE prefix = %s ORDER BY id"
    with psycopg.connect(ledger_url, target_session_attrs="read-write") as database:
        yield from database.execute(asked, [prefix])


def _of_redis(ledger_url: str, prefix: str) -> Iterator[Change]:
    """Read what the server wrote down: its commands in their order."""
    start = f"{prefix}:ledger:".encode()
    states: dict[str, bytes] = {}
    for words in _commands(_append_only_files(ledger_url)):
        if words[0].upper() == b"SET" and words[1].startswith(start):
            key = words[1].removeprefix(start).decode()
            length, _, rest = words[2].partition(b":")
            after = rest[int(length) :]
            yield key, states.get(key), after
            states[key] = after


def _append_only_files(ledger_url: str) -> list[Path]:
    with closing(Redis.from_url(ledger_url)) as client:
        said = cast("dict[str, str]", client.config_get("dir", "appenddirname"))
    return sorted((Path(said["dir"]) / said["appenddirname"]).glob("*.incr.aof"))


def _commands(files: list[Path]) -> Iterator[list[bytes]]:
    for path in files:
        with path.open("rb") as file:
            while (head := file.readline()).startswith(b"*"):
                yield [file.read(int(file.readline()[1:]) + 2)[:-2] for _ in range(int(head[1:]))]
