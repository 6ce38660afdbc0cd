"""A token bucket that a whole fleet shares: the rate limit, exact over all workers."""

from collections.abc import Awaitable
from typing import Any, Protocol

from worker.ledger.postgresql.lanes import Work
from worker.ledger.postgresql.statements import Statements


class Ask(Protocol):
    """Has work done on the server, together with what others ask of it."""

    def __call__(self, work: Work, what: object) -> Awaitable[Any]:
        """Return the work's answer; errors as the ledger's port."""
        ...


class PostgresqlTokens:
    """Implements ``worker.ports.TokenSource`` beside the ledger, on its connections.

    The bucket is a row of an unlogged table, counted by the server's clock, which all share. Those who ask
    at the same time are served by one statement. After a crash or a failover of the server the bucket is
    full, as it is at first.

    Args:
        ask: the ledger's.
        statements: of the deployment.
        rate: calls a second of the whole fleet.
    """

    def __init__(self, ask: Ask, statements: Statements, rate: float) -> None:
        self._ask = ask
        self._take = statements.take
        self._bucket = (rate, max(rate, 1.0))

    async def take(self) -> float:
        """Take a token and return 0, else the seconds until there may be one."""
        wait: float = await self._ask(self._take, self._bucket)
        return wait
