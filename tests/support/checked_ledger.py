"""A ledger that holds every swap against the model of the protocol."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from proof.transitions import NotInModelError, check_states
from proof.units import check_unit_states
from worker.domain.api_entry import api_key
from worker.domain.cancel_request import cancel_key
from worker.domain.tracking import is_tracking_key
from worker.ports import LedgerStore, Stored, Swap

_OTHER_KINDS = (api_key(""), cancel_key(""))


@dataclass(slots=True)
class Changes:
    """What was seen: how often each change of the model was made, and what is none of them."""

    made: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def note(self, key: str, before: bytes | None, after: bytes) -> None:
        """Take one change of the entry under *key* into account."""
        if key.startswith(_OTHER_KINDS):
            self.made["of other kinds of jobs"] += 1  # the model is one of send jobs
            return
        try:
            if not is_tracking_key(key):
                self.made += check_states(before, after)
            elif name := check_unit_states(before, after):
                self.made[f"{name} of tracked messages"] += 1
        except NotInModelError as error:
            self.wrong.append(f"{key}: {error}")

    def taken(self) -> "Changes":
        """Return what was noted, and begin anew."""
        taken = Changes(self.made, self.wrong)
        self.made, self.wrong = Counter(), []
        return taken

    def words(self) -> str:
        """Return the counts in words."""
        return ", ".join(f"{name} {count:,}" for name, count in self.made.most_common()) or "none"


EVERYBODY = Changes()  # of this process, for whoever has no reason to keep its own


class CheckedLedger:
    """Passes everything on, and notes each swap that stands.

    A token names one version of an entry, so what was read or written under it tells what a swap replaces.

    Args:
        inner: the ledger.
        changes: where to note.
    """

    def __init__(self, inner: LedgerStore, changes: Changes = EVERYBODY) -> None:
        self._inner = inner
        self._changes = changes
        self._states: dict[str, bytes] = {}

    async def load(self, key: str) -> Stored | None:
        """Return the entry, or None."""
        stored = await self._inner.load(key)
        if stored:
            self._states[stored.token] = stored.state
        return stored

    async def swap(self, key: str, *, expected: str | None, new: Stored) -> bool:
        """Write by compare-and-swap."""
        stands = await self._inner.swap(key, expected=expected, new=new)
        if stands:
            self._note(Swap(key, expected, new))
        return stands

    async def swap_many(self, swaps: Sequence[Swap]) -> Sequence[bool | Exception]:
        """Do each."""
        answers = await self._inner.swap_many(swaps)
        for swap, answer in zip(swaps, answers, strict=True):
            if answer is True:
                self._note(swap)
        return answers

    async def renew(self, keys: Sequence[str]) -> Sequence[bool]:
        """Have entries live on."""
        return await self._inner.renew(keys)

    async def check(self) -> float | None:
        """Prove that it is there."""
        return await self._inner.check()

    async def close(self) -> None:
        """Release the store."""
        await self._inner.close()

    def _note(self, swap: Swap) -> None:
        if swap.new.token in self._states:
            return  # repeated, as its answer was lost
        self._states[swap.new.token] = swap.new.state
        before = self._states.get(swap.expected) if swap.expected else None
        if before is not None or swap.expected is None:
            self._changes.note(swap.key, before, swap.new.state)
