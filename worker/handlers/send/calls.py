"""The one way in which a text goes out: leave to call, claim, call, record.

A call has one member or many: parts of jobs that send the same, each with an entry of its own. The claims of
all are written together, right before the call, and so is what became of it, right after.
"""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from schemas import FailureCode
from worker.domain import sharing
from worker.domain.entry import MessageIds
from worker.domain.errors import OutcomeUncertainError, PermanentError, WorkerError
from worker.domain.sent_ids import SentIds, loose_of
from worker.handlers.send.entries import EntryStore
from worker.handlers.send.part_work import PartWork
from worker.handlers.send.ports import CallOrder
from worker.ports import CallGate, Command, Gateway, Subject

log = structlog.get_logger(__name__)

_SIZE = 10  # numbers; from one size to the next that a gateway may refuse

Choose = Callable[[], Sequence[PartWork]]


@dataclass(frozen=True, slots=True)
class Calls:
    """Makes calls.

    Attributes:
        on_call: told before each for how many members it is.
    """

    gateway: Gateway
    gate: CallGate
    entries: EntryStore
    on_call: Callable[[int], None] = lambda _: None

    def alone(self, work: PartWork) -> Awaitable[object]:
        """Make the call that *work* is at, for it alone; how that ended is in its `failure`."""
        return self.make(work.order, lambda: (work,), work.numbers)

    async def make(self, order: CallOrder, choose: Choose, numbers: Sequence[str] = ()) -> list[PartWork]:
        """Make one call for whom *choose* names once there is leave to make it.

        Each member's `failure` says then why there was no call for it, or how the call failed; None: what it
        brought is recorded, or there was nothing to call for.

        Args:
            order: of any of the members.
            choose: returns the members.
            numbers: to which the call goes, where that is known before.

        Returns:
            Members that are ready again, since the gateway refused all of them, perhaps for one's number.

        Raises:
            WorkerError: there was no leave; nobody was chosen.
        """
        going: list[PartWork] = []
        again: list[PartWork] = []
        try:
            message = order.message
            # What refusals of several such calls may have in common.
            sizes = tuple(range(_SIZE, len(numbers) + 1, _SIZE))
            about = Subject((("sender", message.sender), message.text), numbers, sizes)
            async with self.gate.admit(Command.SEND, urgent=order.urgent, about=about) as leave:
                going = await self._claimed(choose())
                if not going:
                    leave.unused()
                    return []
                self.on_call(len(going))
                try:
                    ids = await self.gateway.send(message, _numbers(going))
                except WorkerError as error:
                    again = await self._failed(going, error)
                    raise
                await self._answered(going, ids)
        except WorkerError as error:
            if not going:
                raise
            tell([member for member in going if member not in again], error)
        return again

    async def _claimed(self, members: Sequence[PartWork]) -> list[PartWork]:
        """Claim for all; return whose claims stand, right before the call."""
        claims = [(member, claim) for member in members if (claim := member.claiming()) is not None]
        written = await self.entries.write_many([(member.record.version, claim) for member, claim in claims])
        going = []
        for (member, _), version in zip(claims, written, strict=True):
            if isinstance(version, Exception):
                member.failure = version
            else:
                member.record.wrote(version)
                if member.claim is not None:
                    going.append(member)
        late = [member for member in going if not member.goes_out()]
        for member in late:
            going.remove(member)
            await _tried(member, member.back_out())
        return going

    async def _answered(self, members: Sequence[PartWork], ids: MessageIds) -> None:
        """Record for each the ids of its own recipients."""
        own = [ids] if len(members) == 1 else [_own(ids, member) for member in members]
        known = [
            (member.record.version, member.answered(said)) for member, said in zip(members, own, strict=True)
        ]
        written = await self.entries.write_many(known)
        slow = []
        for member, said, version in zip(members, own, written, strict=True):
            if isinstance(version, Exception):
                # Taken over meanwhile, or the store is away: it goes on until its ids are recorded.
                slow.append(_tried(member, member.ended(said)))
            else:
                member.record.wrote(version)
        if slow:
            await asyncio.gather(*slow)

    async def _failed(self, members: Sequence[PartWork], error: WorkerError) -> list[PartWork]:
        """Record the failure; return who is to be called for again, in smaller company."""
        if len(members) == 1:
            await _tried(members[0], members[0].ended(error))
            return []
        if not isinstance(error, PermanentError) or not sharing.may_concern_one(error.code):
            twin = _without_numbers(error)
            await asyncio.gather(*(_tried(member, member.ended(twin)) for member in members))
            return []
        if error.names_ids:
            # Somebody was sent to, and nobody can say who: whoever went again might be sent to twice.
            doubt = _in_doubt(error)
            await asyncio.gather(*(_tried(member, member.ended(doubt)) for member in members))
            return []
        log.warning("call.divided", code=error.code, jobs=len(members))
        # Refused means that nothing was sent: each goes again with a claim of its own.
        await asyncio.gather(*(_tried(member, member.back_out()) for member in members))
        return [member for member in members if member.failure is None]


async def _tried(member: PartWork, step: Awaitable[None]) -> None:
    """Do *step*; what it raises is the member's failure."""
    try:
        await step
    except Exception as error:  # noqa: BLE001 - it is raised where the job waits
        member.failure = error


def tell(members: Sequence[PartWork], error: WorkerError) -> None:
    """Let each hear of it that has not failed for a reason of its own; no two share a traceback."""
    for member in members:
        if member.failure is None:
            member.failure = error if len(members) == 1 else _without_numbers(error)


def _without_numbers(error: WorkerError) -> WorkerError:
    """Return a copy that shows none of several jobs the others' numbers."""
    twin = copy.copy(error)
    twin.own_detail = None
    return twin


def _in_doubt(error: PermanentError) -> OutcomeUncertainError:
    """Return what the refusal of a call for several jobs means to each, where its reply has message ids."""
    doubt = OutcomeUncertainError(FailureCode.REPLY_UNREADABLE, error.detail)
    doubt.for_log, doubt.names_ids, doubt.tells_ids = error.for_log, True, True
    return doubt


def _own(ids: MessageIds, member: PartWork) -> MessageIds:
    return SentIds({name: ids[name] for name in member.numbers if name in ids}, loose_of(ids))


def _numbers(members: Sequence[PartWork]) -> tuple[str, ...]:
    if len(members) == 1:
        return members[0].numbers
    return tuple(name for member in members for name in member.numbers)
