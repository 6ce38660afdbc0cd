"""A part's entry in this worker's hands, and the one place that owns what the gateway answered.

From the moment of the answer until it is in the ledger, `PartRecord.unrecorded` holds it. Nothing that the
ledger says or lacks gets it out of there but a write that stands: an entry that is gone, or older than what
is known here, is written anew; a ledger that is away is waited for; where the entry is not this job's any
more, or cannot be read, `UnrecordedError` has the result published from memory.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import structlog

from worker.domain.entry import Call, CallState, Entry, Part
from worker.domain.errors import EntryUnusableError, LedgerUnavailableError
from worker.domain.merging import merged, with_ids
from worker.handlers.entries import EntryUnreadableError, LostRaceError, Version
from worker.handlers.send.ports import SendPorts

log = structlog.get_logger(__name__)

T = TypeVar("T")

Change = Callable[[Entry, int], Entry]

# Seconds between two tries to reach a ledger that is away, growing: every job in hand may be at it.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 4.0


class UnrecordedError(Exception):
    """What this worker knows of its part cannot be in the ledger: publish it from memory."""


class PartRecord:
    """Writes what becomes of a part.

    Args:
        ports: the collaborators.
        version: the entry, with its plan.
        unwritten: the plan is in memory only; the first write stores it.

    Attributes:
        version: the entry as last written or read.
        part: its plan.
        unwritten: as above.
        unrecorded: what is known after a call and not in the ledger yet; None while that is nothing.
        late: a reply came after another worker had taken its call over. That worker may have published
            and acknowledged by now, so nobody but this one is left to publish the ids.
        is_patient: it waits for a ledger that is away.
    """

    def __init__(self, ports: SendPorts, version: Version[Entry], *, unwritten: bool) -> None:
        self._ports = ports
        self.version = version
        self.part = version.entry.part
        self.unwritten = unwritten
        self.unrecorded: Entry | None = None
        self.late = False
        self.is_patient = False
        self._settling = False
        self._stood = False  # the call was there as it had been begun, whatever else had changed

    @property
    def must_stay(self) -> bool:
        """Whether this worker holds what a store that forgets could not tell anybody else."""
        return self.unrecorded is not None or self.late or with_ids(self.version.entry) > 0

    async def write(self, entry: Entry) -> None:
        """Replace the entry as last seen.

        Raises:
            LostRaceError: somebody else has changed it.
            LedgerUnavailableError: the store is away.
        """
        self.wrote(await self._ports.entries.write(self.version, entry))

    def wrote(self, version: Version[Entry]) -> None:
        """The entry is in the ledger as *version*."""
        self.version, self.part = version, version.entry.part
        self.unwritten, self.unrecorded = False, None

    def knows(self, index: int, change: Change) -> Entry:
        """Own what is known of call *index* from here on; return what the entry shall say."""
        known = change(self.version.entry, index)
        if known.part.calls[index].state is CallState.DONE:
            self.unrecorded = known
        return known

    async def settle(self, index: int, change: Change) -> None:
        """Record what became of call *index*, whatever the ledger says or lacks.

        Args:
            index: of the call, in the entry as last seen.
            change: makes of an entry and the call's index in it what the entry shall say.

        Raises:
            UnrecordedError: it cannot be recorded, ever.
            LostRaceError: the same of a call that did not go out; the entry is not this part's any more.
        """
        begun = self.part.calls[index]
        known = self.knows(index, change)
        self._settling = True
        try:
            if not await self._stands(self.version, known):
                await self._agree(known, lambda found: self._ended(found, begun, change, known))
        finally:
            self._settling = False

    async def catch_up(self) -> None:
        """Read the entry again after a lost race; what it lacks of what is known here is written.

        Raises:
            LostRaceError: it is not this part's any more, or not planned yet: whoever planned it must look
                again.
            LedgerUnavailableError, UnavailableError: it cannot be read, and nothing would be lost with it.
            UnrecordedError: as `settle`.
        """
        known = self.unrecorded or self.version.entry
        await self._agree(known, lambda found: merged(found, known))

    async def stay(self) -> None:
        """See to it that the ledger has what is known, before the job leaves this worker unfinished."""
        if self.must_stay:
            await self.catch_up()

    async def patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        """Wait for a ledger that is away."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await step()
            except LedgerUnavailableError:
                self._ports.gate.ledger_failed()
                self.is_patient = True
                try:
                    await self._ports.clock.sleep(pause)
                finally:
                    self.is_patient = False
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _tried(self, step: Callable[[], Awaitable[T]]) -> T:
        """Do *step*, patiently where something would be lost otherwise."""
        return await (self.patiently(step) if self._settling or self.must_stay else step())

    async def _agree(self, known: Entry, join: Callable[[Entry], Entry | None]) -> None:
        """Have the ledger hold *known*, joined to what it says by now."""
        self._stood = False
        while True:
            found = await self._look(known)
            lacks = found.entry is known
            entry = known if lacks else join(found.entry)
            if entry is None or not isinstance(entry.plan, Part):
                raise self._given_up("the entry is another job's", known)
            if entry == found.entry and not lacks:
                return self.wrote(found)
            if await self._stands(found, entry):
                return self._tell(known, lacks=lacks)

    async def _look(self, known: Entry) -> Version[Entry]:
        """Read the entry. Where there is none, or one that nobody can read, *known* itself is returned."""
        key, entries = self.version.key, self._ports.entries
        try:
            return await self._tried(lambda: entries.load(key)) or Version(key, None, known)
        except EntryUnreadableError as error:
            if not self.must_stay:
                raise
            if not error.is_newer:
                return Version(key, error.token, known)
            # It may say of this part what nobody here can read.
            raise self._given_up(error.detail, replace(known, revision=known.revision + 1)) from None
        except EntryUnusableError as error:
            if not self.must_stay:
                raise
            raise self._given_up(error.detail, known) from None

    async def _stands(self, version: Version[Entry], entry: Entry) -> bool:
        """Write, or learn that somebody else was first."""
        entries = self._ports.entries
        try:
            self.wrote(await self._tried(lambda: entries.write(version, entry)))
        except LostRaceError:
            return False
        except EntryUnusableError as error:
            if not self.must_stay:
                raise
            raise self._given_up(error.detail, entry) from None
        return True

    def _ended(self, found: Entry, begun: Call, change: Change, known: Entry) -> Entry | None:
        still = found.plan.still_at(begun) if isinstance(found.plan, Part) else None
        self._stood = still is not None and found.fingerprint == known.fingerprint
        if still is not None and self._stood:
            return change(found, still)  # late ids of an earlier call came to it, or a cancellation's mark
        entry = merged(found, known)
        self.late = self.late or entry != found
        return entry

    def _given_up(self, why: str, known: Entry) -> Exception:
        if not self.must_stay:
            return LostRaceError()
        self.unrecorded = known
        return UnrecordedError(why)

    def _tell(self, known: Entry, *, lacks: bool) -> None:
        if lacks or not self.late:
            # A plan that met an entry without one, another delivery's or a cancellation's, restores nothing.
            if lacks or (not self._stood and any(call.attempts for call in known.part.calls)):
                log.warning("entry.restored", job=self.version.key)
            return
        log.warning("reply.late", job=self.version.key, recipients=with_ids(known))
        self._ports.observer.revised()
