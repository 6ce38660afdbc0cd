"""Many small questions in few large ones."""

import asyncio
import copy
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

Ask = Callable[[tuple[K, ...]], Awaitable[Mapping[K, V]]]

_STUCK = 2.0  # seconds; a question that takes longer says nothing about how busy the other side is


@dataclass(eq=False, slots=True)
class Asker(Generic[K, V]):
    """One caller and what it has been told so far."""

    keys: tuple[K, ...]
    answer: asyncio.Future[dict[K, V]]
    missing: int = field(init=False)
    told: dict[K, V] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.missing = len(self.keys)

    def tell(self, key: K, answers: Mapping[K, V]) -> None:
        """Take the answer to one of its keys."""
        if key in answers:
            self.told[key] = answers[key]
        self.missing -= 1
        if self.missing == 0 and not self.answer.done():
            self.answer.set_result(self.told)

    def fail(self, error: Exception) -> None:
        """Give it an error of its own: several callers must not share a traceback."""
        if not self.answer.done():
            self.answer.set_exception(copy.copy(error))


async def put(
    ask: Ask[K, V], wanted: Sequence[tuple[K, Asker[K, V]]], on_question: Callable[[int], None]
) -> None:
    """Ask one question for all who wanted its keys, and tell each of them."""
    askers = dict.fromkeys(asker for _, asker in wanted)  # in the order of their coming
    on_question(len(askers))
    try:
        answers = await ask(tuple(dict.fromkeys(key for key, _ in wanted)))
    except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
        for asker in askers:
            asker.fail(error)
        return
    for key, asker in wanted:
        asker.tell(key, answers)


class Batcher(Generic[K, V]):
    """Asks about the keys of several callers together, each of whom gets its own answer.

    An idle batcher asks at once. While *at_once* questions are under way, or *while_room* where there is
    room, keys gather, and the next question takes as many as there are: the busier it is, the fuller they
    get, with no timer. A full question does not wait, whatever is under way; nor do others for one that is
    stuck, or those that a gateway swallowed would hold up everybody for as long as a call may take.

    Args:
        ask: answers at most *size* keys; it may leave some out.
        size: keys of a question at the most.
        at_once: questions under way before keys gather.
        while_room: the same, while *has_room* says so; more than *at_once*.
        has_room: whether one more question takes nothing from anybody.
        on_question: told, before each question, how many callers share it.
    """

    def __init__(
        self,
        ask: Ask[K, V],
        *,
        size: int,
        at_once: int = 2,
        while_room: int = 0,
        has_room: Callable[[], bool] = lambda: True,
        on_question: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._ask = ask
        self._size = size
        self._at_once = at_once
        self._while_room = while_room
        self._has_room = has_room
        self._on_question = on_question
        self._waiting: deque[tuple[K, Asker[K, V]]] = deque()
        self._questions: dict[asyncio.Task[None], float] = {}  # when each began
        self._look: asyncio.TimerHandle | None = None

    async def get(self, keys: Sequence[K]) -> dict[K, V]:
        """Return the answers to *keys*; those that were left out are missing.

        Raises:
            Exception: what *ask* raised for a question that held one of the keys.
        """
        if not keys:
            return {}
        asker = Asker(tuple(keys), asyncio.get_running_loop().create_future())
        self._waiting.extend((key, asker) for key in asker.keys)
        self._start()
        return await asker.answer

    def _start(self) -> None:
        while self._waiting and (len(self._waiting) >= self._size or self._is_idle()):
            entries = [self._waiting.popleft() for _ in range(min(self._size, len(self._waiting)))]
            # Whoever has gone (a job that was cancelled) is not asked for.
            wanted = [(key, asker) for key, asker in entries if not asker.answer.done()]
            if wanted:
                # It is no one caller's: what is logged on its way must not name the trace of one.
                question = asyncio.create_task(put(self._ask, wanted, self._on_question), context=Context())
                self._questions[question] = question.get_loop().time()
                question.add_done_callback(self._ended)
        self._look_again()

    def _look_again(self) -> None:
        """Come back to those who wait when what they wait for may be stuck."""
        if self._waiting and self._look is None:
            self._look = asyncio.get_running_loop().call_later(_STUCK / 2, self._looked)
        elif self._look is not None and not self._waiting:
            self._look.cancel()
            self._look = None

    def _looked(self) -> None:
        self._look = None
        self._start()

    def _is_idle(self) -> bool:
        """Whether a question that is not full may go out."""
        now = asyncio.get_running_loop().time()
        under_way = sum(now - began < _STUCK for began in self._questions.values())
        return under_way < self._at_once or (under_way < self._while_room and self._has_room())

    def _ended(self, question: asyncio.Task[None]) -> None:
        self._questions.pop(question, None)
        self._start()
