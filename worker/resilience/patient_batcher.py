"""Questions that are in no hurry wait for company."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from worker.resilience.batcher import Ask, Asker, put

K = TypeVar("K")
V = TypeVar("V")


class PatientBatcher(Generic[K, V]):
    """Asks about the keys of several callers together; a question that is not full waits until one must go.

    Unlike a `Batcher`, which is there for those who wait: few questions are under way, full ones included.

    Args:
        ask: answers at most *size* keys; it may leave some out.
        size: keys of a question at the most.
        at_once: questions under way at the most.
        on_question: told, before each question, how many callers share it.
    """

    def __init__(
        self, ask: Ask[K, V], *, size: int, at_once: int, on_question: Callable[[int], None] = lambda _: None
    ) -> None:
        self._ask = ask
        self._size = size
        self._at_once = at_once
        self._on_question = on_question
        self._waiting: deque[tuple[K, Asker[K, V], float]] = deque()  # and until when it waits
        self._questions: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped: Exception | None = None

    async def get(self, keys: Sequence[K], *, patience: float) -> dict[K, V]:
        """Return the answers to *keys*; those that were left out are missing.

        Args:
            keys: any number.
            patience: seconds to wait for company; less if others have waited for longer.

        Raises:
            Exception: what *ask* raised for a question that held one of the keys, or the reason of a stop.
        """
        if not keys:
            return {}
        loop = asyncio.get_running_loop()
        asker = Asker(tuple(keys), loop.create_future())
        if self._stopped is not None:
            asker.fail(self._stopped)
        else:
            until = loop.time() + patience
            self._waiting.extend((key, asker, until) for key in asker.keys)
            self._start()
        return await asker.answer

    def stop(self, reason: Exception) -> None:
        """Tell all who wait, now and later, that nobody is asked any more."""
        self._stopped = reason
        while self._waiting:
            self._waiting.popleft()[1].fail(reason)
        self._start()

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        while self._waiting and len(self._questions) < self._at_once:
            if self._waiting[0][1].answer.done():
                self._waiting.popleft()  # whoever has gone is not asked for
            elif len(self._waiting) >= self._size or loop.time() >= self._waiting[0][2]:
                self._begin()
            else:
                self._timer = loop.call_at(self._waiting[0][2], self._start)
                return

    def _begin(self) -> None:
        wanted: list[tuple[K, Asker[K, V]]] = []
        while self._waiting and len(wanted) < self._size:
            key, asker, _ = self._waiting.popleft()
            if not asker.answer.done():
                wanted.append((key, asker))
        # It is no one caller's: what is logged on its way must not name the trace of one.
        question = asyncio.create_task(put(self._ask, wanted, self._on_question), context=Context())
        self._questions.add(question)
        question.add_done_callback(self._ended)

    def _ended(self, question: asyncio.Task[None]) -> None:
        self._questions.discard(question)
        self._start()
