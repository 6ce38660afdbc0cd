"""Statements of many callers in few: what was asked for at the same time goes out as one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import psycopg

from worker.ledger.failures import again
from worker.ledger.postgresql.connection import Connection
from worker.ledger.postgresql.failures import (
    failure_of,
    is_connection_lost,
    is_of_the_store,
    is_to_be_repeated,
)

_MOST_TOGETHER = 256
_MOST_BYTES = 4_000_000
_TRIES = 4
_TIMES_TO_CLOSE = 2

Work = Callable[[Connection, Sequence[Any]], Awaitable[Sequence[Any]]]
"""Does what several callers want, in one statement, and returns an answer for each."""


@dataclass(slots=True, eq=False)
class _Ask:
    what: Any
    weight: int
    size: int
    answer: asyncio.Future[Any]


@dataclass(slots=True)
class _Lateness:
    """Whether a statement has taken too long.

    Attributes:
        on_begin: told once, when it has.
        begun: whether that was.
    """

    on_begin: Callable[[], None]
    begun: bool = False

    def begin(self) -> None:
        """Have it begin."""
        self.begun = True
        self.on_begin()


class Lanes:
    """Up to *count* statements under way at once, each on a connection of its own, each for many callers.

    While all lanes are busy what is asked gathers, so the slower the server, the more goes out together:
    its disk is written once for all of them. Callers have no order among each other.

    A statement that takes too long is given up by its callers, but its lane waits on: a server whose
    synchronous standby is away keeps the session of each commit until that is back, also when nobody listens
    any more, so to connect anew would in the end take all its connections. While all lanes wait like that,
    callers are refused at once.

    Args:
        options: libpq's.
        place: for errors.
        count: connections at most; each is made when it is first needed.
        timeout: seconds for one statement.
    """

    def __init__(self, options: dict[str, str], place: str, *, count: int, timeout: float) -> None:
        self._options = options
        self._place = place
        self._timeout = timeout
        self._count = count
        self._idle_lanes = count
        self._late = 0
        self._closing = False
        self._used: set[Connection] = set()
        self._idle: list[Connection] = []
        self._waiting: dict[Work, deque[_Ask]] = {}
        self._starting = False
        self._running: set[asyncio.Task[None]] = set()

    def ask(self, work: Work, what: object, *, weight: int = 1, size: int = 0) -> asyncio.Future[Any]:
        """Queue *what* for *work*; the future gets the answer, or an exception as a value.

        It is done also when the future is cancelled meanwhile.

        Args:
            work: does it, together with what others ask of it.
            what: one caller's part.
            weight: how many entries that is.
            size: its bytes.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._late == self._count:
            answer.set_result(self._too_late())
            return answer
        self._waiting.setdefault(work, deque()).append(_Ask(what, weight, size, answer))
        if self._idle_lanes and not self._starting:
            # The task starts in the next round of the loop, so all that is asked in this one is in its batch.
            self._starting = True
            self._idle_lanes -= 1
            lane = asyncio.create_task(self._work())
            self._running.add(lane)
            lane.add_done_callback(self._end)
        return answer

    @property
    def connected(self) -> int:
        """How many connections there are that wait for work."""
        return len(self._idle)

    async def close(self) -> None:
        """Wait for the answers that are due, as long as statements may take, then disconnect."""
        if self._running:
            await asyncio.wait(self._running, timeout=_TIMES_TO_CLOSE * self._timeout)
        self._closing = True
        while self._running:
            for connection in self._used:
                connection.cut()
            await asyncio.wait(self._running, timeout=self._timeout)
        while self._idle:
            await self._idle.pop().close()

    def _end(self, lane: asyncio.Task[None]) -> None:
        self._running.discard(lane)
        self._idle_lanes += 1

    async def _work(self) -> None:
        self._starting = False
        while self._waiting:
            # What was asked for first; a kind that has more waiting comes again after the others.
            work, asks = next(iter(self._waiting.items()))
            del self._waiting[work]
            batch = _batch(asks)
            if asks:
                self._waiting[work] = asks
            await self._serve(work, batch)

    async def _serve(self, work: Work, batch: Sequence[_Ask]) -> None:
        lateness = _Lateness(partial(self._give_up, batch))
        guard = asyncio.get_running_loop().call_later(self._timeout, lateness.begin)
        try:
            await self._done(work, batch, lateness)
        finally:
            guard.cancel()
            self._late -= lateness.begun

    def _give_up(self, batch: Sequence[_Ask]) -> None:
        self._late += 1
        waiting = chain.from_iterable(self._waiting.values()) if self._late == self._count else ()
        for ask in (*batch, *waiting):
            _tell(ask, self._too_late())
        if self._late == self._count:
            self._waiting.clear()

    def _too_late(self) -> Exception:
        return failure_of(TimeoutError(), self._place)

    async def _done(self, work: Work, batch: Sequence[_Ask], lateness: _Lateness) -> None:
        try:
            answers = await self._exchange(work, [ask.what for ask in batch], lateness)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the callers are told
            if is_of_the_store(error):
                failure = failure_of(error, self._place)
                for ask in batch:
                    _tell(ask, again(failure))
            elif len(batch) == 1:
                _tell(batch[0], error)
            else:
                # One entry cannot be stored as it is: the others must not suffer for it.
                for ask in batch:
                    await self._done(work, [ask], lateness)
        else:
            for ask, answer in zip(batch, answers, strict=True):
                _tell(ask, answer)

    async def _exchange(self, work: Work, whats: Sequence[Any], lateness: _Lateness) -> Sequence[Any]:
        """Do it. A connection that the server gave up while it was idle is replaced; all may be repeated.

        But nothing is begun that nobody waits for any more.
        """
        for _ in range(_TRIES):
            known = bool(self._idle)
            try:
                return await self._once(work, whats, lateness)
            except Exception as error:
                repeat = is_to_be_repeated(error) or (known and is_connection_lost(error))
                if lateness.begun or self._closing or not repeat:
                    raise
        return await self._once(work, whats, lateness)

    async def _once(self, work: Work, whats: Sequence[Any], lateness: _Lateness) -> Sequence[Any]:
        known = bool(self._idle)
        connection = self._idle.pop() if known else await Connection.open(self._options, limit=self._timeout)
        if lateness.begun:
            self._idle.append(connection)
            raise TimeoutError
        self._used.add(connection)
        try:
            answers = await work(connection, whats)
        except Exception as error:
            if is_connection_lost(error):
                # The others lead to the same server.
                await self._drop_idle()
            if is_to_be_repeated(error) or not is_of_the_store(error):
                self._idle.append(connection)
            else:
                await _drop(connection)
            raise
        finally:
            self._used.discard(connection)
        self._idle.append(connection)
        return answers

    async def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await _drop(connection)


async def _drop(connection: Connection) -> None:
    with suppress(psycopg.Error, OSError):
        await connection.close()


def _batch(asks: deque[_Ask]) -> list[_Ask]:
    """Take from *asks* what goes out together: at least one."""
    batch = [asks.popleft()]
    weight, size = batch[0].weight, batch[0].size
    while asks and weight + asks[0].weight <= _MOST_TOGETHER and size + asks[0].size <= _MOST_BYTES:
        batch.append(asks.popleft())
        weight, size = weight + batch[-1].weight, size + batch[-1].size
    return batch


def _tell(ask: _Ask, answer: object) -> None:
    if not ask.answer.done():
        ask.answer.set_result(answer)
