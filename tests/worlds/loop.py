"""An event loop in virtual time, in which whole hosts are killed and frozen.

Nothing here waits: when nobody has anything to do, the clock goes to the next timer. The same calls in the
same order always give the same run, so a seed is enough to see one again.
"""

import asyncio
import heapq
import socket
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from typing import Any, Self, TypeVar
from weakref import WeakSet

from aiormq.abc import TaskWrapper

from tests.worlds.net import Network

T = TypeVar("T")

HOST: "ContextVar[Host | None]" = ContextVar("host", default=None)
_MOST_A_SECOND = 300_000  # steps: somebody turns in circles
_ROUND = 1e-6  # seconds that each round takes, so that no wait is too short for the clock


class StandstillError(Exception):
    """Nobody has anything to do, now or ever, and the world has not ended."""


class BusyLoopError(Exception):
    """Time stands still because somebody never pauses."""


class Host:
    """A machine: what runs on it is killed or frozen as one.

    Attributes:
        alive: a dead one runs nothing any more, not even what stands in ``finally``.
        frozen: its callbacks wait.
        tasks: made on it.
        steps: callbacks that ran on it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.frozen = False
        self.steps = 0
        self.tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        self.waiting: list[asyncio.Handle] = []
        self.context = Context()
        self.context.run(HOST.set, self)
        self._buried: list[asyncio.Task[Any]] = []

    def owns(self, task: "asyncio.Task[Any]") -> None:
        """Take a task that was made here; one that a dead host's last step makes will never run."""
        self.tasks.add(task)
        if not self.alive:
            self._bury_later(task)

    def kill(self) -> None:
        """Run nothing of it any more. Its tasks are kept, or their ``finally`` blocks would run."""
        self.alive = False
        for task in list(self.tasks):
            self._bury_later(task)
        self.waiting.clear()

    def _bury_later(self, task: "asyncio.Task[Any]") -> None:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        self._buried.append(task)

    def bury(self) -> None:
        """Let go of what is left of it."""
        self.kill()
        while self._buried:
            task = self._buried.pop()
            with suppress(BaseException):
                # What its ``finally`` blocks begin is of this host as well.
                self.context.copy().run(task.get_coro().close)


class _Numbered:
    """Hashes by order of birth, not by address: sets of it come in the same order in every run."""

    _numbers = 0
    _number: int

    def __hash__(self) -> int:
        return self._number


# The library keeps its tasks, wrapped, in sets that it empties in their order.
TaskWrapper.__hash__ = lambda self: hash(self.task)  # type: ignore[attr-defined,method-assign]


class _Future(_Numbered, asyncio.Future[Any]):
    """A future with a number."""


class _Task(_Numbered, asyncio.Task[Any]):
    """A task with a number, which it needs while it is made: asyncio keeps all tasks in a set."""

    def __new__(cls, *_: object, **__: object) -> Self:
        made = super().__new__(cls)
        _Numbered._numbers += 1
        made._number = _Numbered._numbers
        return made


