"""A primary is killed under load and its standby leads: what was acknowledged, and what is still there.

``make failover`` does it ten times each, with real workers as well.
"""

from collections.abc import Callable

import pytest

from tests.contract.ledger_backends import LONG
from tests.support.failover_load import claim_amid_failovers
from tests.support.failover_pairs import PostgresqlPair
from worker.ledger.postgresql.store import PostgresqlLedger


@pytest.mark.slow
class TestFailover:
    """Of a PostgreSQL with a synchronous standby."""

    async def test_nothing_is_lost_and_nothing_doubled(self, figures: Callable[[str, object], None]) -> None:
        """Two workers claim all the time, and go on by themselves at the new primary."""
        with PostgresqlPair(lag=0.01, durable=False) as pair:
            ledgers = [PostgresqlLedger(pair.url, retention=LONG, timeout=2.0) for _ in range(2)]
            counted = await claim_amid_failovers(pair, ledgers, times=1, every=1.0, stall=0.1)
            for ledger in ledgers:
                await ledger.close()
        figures("claims amid a failover of PostgreSQL", counted.words())
        assert (0, 0) == (counted.lost, counted.doubled)
        assert counted.claims > 100
