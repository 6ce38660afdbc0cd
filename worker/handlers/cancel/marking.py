"""How a send job is stopped, whoever is at it: the mark in its entry, then in those of its parts.

Every claim is a swap of the entry. Once the mark is in it, whoever is about to call loses that race, reads
the entry again and settles what it would have sent to. A job that is not planned yet is planned with the mark
in view, so its parts begin with it. The parts of one that is planned have entries of their own, which are
marked one by one; where a part has none yet, it is made. Killed in between, the request comes again and goes
on.

A claim that was made before the mark may be followed by its call a moment later. The request is answered once
such a call has ended, or its claim is so old that none follows it any more.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from schemas import CancelStatus
from worker.domain.entry import CallState, Entry, Part, Split
from worker.domain.errors import EntryUnusableError
from worker.handlers import parallel
from worker.handlers.entries import LostRaceError, Version
from worker.handlers.send.entries import EntryStore
from worker.handlers.send.head import keys_of_parts
from worker.ports import Clock

_MOST_RACES = 50  # in a row for one entry; each was won by somebody at work on it
_AT_ONCE = 50  # parts of a job whose entries are read or written together
# Seconds between two looks at calls under way, growing: most end soon, and there may be hundreds.
_FIRST_LOOK, _LONGEST_LOOK = 0.05, 0.5
_LARGE_AT_ONCE = 2  # large jobs; the plan of one is up to 3 MB, and ten times that in memory


class TargetUnknownError(Exception):
    """There is no entry of a send job with the id."""


@dataclass(frozen=True, slots=True)
class Marking:
    """Stops send jobs. Nothing of a target is kept in memory.

    Attributes:
        store_time: seconds since the epoch by the ledger's clock, which all workers share.
        margin: seconds after its claim in which a call may still begin.
    """

    entries: EntryStore
    clock: Clock
    store_time: Callable[[], float]
    margin: float
    _large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_LARGE_AT_ONCE))

    async def announced(self, target: str, by: str) -> bool:
        """Mark a job that has not come yet; tell whether it still had not.

        Raises:
            LedgerUnavailableError: the store is away.
        """
        try:
            await self.entries.write(Version(target, None, Entry("")), Entry("", cancelled=by))
        except LostRaceError:
            return False
        return True

    async def stopped(self, target: str, by: str) -> CancelStatus:
        """Stop a job that is known.

        Args:
            target: its id.
            by: the request's own id. A mark that has it was made before the request was interrupted.

        Raises:
            TargetUnknownError: there is no such job.
            LedgerUnavailableError: the store is away.
            EntryUnusableError: the job's entry cannot be read, or changes all the time.
        """
        for _ in range(_MOST_RACES):
            found = await self.entries.load(target)
            if found is None:
                raise TargetUnknownError
            try:
                if isinstance(found.entry.plan, Split):
                    del found  # whoever waits here holds no plan
                    async with self._large:
                        marked = await self._large_one(target, by)
                else:
                    marked = await self._small_one(found, by)
            except LostRaceError:
                continue
            if marked is None:
                return CancelStatus.TOO_LATE
            await self._until_left(marked)
            return CancelStatus.RECORDED
        raise _contended()

    async def _small_one(self, found: Version[Entry], by: str) -> list[str] | None:
        """Mark the entry; return its key where a call may still leave, None where it is too late."""
        entry = found.entry
        if isinstance(entry.plan, Part) and entry.cancelled != by and entry.plan.next_call() is None:
            return None
        return self._may_leave([await self._marked(found, by)])

    async def _large_one(self, target: str, by: str) -> list[str] | None:
        """The same of a job and its parts."""
        found = await self.entries.load(target)
        if found is None or not isinstance(found.entry.plan, Split):
            raise LostRaceError
        parts = keys_of_parts(target, found.entry)
        # A part without a call can never have one; of the others any may be called for, if only by a replay.
        called = [(key, part) for key, part in parts if part.calls]
        if found.entry.cancelled != by and not await self._any_open(called):
            return None
        entry = (await self._marked(found, by)).entry

        async def mark(one: tuple[str, Part]) -> Version[Entry]:
            key, part = one
            return await self._mark_part(key, Entry(entry.fingerprint, part, entry.revision), by)

        return self._may_leave(await parallel.each(mark, called, limit=_AT_ONCE))

    async def _any_open(self, parts: list[tuple[str, Part]]) -> bool:
        """Tell whether a part has recipients without an outcome."""

        async def is_open(one: tuple[str, Part]) -> bool:
            found = await self.entries.load(one[0])
            plan = found.entry.plan if found else None
            return not isinstance(plan, Part) or plan.next_call() is not None

        return any(await parallel.each(is_open, parts, limit=_AT_ONCE))

    async def _until_left(self, keys: list[str]) -> None:
        """Return when no call follows any more from a claim that was made before the mark."""
        until, pause = self.clock.elapsed() + self.margin, _FIRST_LOOK
        while keys and self.clock.elapsed() < until:
            await self.clock.sleep(min(pause, until - self.clock.elapsed()))
            pause = min(2 * pause, _LONGEST_LOOK)
            found = await parallel.each(self.entries.load, keys, limit=_AT_ONCE)
            keys = self._may_leave(found)

    def _may_leave(self, entries: Sequence[Version[Entry] | None]) -> list[str]:
        """Return the keys of those in which a call is claimed that may not have left yet."""
        return [one.key for one in entries if one is not None and self._has_fresh_claim(one.entry)]

    def _has_fresh_claim(self, entry: Entry) -> bool:
        calls = entry.plan.calls if isinstance(entry.plan, Part) else ()
        now = self.store_time()
        return any(call.state is CallState.CALLING and now - call.started <= self.margin for call in calls)

    async def _mark_part(self, key: str, begins: Entry, by: str) -> Version[Entry]:
        for _ in range(_MOST_RACES):
            try:
                return await self._marked(await self.entries.load(key) or Version(key, None, begins), by)
            except LostRaceError:
                continue
        raise _contended()

    async def _marked(self, found: Version[Entry], by: str) -> Version[Entry]:
        """See to it that the entry has a mark, and lives for a whole retention from now on."""
        if found.entry.cancelled is None:
            return await self.entries.write(found, replace(found.entry, cancelled=by))
        await self.entries.renew((found.key,))
        return found


def _contended() -> EntryUnusableError:
    return EntryUnusableError("entry_contended", "the entry of the job to stop changes all the time")
