"""Sends of several jobs in one call: who shares which."""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, field
from itertools import islice

from worker.domain import sharing
from worker.domain.errors import WorkerError
from worker.domain.limits import MOST_PER_CALL
from worker.handlers.send.calls import Calls, tell
from worker.handlers.send.part_work import PartWork
from worker.handlers.send.ports import CallOrder
from worker.ports import Gateway, TextMessage

_LOOKED_AT = 4 * MOST_PER_CALL  # of those who wait

Key = tuple[str, bool, str | None, tuple[tuple[str, str], ...], bool]


@dataclass(eq=False, slots=True)
class _Waiting:
    """One that waits for its call.

    Attributes:
        ended: when the call is over for it.
    """

    work: PartWork
    numbers: tuple[str, ...]
    ended: asyncio.Future[None]

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


@dataclass(eq=False, slots=True)
class _Queue:
    """Those who wait for a call with the same message.

    Attributes:
        order: of the first one; the message is the others' as well.
        waiting: in the order of their coming.
        numbers: recipients of those who wait. Counted as they come and go: there may be a thousand of them.
        calls: tasks that get leave, call and record.
        gathering: of these, the ones that have not chosen their members yet.
    """

    order: CallOrder
    waiting: dict[_Waiting, None] = field(default_factory=dict)
    numbers: int = 0
    calls: set[asyncio.Task[None]] = field(default_factory=set)
    gathering: int = 0

    def enter(self, one: _Waiting) -> None:
        self.waiting[one] = None
        self.numbers += len(one.numbers)

    def leave(self, one: _Waiting) -> None:
        if one in self.waiting:
            del self.waiting[one]
            self.numbers -= len(one.numbers)

    def fitting(self, gateway: Gateway) -> list[_Waiting]:
        """Take from the queue who fits into one call."""
        if not self.waiting:
            return []
        # Nobody behind the first few hundred can be among a hundred numbers, but for repeats of a number.
        waiting = list(islice(self.waiting, _LOOKED_AT))
        chosen = [waiting[index] for index in sharing.together(one.numbers for one in waiting)]
        numbers = [name for one in chosen for name in one.numbers]
        first, *_ = gateway.pack(self.order.message, numbers)
        chosen = chosen[: sharing.within((len(one.numbers) for one in chosen), len(first))]
        for one in chosen:
            self.leave(one)
        return chosen


class SharedCalls:
    """Makes calls for several jobs that send the same.

    Whoever comes while fewer than *at_once* calls with its message are under way goes at once. The others
    gather until one of these ends, or a call is full: the busier the worker is, the fuller its calls get,
    with no timer. A call chooses its members when it has leave to go, so that those who come while all
    calls are taken share it too. It is made in a task that no job's cancellation ends.
    """

    def __init__(self, calls: Calls, *, at_once: int = 2) -> None:
        self._calls = calls
        self._at_once = at_once
        self._queues: dict[Key, _Queue] = {}

    async def make(self, work: PartWork) -> None:
        """Return when the call that *work* is at is recorded, or was not to be made; see its `failure`."""
        key = _key(work.order.message, urgent=work.order.urgent)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue(work.order)
        one = _Waiting(work, work.numbers, asyncio.get_running_loop().create_future())
        queue.enter(one)
        self._start(key, queue)
        try:
            await one.ended
        finally:
            queue.leave(one)

    def _start(self, key: Key, queue: _Queue) -> None:
        # Calls that have not chosen their members yet will take a hundred numbers each.
        while (left := queue.numbers - MOST_PER_CALL * queue.gathering) > 0:
            if len(queue.calls) >= self._at_once and left < MOST_PER_CALL:
                break
            queue.gathering += 1
            # No one job's: what is logged on its way must not name the trace of whoever came first.
            call = asyncio.create_task(self._call(queue), context=Context())
            queue.calls.add(call)
            call.add_done_callback(lambda done: self._ended(key, queue, done))
        if not queue.waiting and not queue.calls:
            self._queues.pop(key, None)

    def _ended(self, key: Key, queue: _Queue, call: asyncio.Task[None]) -> None:
        queue.calls.discard(call)
        self._start(key, queue)

    async def _call(self, queue: _Queue) -> None:
        chosen: list[_Waiting] | None = None

        def choose() -> list[PartWork]:
            nonlocal chosen
            queue.gathering -= 1
            chosen = queue.fitting(self._calls.gateway)
            return [one.work for one in chosen]

        try:
            await self._halved(queue.order, await self._calls.make(queue.order, choose))
        except Exception as error:  # noqa: BLE001 - it is raised where the jobs wait
            works = choose() if chosen is None else [one.work for one in chosen]
            _fail(works, error)
        for one in chosen or ():
            one.end()

    async def _halved(self, order: CallOrder, again: Sequence[PartWork]) -> None:
        """Call for *again* in two halves, to find out whose number the gateway refuses."""
        half = (len(again) + 1) // 2
        for some in (again[:half], again[half:]):
            if not some:
                continue
            try:
                refused = await self._calls.make(order, lambda some=some: some)  # type: ignore[misc]
            except WorkerError as error:
                tell(some, error)
            else:
                await self._halved(order, refused)


def _fail(works: Sequence[PartWork], error: Exception) -> None:
    if isinstance(error, WorkerError):
        tell(works, error)
        return
    for work in works:
        work.failure = work.failure or error


def _key(message: TextMessage, *, urgent: bool) -> Key:
    return (message.text, message.unicode, message.sender, tuple(sorted(message.params.items())), urgent)
