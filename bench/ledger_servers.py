"""Redis and PostgreSQL for workers whose ledger is in one, both committing to the disk.

``python -m bench.ledger_servers DIRECTORY``, by the worker's own interpreter, which has their clients, starts
both, writes their URLs on a line of JSON, and ends when its input does.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.systems import PROGRAMS, ROOT, System

_PYTHON = ROOT / PROGRAMS / "python"
_START_LIMIT = 60


@contextmanager
def ledger_servers(systems: Iterable[System], folder: Path) -> Iterator[Mapping[str, str]]:
    """Provide the URLs of the servers by their kind; none run where no system asks for one."""
    if not any(system.ledger for system in systems):
        yield {}
        return
    command: list[str | Path] = [_PYTHON, "-m", "bench.ledger_servers", folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as servers:
        if servers.stdin is None or servers.stdout is None:
            raise RuntimeError("the servers of the ledgers have no pipes")
        try:
            yield json.loads(servers.stdout.readline())
        finally:
            servers.stdin.close()
            servers.wait(_START_LIMIT)


def main(folder: Path) -> None:
    """Run both until the input ends."""
    from tests.support.postgresql_server import PostgresqlServer  # noqa: PLC0415 - of the worker's environment
    from tests.support.redis_server import RedisServer  # noqa: PLC0415 - as above

    with RedisServer(folder / "redis") as redis, PostgresqlServer(durable=True) as postgresql:
        print(json.dumps({"Redis": redis.url, "PostgreSQL": postgresql.url}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
