"""The ledger's store: one for all workers, which is slow, away or forgetful at will."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from tests.support.checked_ledger import Changes
from tests.worlds.clock import WorldClock
from tests.worlds.file_store import FileEntries
from tests.worlds.loop import Host
from worker.domain.errors import LedgerUnavailableError
from worker.ledger.memory import MemoryLedger
from worker.ports import Stored, Swap

T = TypeVar("T")


class Store:
    """What survives the workers.

    Attributes:
        delay: seconds of each call.
        away: every call fails; a write may have been made all the same.
        seen: the last state of each entry that was ever written.
        changes: of entries, held against the model of the protocol.
        written: when and under which key each state was written.
    """

    def __init__(
        self, clock: WorldClock, chance: Random, retention: float, delay: float, *, in_file: bool = False
    ) -> None:
        self.delay = delay
        self.away = 0
        self.seen: dict[str, bytes] = {}
        self.changes = Changes()
        self.written: list[tuple[float, str, bytes]] = []
        self._clock = clock
        self._chance = chance
        self._entries: FileEntries | MemoryLedger = (FileEntries if in_file else MemoryLedger)(
            retention=retention, clock=clock
        )

    def forget(self) -> None:
        """Lose everything, as a failover to an empty replica does."""
        if isinstance(self._entries, FileEntries):
            self._entries.forget()
        else:
            self._entries._entries.clear()

    def close(self) -> None:
        """Give the file back, where there is one."""
        if isinstance(self._entries, FileEntries):
            self._entries.close()

    async def load(self, key: str) -> Stored | None:
        """Read."""
        return await self._entries.load(key)

    async def swap(self, key: str, expected: str | None, new: Stored) -> bool:
        """Write."""
        before = await self._entries.load(key)
        stands = await self._entries.swap(key, expected=expected, new=new)
        if stands:
            self.seen[key] = new.state
            self.written.append((self._clock.elapsed(), key, new.state))
            # With the same token it is repeated, as its answer was lost.
            if before is None or before.token != new.token:
                self.changes.note(key, before.state if before else None, new.state)
        return stands

    async def renew(self, keys: Sequence[str]) -> list[bool]:
        """Begin the retention of entries anew."""
        return await self._entries.renew(keys)

    def lost(self) -> bool:
        """Whether a write of a store that is away is lost as well."""
        return self._chance.random() < 0.5


class HostLedger(MemoryLedger):
    """One worker's way to the store."""

    def __init__(self, store: Store, host: Host, clock: WorldClock) -> None:
        super().__init__(retention=1, clock=clock)
        self._store = store
        self._host = host
        self.on_write: Callable[[str], None] = lambda _: None

    async def load(self, key: str) -> Stored | None:
        """Return the entry, or None."""
        await self._way()
        self._refuse()
        found = await self._store.load(key)
        await self._way()
        return found

    async def swap(self, key: str, *, expected: str | None, new: Stored) -> bool:
        """Write, and tell if it stands."""
        answer = (await self.swap_many([Swap(key, expected, new)]))[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def swap_many(self, swaps: Sequence[Swap]) -> list[bool | Exception]:
        """Do each."""
        await self._way()
        self.on_write("before")
        await self._still_there()
        answers: list[bool | Exception] = []
        for one in swaps:
            if self._store.away and self._store.lost():
                answers.append(_away())
                continue
            stands = await self._store.swap(one.key, one.expected, one.new)
            answers.append(_away() if self._store.away else stands)
        self.on_write("after")
        await self._still_there()
        await self._way()
        return answers

    async def renew(self, keys: Sequence[str]) -> list[bool]:
        """Begin the retention of entries anew; tell of which."""
        await self._way()
        self._refuse()
        return await self._store.renew(keys)

    async def check(self) -> None:
        """Prove that it can be written."""
        await self._way()
        self._refuse()

    async def entries(self) -> int | None:
        """Nobody knows."""
        return None

    async def close(self) -> None:
        """Leave the store as it is."""

    async def _way(self) -> None:
        await asyncio.sleep(self._store.delay / 2)

    async def _still_there(self) -> None:
        """Go no further on a host that has just been killed."""
        if not self._host.alive:
            await asyncio.get_running_loop().create_future()

    def _refuse(self) -> None:
        if self._store.away:
            raise _away()


def _away() -> LedgerUnavailableError:
    return LedgerUnavailableError("ledger_unavailable", "the store of the world is away")
