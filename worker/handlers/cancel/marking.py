"""How a send job is stopped, whoever is at it: the mark in its entry, then in those of its parts.

Every claim is a swap of the entry. Once the mark is in it, whoever is about to call loses that race, reads
the entry again and settles what it would have sent to. A job that is not planned yet is planned with the mark
in view, so its parts begin with it. The parts of one that is planned have entries of their own, which are
marked one by one; where a part has none yet, it is made. Killed in between, the request comes again and goes
on.
"""

import asyncio
from dataclasses import dataclass, field, replace

from schemas import CancelStatus
from worker.domain.entry import Entry, Part, Split
from worker.domain.errors import EntryUnusableError
from worker.handlers import parallel
from worker.handlers.send.entries import EntryStore, LostRaceError, Version
from worker.handlers.send.head import keys_of_parts

_MOST_RACES = 50  # in a row for one entry; each was won by somebody at work on it
_AT_ONCE = 50  # parts of a job whose entries are read or written together
_LARGE_AT_ONCE = 2  # large jobs; the plan of one is up to 3 MB, and ten times that in memory


class TargetUnknownError(Exception):
    """There is no entry of a send job with the id."""


@dataclass(frozen=True, slots=True)
class Marking:
    """Stops send jobs. Nothing of a target is kept in memory."""

    entries: EntryStore
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
                        return await self._large_one(target, by)
                return await self._small_one(found, by)
            except LostRaceError:
                continue
        raise _contended()

    async def _small_one(self, found: Version, by: str) -> CancelStatus:
        entry = found.entry
        if isinstance(entry.plan, Part) and entry.cancelled != by and entry.plan.next_call() is None:
            return CancelStatus.TOO_LATE
        await self._marked(found, by)
        return CancelStatus.RECORDED

    async def _large_one(self, target: str, by: str) -> CancelStatus:
        found = await self.entries.load(target)
        if found is None or not isinstance(found.entry.plan, Split):
            raise LostRaceError
        parts = keys_of_parts(target, found.entry)
        # A part without a call can never have one; of the others any may be called for, if only by a replay.
        called = [(key, part) for key, part in parts if part.calls]
        if found.entry.cancelled != by and not await self._any_open(called):
            return CancelStatus.TOO_LATE
        entry = (await self._marked(found, by)).entry

        async def mark(one: tuple[str, Part]) -> None:
            key, part = one
            await self._mark_part(key, Entry(entry.fingerprint, part, entry.revision), by)

        await parallel.each(mark, called, limit=_AT_ONCE)
        return CancelStatus.RECORDED

    async def _any_open(self, parts: list[tuple[str, Part]]) -> bool:
        """Tell whether a part has recipients without an outcome."""

        async def is_open(one: tuple[str, Part]) -> bool:
            found = await self.entries.load(one[0])
            plan = found.entry.plan if found else None
            return not isinstance(plan, Part) or plan.next_call() is not None

        return any(await parallel.each(is_open, parts, limit=_AT_ONCE))

    async def _mark_part(self, key: str, begins: Entry, by: str) -> None:
        for _ in range(_MOST_RACES):
            try:
                await self._marked(await self.entries.load(key) or Version(key, None, begins), by)
            except LostRaceError:
                continue
            return
        raise _contended()

    async def _marked(self, found: Version, by: str) -> Version:
        """See to it that the entry has a mark, and lives for a whole retention from now on."""
        if found.entry.cancelled is None:
            return await self.entries.write(found, replace(found.entry, cancelled=by))
        await self.entries.renew((found.key,))
        return found


def _contended() -> EntryUnusableError:
    return EntryUnusableError("entry_contended", "the entry of the job to stop changes all the time")
