"""Moving a ledger to another store, entry by entry, so that it may be interrupted and repeated."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from worker.client.access import BrokerAccess, visit
from worker.client.passive import consumers_of, is_prefix_right
from worker.domain.errors import WorkerError
from worker.domain.messages import Lane
from worker.ports import LedgerStore, Stored, Swap


class Store(LedgerStore, Protocol):
    """A ledger whose entries can be listed."""

    def pages(self) -> AsyncGenerator[Sequence[tuple[str, Stored]]]:
        """Yield all entries that live, some at a time, perhaps one twice; nobody may write meanwhile."""
        ...

    async def used_elsewhere(self) -> bool:
        """Tell whether another process uses it, as far as the store knows. Before the first use of it."""
        ...


class MoveError(WorkerError):
    """The ledger was not moved, or not whole."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move did.

    Attributes:
        entries: that the old store has, and now the new one as well.
    """

    entries: int


async def insist_on_no_worker(access: BrokerAccess) -> None:
    """Return if nobody consumes jobs.

    Raises:
        MoveError: a worker does, or there is no queue that one could consume.
        BrokerUnavailableError: nobody can know.
    """
    prefix = access.topology.prefix
    queues = [access.topology.work_queue(lane) for lane in Lane]
    async with visit(access, name="ledger move") as connection:
        counts = [await consumers_of(connection, queue) for queue in queues]
    for queue, count in zip(queues, counts, strict=True):
        if count:
            raise MoveError(
                "worker_running",
                f"a worker consumes {queue}: stop all of AMQP_PREFIX {prefix} first, "
                "for what they write while the ledger moves would be forgotten",
            )
    if all(count is None for count in counts):
        raise MoveError(
            "topology_missing",
            f"there is no queue {queues[0]} on the broker, so nobody can tell whether a worker runs: "
            f"{is_prefix_right(prefix)}. Where none has run yet, --without-broker does not ask",
        )


async def insist_on_no_user(store: Store, option: str) -> None:
    """Return if no other process is known to use the store that *option* names.

    Raises:
        MoveError: one does.
        LedgerUnavailableError: the store is away.
    """
    if await store.used_elsewhere():
        raise MoveError(
            "worker_running", f"another process uses the ledger of {option}: stop the workers first"
        )


async def move(source: Store, target: Store, on_moved: Callable[[int], None]) -> Moved:
    """Copy every entry of *source* to *target*, then see that each is there as it was.

    The entries keep their tokens, so that what was copied before is known again; in *target* their retention
    begins anew. *source* stays as it is.

    Raises:
        MoveError: *target* has another version of an entry, or lost one.
        LedgerUnavailableError: one of the stores is away. All that was copied stays.
    """
    await target.check()
    copied = 0
    async with aclosing(source.pages()) as pages:
        async for page in pages:
            answers = await target.swap_many([Swap(key, None, stored) for key, stored in page])
            for (key, _), answer in zip(page, answers, strict=True):
                if isinstance(answer, Exception):
                    raise answer
                if not answer:
                    raise _other_version(key)
            copied += len(page)
            on_moved(copied)
    return await _compare(source, target)


async def _compare(source: Store, target: Store) -> Moved:
    seen: set[str] = set()
    async with aclosing(source.pages()) as pages:
        async for page in pages:
            found = await asyncio.gather(*(target.load(key) for key, _ in page))
            for (key, stored), there in zip(page, found, strict=True):
                if there != stored:
                    raise _other_version(key)
            seen.update(key for key, _ in page)
    return Moved(len(seen))


def _other_version(key: str) -> MoveError:
    return MoveError(
        "entry_differs",
        f"the new ledger has another version of {key}: a worker has used it already, so it cannot be told "
        "which is right. Take a new store (or AMQP_PREFIX) that no worker has used",
    )
