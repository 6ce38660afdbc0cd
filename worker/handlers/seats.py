"""Who rides in a joint call: each claims its own entry before it and records its own outcome after it."""

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from worker.domain.entry import Entry, MessageIds
from worker.domain.errors import WorkerError
from worker.handlers.ledger_book import Held, LedgerBook

Outcome = MessageIds | WorkerError


class Passenger(Protocol):
    """One job's call, as far as it rides with others. Its ledger entry is its own affair."""

    @property
    def held(self) -> Held:
        """The entry as this worker last wrote or read it."""
        ...

    def claiming(self) -> Entry | None:
        """Return what the entry must say before the call goes out; None where there is nothing to call for.

        It may also say why the call must not go (any more).
        """
        ...

    def claimed(self, held: Held) -> bool:
        """Learn that *claiming* is written, as *held*; tell whether the call may go."""
        ...

    def departs(self) -> bool:
        """Tell, right before the call, whether the claim still holds. If so, the call counts as made."""
        ...

    async def back_out(self) -> None:
        """Take the claim back: nothing was sent."""
        ...

    def answered(self, message_ids: MessageIds) -> Entry:
        """Return what the entry says with the ids of its own recipients, if nobody else has changed it."""
        ...

    def recorded(self, held: Held) -> None:
        """Learn that *answered* is written, as *held*."""
        ...

    async def record(self, outcome: Outcome) -> None:
        """Record the ids of its own recipients, or the error; raise what the attempt ends with."""
        ...


@dataclass(eq=False, slots=True)
class Seat:
    """A passenger and its recipients on their way.

    Attributes:
        ended: when everything about it is recorded; with the error that its job shall hear of.
        gone: its job was cancelled. What is under way for it is finished, nothing new is begun.
    """

    recipients: tuple[str, ...]
    passenger: Passenger
    ended: asyncio.Future[None]
    gone: bool = False

    def end(self, error: BaseException | None = None) -> None:
        """Let the job go on."""
        if self.ended.done():
            return
        if error is None or self.gone:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)


async def claim_all(book: LedgerBook, seats: Sequence[Seat]) -> list[Seat]:
    """Write the claims of all, together; return those who may go. The others have ended."""
    claims: list[tuple[Seat, Entry]] = []
    for seat in seats:
        if seat.gone:
            seat.end()
            continue
        claim = seat.passenger.claiming()
        if claim is None:
            seat.end()
        else:
            claims.append((seat, claim))
    may_go: list[Seat] = []
    written = await book.write_many([(seat.passenger.held, claim) for seat, claim in claims])
    for (seat, _), held in zip(claims, written, strict=True):
        if isinstance(held, Exception):
            seat.end(held)
        elif seat.passenger.claimed(held):
            may_go.append(seat)
        else:
            seat.end()
    return may_go


async def record_all(book: LedgerBook, seats: Sequence[Seat], outcome: Outcome) -> None:
    """Record for each what concerns it of the call's *outcome*; all have ended then."""
    if isinstance(outcome, WorkerError):
        await asyncio.gather(*(_recorded(seat, _told(outcome, seats)) for seat in seats))
        return
    own = [{name: outcome[name] for name in seat.recipients if name in outcome} for seat in seats]
    written = await book.write_many(
        [(seat.passenger.held, seat.passenger.answered(ids)) for seat, ids in zip(seats, own, strict=True)]
    )
    alone = []
    for seat, ids, held in zip(seats, own, written, strict=True):
        if isinstance(held, Exception):
            # Taken over meanwhile, or the store is away: it goes on until its ids are recorded.
            alone.append(_recorded(seat, ids))
        else:
            seat.passenger.recorded(held)
            seat.end()
    if alone:
        await asyncio.gather(*alone)


def _told(error: WorkerError, seats: Sequence[Seat]) -> WorkerError:
    """A copy of *error* for each; where there are several, it shows none the others' numbers."""
    twin = copy.copy(error)
    if len(seats) > 1:
        twin.own_detail = None
    return twin


async def _recorded(seat: Seat, outcome: Outcome) -> None:
    try:
        await seat.passenger.record(outcome)
    except Exception as error:  # noqa: BLE001 - it is raised where the job waits
        seat.end(error)
    else:
        seat.end()