class _Handle(asyncio.Handle):
    """A handle that never asks whether the loop is debugged: a world makes a hundred thousand of them."""

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[object, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs everything in one process, as fast as the processor can.

    Attributes:
        network: makes all connections.
        steps: callbacks that ran.
    """

    _ready: "deque[asyncio.Handle]"
    # When, how many were made before, and the timer: of those of one time the first that was made is first.
    _scheduled: "list[tuple[float, int, asyncio.TimerHandle]]"

    def __init__(self) -> None:
        super().__init__()
        _Numbered._numbers = (
            0  # a set's order follows from the numbers themselves, not from their order alone
        )
        self._now = 1_000.0
        self.steps = 0
        self._timers_made = 0
        self._second = self._now
        self._steps_in_it = 0
        self.network = Network(self)
        self._sockets: list[socket.socket] = []
        self.unhandled: list[str] = []
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """Seconds of the world."""
        return self._now

    def create_future(self) -> "asyncio.Future[Any]":
        """Return a future whose place in a set is the same in every run."""
        future = _Future(loop=self)
        _Numbered._numbers += 1
        future._number = _Numbered._numbers
        return future

    def create_task(  # type: ignore[override]  # asyncio's own has other types in each version
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[T]:
        """Make a task that belongs to the host of whoever makes it, also in an empty context."""
        host = HOST.get()
        if context is not None and HOST not in context:
            context.run(HOST.set, host)
        task = _Task(coro, loop=self, name=name, context=context)
        if host is not None:
            host.owns(task)
        return task

    def call_at(
        self, when: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Have *callback* called at a time."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._timers_made += 1
        heapq.heappush(self._scheduled, (when, self._timers_made, timer))
        return timer

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        """Have *callback* called in the next round."""
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def run_in_executor(
        self, _executor: object, func: Callable[..., T], *args: object
    ) -> "asyncio.Future[T]":
        """Do it at once: a thread would live in another time."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is the caller's
            future.set_exception(error)
        return future

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], host: str, port: int, **_: object
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Connect inside the world."""
        return await self.network.connect(HOST.get(), (host, port), protocol_factory)

    async def create_server(  # type: ignore[override]
        self, *_: object, sock: socket.socket | None = None, **__: object
    ) -> "_NoServer":
        """Serve nobody: nothing in the world scrapes."""
        server = _NoServer(sock)
        self._sockets += [sock] if sock else []
        return server

    def close(self) -> None:
        """Close what killed hosts left open, too."""
        for sock in self._sockets:
            sock.close()
        super().close()

    def thaw(self, host: Host) -> None:
        """Let a frozen host go on with what came meanwhile."""
        host.frozen = False
        self._ready.extend(host.waiting)
        host.waiting = []

    def timers_of(self, host: Host) -> int:
        """How many timers run for *host*."""
        handles = [*(timer for _, _, timer in self._scheduled), *self._ready]
        return sum(not h.cancelled() and h._context.get(HOST) is host for h in handles)  # type: ignore[attr-defined]

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled
        if not ready:
            self._go_to_the_next_timer()
        while scheduled and scheduled[0][0] <= self._now:
            ready.append(heapq.heappop(scheduled)[2])
        self._count(len(ready))
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled and _may_run(handle):
                self.steps += 1
                handle._run()

    def _count(self, steps: int) -> None:
        self._now += _ROUND
        if self._now - self._second > 1:
            self._second, self._steps_in_it = self._now, 0
        self._steps_in_it += steps
        if self._steps_in_it > _MOST_A_SECOND:
            raise BusyLoopError(f"{_MOST_A_SECOND} steps in a second: {self._ready[0]!r:.300}")

    def _go_to_the_next_timer(self) -> None:
        scheduled = self._scheduled
        while scheduled and scheduled[0][2].cancelled():
            heapq.heappop(scheduled)
        if not scheduled:
            raise StandstillError
        self._now = max(self._now, scheduled[0][0])

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave it where it is: it is passed over when its time has come."""

    def _process_events(self, event_list: object) -> None:
        """There are none from outside."""

    def _write_to_self(self) -> None:
        """Nobody waits in a system call."""

    def _note(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        whose = context.get("task") or context.get("future")
        self.unhandled.append(f"{context.get('message')}: {error!r} {whose!r:.300}")


def _may_run(handle: asyncio.Handle) -> bool:
    """Whether its host lives and moves; what a frozen one should do waits with it."""
    host = handle._context.get(HOST)  # type: ignore[attr-defined]
    if host is None:
        return True
    if not host.alive:
        return False
    if host.frozen:
        host.waiting.append(handle)
        return False
    host.steps += 1
    return True


class _NoServer:
    """What a listening server looks like to those who close it."""

    def __init__(self, sock: socket.socket | None) -> None:
        self._sock = sock
        self.sockets = (sock,) if sock else ()

    def close(self) -> None:
        """Stop."""
        if self._sock is not None:
            self._sock.close()

    def is_serving(self) -> bool:
        """Whether it serves."""
        return True

    async def wait_closed(self) -> None:
        """It is."""
