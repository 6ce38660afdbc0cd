"""What a soak reads of the ledger's changes from the store itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.transitions import check
from tests.soak import entry_history
from tests.support.fakes import FakeClock
from tests.support.redis_server import RedisServer
from worker.domain.entry import Call, Entry, Part, begin, release
from worker.domain.entry_codec import encode
from worker.ledger import SqliteLedger
from worker.ledger.redis import RedisLedger
from worker.ports import LedgerStore, Stored

BEGUN = begin(Entry("f", Part(("1",), calls=(Call(("1",)),))), 0, started=1.0)
BACK = release(BEGUN, 0, went_out=False)


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, LedgerStore]]:
    """Provide the URL of each kind of store, and a ledger on it."""
    if request.param == "sqlite":
        path = tmp_path / "ledger.db"
        yield f"sqlite:///{path}", SqliteLedger(path, retention=3600, clock=FakeClock())
        return
    with RedisServer(tmp_path / "redis") as server:
        yield server.url, RedisLedger(server.url, retention=3600, prefix="soak")


class TestHistory:
    """A claim and its release."""

    async def test_each_change_is_seen_with_what_was_there_before(
        self, store: tuple[str, LedgerStore]
    ) -> None:
        """In the order in which they were made."""
        url, ledger = store
        await ledger.check()
        entry_history.begin(url)
        assert await ledger.swap("job", expected=None, new=Stored("t1", encode(BEGUN)))
        assert not await ledger.swap("job", expected=None, new=Stored("t2", encode(BACK)))
        assert await ledger.swap("job", expected="t1", new=Stored("t3", encode(BACK)))
        await ledger.close()
        seen = entry_history.changes(url, "soak")
        assert (check(None, BEGUN) + check(BEGUN, BACK), []) == (seen.made, seen.wrong)
