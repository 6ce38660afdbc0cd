"""Which URL opens which ledger."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.ledger_backends import SteppedClock
from worker.ledger import AnyLedger, MemoryLedger, SqliteLedger, open_ledger
from worker.ledger.postgresql.store import PostgresqlLedger
from worker.ledger.redis import RedisLedger

PASSWORD = "s3cret-p4ss"


def opened(url: str) -> AnyLedger:
    """Open *url*; nothing is touched before the first use."""
    return open_ledger(url, retention=60, clock=SteppedClock())


class TestAcceptedUrls:
    """Spellings that work."""

    @pytest.mark.parametrize("url", ["memory://", "memory:///", "MEMORY://"])
    def test_memory(self, url: str) -> None:
        """For trials."""
        assert isinstance(opened(url), MemoryLedger)

    @pytest.mark.parametrize(
        ("url", "path"),
        [
            ("sqlite:///ledger.db", Path.cwd() / "ledger.db"),
            ("sqlite:///state/ledger.db", Path.cwd() / "state/ledger.db"),
            ("sqlite:////var/lib/iton/ledger.db", Path("/var/lib/iton/ledger.db")),
            ("sqlite:////srv/a%20b/#1.db", Path("/srv/a%20b/#1.db")),
        ],
    )
    def test_sqlite_paths_are_read_as_sqlalchemy_does(self, url: str, path: Path) -> None:
        """Three slashes and a relative path, four and an absolute one; nothing is decoded."""
        ledger = opened(url)
        assert isinstance(ledger, SqliteLedger)
        assert repr(ledger) == f"SqliteLedger({str(path)!r})"

    @pytest.mark.parametrize(
        ("url", "place"),
        [
            ("redis://localhost", "localhost:6379/0"),
            ("redis://ledger:7000/3", "ledger:7000/3"),
            (f"redis://:{PASSWORD}@ledger/1", "ledger:6379/1"),
            (f"rediss://worker:{PASSWORD}@ledger:6380/2?ssl_cert_reqs=required", "ledger:6380/2"),
            (f"redis://:{PASSWORD}%2F%40%23@ledger:6380/", "ledger:6380/0"),
            ("redis://[::1]:6379/0", "::1:6379/0"),
            (f"unix://:{PASSWORD}@/run/redis.sock?db=2", "/run/redis.sock (database 2)"),
        ],
    )
    async def test_redis_addresses_are_shown_without_the_password(self, url: str, place: str) -> None:
        """TCP, TLS and sockets."""
        ledger = opened(url)
        assert isinstance(ledger, RedisLedger)
        assert repr(ledger) == f"RedisLedger({place!r})"
        await ledger.close()

    @pytest.mark.parametrize(
        ("url", "place"),
        [
            ("postgresql://ledger/iton", "ledger:5432/iton"),
            (f"POSTGRESQL://worker:{PASSWORD}@ledger:6432/iton", "ledger:6432/iton"),
            (
                f"postgresql://w:{PASSWORD}%2F%40@one,two:7000/iton?sslmode=verify-full",
                "one:5432,two:7000/iton",
            ),
            ("postgresql://[::1]:5433/iton", "::1:5433/iton"),
            ("postgresql:///iton?host=/run/postgresql", "/run/postgresql:5432/iton"),
            ("postgresql://%2Frun%2Fpostgresql/a%20b", "/run/postgresql:5432/a b"),
        ],
    )
    async def test_postgresql_addresses_are_shown_without_the_password(self, url: str, place: str) -> None:
        """TCP, TLS and sockets, one host or several."""
        ledger = opened(url)
        assert isinstance(ledger, PostgresqlLedger)
        assert repr(ledger) == f"PostgresqlLedger({place!r})"
        await ledger.close()


class TestRefusedUrls:
    """Slips end in a sentence that says what is accepted, not in another store."""

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("", "not the URL of a ledger"),
            ("ledger.db", "not the URL of a ledger"),
            (f"postgres://u:{PASSWORD}@host/db", "sqlite:///relative.db"),
            (f"memory://{PASSWORD}", "memory://"),
            ("sqlite://", "three slashes"),
            ("sqlite://ledger.db", "three slashes"),
            ("sqlite:///", "needs the path"),
            ("sqlite:///:memory:", "memory://"),
            ("sqlite:///ledger.db?mode=ro", "nothing behind it"),
            ("sqlite:////var/lib/iton/", "path of a file"),
            (f"redis://:{PASSWORD}@ledger/one", "not a number"),
            (f"redis://:{PASSWORD}@ledger:port/0", "percent-encoded"),
            (f"redis://:{PASSWORD}/x@ledger:6379/0", "percent-encoded"),
            (f"redis://:{PASSWORD}@ledger:6379/0/1", "not a number"),
            (f"redis://:{PASSWORD}@/0", "names no host"),
            (f"redis://:{PASSWORD}@ledger/0?decode_responses=true", "decode_responses"),
            (f"redis://:{PASSWORD}@ledger/?db=one", "cannot be read"),
            (f"redis://:{PASSWORD}@ledger/?wait_replicas=all", "no number from 0 to 9"),
            (f"redis://:{PASSWORD}@[ledger/0", "cannot be read"),
            (f"unix://:{PASSWORD}@", "names no socket"),
            (f"postgresql://u:{PASSWORD}@/iton", "names no host"),
            (f"postgresql://u:{PASSWORD}@one,,two/iton", "names no host"),
            (f"postgresql://u:{PASSWORD}@ledger", "names no database"),
            (f"postgresql://u:{PASSWORD}@ledger/", "names no database"),
            (f"postgresql://u:{PASSWORD}@ledger:port/iton", "names no host"),
            (f"postgresql://u:{PASSWORD}@ledger:70000/iton", "port that is none"),
            (f"postgresql://u:{PASSWORD}@x@ledger/iton", "percent-encoded"),
            (f"postgresql://u:{PASSWORD}/x@ledger/iton", "percent-encoded"),
            (f"postgresql://u:{PASSWORD}%@ledger/iton", "percent-encoded"),
            (f"postgresql://u:{PASSWORD}@ledger/iton?ssl_mode=require", "ssl_mode"),
            (f"postgresql://u:{PASSWORD}@ledger/iton?sslmode=verify", "verify-full"),
            (f"postgresql://u:{PASSWORD}@ledger/iton?target_session_attrs=any", "read-write"),
            (f"postgresql://u:{PASSWORD}@ledger/iton?sslmode=require&sslmode=disable", "twice"),
            (f"postgresql://u:{PASSWORD}@ledger/iton?host=elsewhere", "directory of a socket"),
        ],
    )
    def test_a_wrong_url_is_refused_without_quoting_it(self, url: str, words: str) -> None:
        """Neither the text nor the chain of the error has the password."""
        with pytest.raises(ValueError, match=r"\w") as caught:
            opened(url)
        assert words in str(caught.value)
        assert PASSWORD not in str(caught.value)
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)


class TestWeight:
    """What is loaded for whom."""

    def test_without_a_server_its_client_library_is_not_loaded(self) -> None:
        """That of Redis takes 10 MB in each process, that of PostgreSQL 13."""
        code = (
            "import sys, worker.bootstrap.process; sys.exit(bool({'redis', 'psycopg'} & sys.modules.keys()))"
        )
        assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
