"""The thread that owns the database file and commits together what was asked meanwhile."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import structlog

from worker.ledger.failures import again, closed
from worker.ledger.sqlite_failures import failure_of, is_of_the_store
from worker.ledger.sqlite_file import LedgerFile, Time, Work
from worker.ledger.sqlite_schema import create_parents
from worker.ledger.sqlite_time import LedgerTime
from worker.ports import Clock, Swap

log = structlog.get_logger(__name__)

_MOST_TOGETHER = 256
_WRITES_PER_SWEEP = 256
_NOTE_EVERY = 60_000  # milliseconds


_Do = Callable[[LedgerFile, Sequence[Any], int], list[Any]]


def _probe(file: LedgerFile, probes: Sequence[Time], _now: int) -> list[None]:
    file.probe(probes[-1])
    return [None] * len(probes)


# In this order: who reads waits for no disk.
_KINDS: tuple[_Do, ...] = (LedgerFile.read, LedgerFile.swap, LedgerFile.renew, _probe)


@dataclass(slots=True, eq=False)
class _Ask:
    """What one caller wants: *what*, done by one of `_KINDS` together with what others want of that kind.

    Attributes:
        alone: the answer is a list of one, and it is wanted without the list.
    """

    kind: _Do
    what: Any
    answer: asyncio.Future[Any]
    alone: bool = False


_Answered = tuple[asyncio.Future[Any], Any, Exception | None]


class LedgerThread:
    """Takes work from one event loop and does it in a thread of its own, batch by batch.

    Of a batch the reads are done and answered first, then all swaps in one transaction; callers get
    their answers after the commit, by one wake-up of the loop. Concurrent calls have no order among
    each other, so this is one that they could have had. When the file fails, the callers of the batch
    get LedgerUnavailableError, the connection is given up, and the next batch opens the file anew.

    Args:
        path: absolute; its directory is made when the file is first opened, and not again, since a
            directory that vanished later is a disk that was unmounted.
        retention: seconds that an entry lives after it was last written.
        clock: moves the ledger's time on. Read from the thread.
        busy_timeout: seconds to wait for another process that holds the file.
        sweep_every: seconds between looks for expired entries while nothing else is to do.
    """

    def __init__(
        self, path: Path, *, retention: float, clock: Clock, busy_timeout: float, sweep_every: float
    ) -> None:
        self._path = path
        self._retention = retention
        self._time = LedgerTime(clock)
        self._noted_at: int | None = None
        self._busy_timeout = busy_timeout
        self._sweep_every = sweep_every
        self._asks: list[_Ask] = []
        self._inbox: SimpleQueue[list[_Ask] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._file: LedgerFile | None = None
        self._was_open = False
        self._writes = 0
        self._stopping: asyncio.Future[None] | None = None

    def read(self, work: Work) -> asyncio.Future[Any]:
        """Queue *work*, which does not write; the future gets what it returns.

        Or LedgerUnavailableError, where the file cannot be used or the thread was told to stop; so it is for
        the other questions.
        """
        return self.ask(LedgerFile.read, work)

    def swap_one(self, swap: Swap) -> asyncio.Future[bool]:
        """Queue one likewise; the future gets whether it stands."""
        return self.ask(LedgerFile.swap, (swap,), alone=True)

    def renew(self, keys: Sequence[str]) -> asyncio.Future[list[bool]]:
        """Queue renewals; the future gets which entries were due."""
        return self.ask(LedgerFile.renew, keys)

    def probe(self) -> asyncio.Future[None]:
        """Queue a test whether a batch of entries can be written."""
        return self.ask(_probe, None)

    def ask(self, kind: _Do, what: object, *, alone: bool = False) -> asyncio.Future[Any]:
        """Queue *what*, to be done by *kind* together with what others want of that kind.

        The future gets the answer; *alone*: the one of a list of one. A future that is cancelled meanwhile is
        left alone; what it was for is done all the same.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        if self._stopping is not None:
            answer.set_exception(closed())
            return answer
        if self._thread is None:
            # A daemon: a process that dies without close() must not hang; a commit is whole or absent.
            self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
            self._thread.start()
        if not self._asks:
            loop.call_soon(self._hand_over)
        self._asks.append(_Ask(kind, what, answer, alone))
        return answer

    def _hand_over(self) -> None:
        """Wake the thread once for all that was asked in a turn of the event loop."""
        if self._asks:
            asks, self._asks = self._asks, []
            self._inbox.put(asks)

    async def stop(self) -> None:
        """Finish what was asked before, give the file back, end the thread. May be called again."""
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_future()
            if self._thread is None:
                self._stopping.set_result(None)
            self._hand_over()
            self._inbox.put(None)
        await asyncio.shield(self._stopping)

    def _run(self) -> None:
        while (asks := self._take()) is not None:
            for kind in _KINDS:
                if mine := [ask for ask in asks if ask.kind is kind]:
                    self._serve(mine)
            if not asks or self._writes >= _WRITES_PER_SWEEP:
                self._sweep()
        self._give_up()
        if self._stopping is not None:
            _tell([(self._stopping, None, None)])

    def _take(self) -> list[_Ask] | None:
        """Wait for asks; an empty list when none came in time, None at the end."""
        try:
            some = self._inbox.get(timeout=self._sweep_every)
        except Empty:
            return []
        asks: list[_Ask] = []
        while some is not None:
            asks += some
            if self._inbox.empty() or len(asks) >= _MOST_TOGETHER:
                return asks
            some = self._inbox.get()
        if not asks:
            return None
        # The end waits until the last asks are served.
        self._inbox.put(None)
        return asks

    def _serve(self, asks: Sequence[_Ask]) -> None:
        """Do what *asks*, all of one kind, want, and tell them."""
        try:
            file = self._file or self._opened()
            wanted = [self._time.note() if ask.kind is _probe else ask.what for ask in asks]
            values = asks[0].kind(file, wanted, self._time.now())
        except Exception as error:  # noqa: BLE001 -- whatever it is, the callers are told and the thread lives on
            self._give_up()
            if is_of_the_store(error):
                failure = failure_of(error, self._path)
                _tell([(ask.answer, None, again(failure)) for ask in asks])
            elif len(asks) == 1:
                _tell([(asks[0].answer, None, error)])
            else:
                # One entry cannot be stored as it is: the others must not suffer for it.
                for ask in asks:
                    self._serve([ask])
        else:
            self._writes += sum(len(ask.what) for ask in asks if ask.kind is LedgerFile.swap)
            _tell(
                [
                    (ask.answer, value[0] if ask.alone else value, None)
                    for ask, value in zip(asks, values, strict=True)
                ]
            )

    def _sweep(self) -> None:
        """Delete expired entries a bite at a time: one under load, all of them while nobody waits."""
        # Twice the writes since the last sweep: what expires under load is gone sooner than new entries come.
        bite = 2 * max(self._writes, _WRITES_PER_SWEEP)
        self._writes = 0
        try:
            file = self._file or self._opened()
            self._note(file)
            while file.delete_expired(self._time.now(), bite) == bite:
                if not self._inbox.empty():
                    return
        except Exception as error:  # noqa: BLE001 -- as above; nobody waits for this
            self._give_up()
            log.warning("ledger.sweep_failed", code=failure_of(error, self._path).code)

    def _opened(self) -> LedgerFile:
        if not self._was_open:
            create_parents(self._path)
        self._file = LedgerFile(self._path, retention=self._retention, busy_timeout=self._busy_timeout)
        self._was_open = True
        self._begin(self._file)
        return self._file

    def _begin(self, file: LedgerFile) -> None:
        noted = file.noted()
        self._time.begin(noted, last_write=None if noted else file.last_write())
        if noted is None:
            self._note(file)

    def _note(self, file: LedgerFile) -> None:
        """Note the time every so often: what a killed process has not noted did not pass."""
        if self._noted_at is None or self._time.now() - self._noted_at >= _NOTE_EVERY:
            file.note(self._time.note())
            self._noted_at = self._time.now()

    def _give_up(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(sqlite3.Error):
                file.close()


def _tell(answered: Sequence[_Answered]) -> None:
    # A loop that is closed has nobody left who waits.
    with suppress(RuntimeError):
        answered[0][0].get_loop().call_soon_threadsafe(_settle, answered)


def _settle(answered: Sequence[_Answered]) -> None:
    for future, value, error in answered:
        if future.done():
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
