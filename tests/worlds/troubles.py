"""What goes wrong in a world, apart from the gateway's own troubles."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from random import Random
from typing import TYPE_CHECKING

from tests.worlds.census import after_end
from tests.worlds.history import Frozen
from tests.worlds.plan import Trouble
from tests.worlds.process import Process
from tests.worlds.queues import Published

if TYPE_CHECKING:
    from tests.worlds.run import Run

_HEARD = 0.5  # seconds
_HASTE = 40.0  # seconds that a stop may take beyond its limit before it counts as hanging
_BETWEEN = 0.05  # seconds between two cancellations, in the mean
_MOST_ROUNDS = 12  # of the loop: so many awaits may lie within one moment


class Troubles:
    """Has them happen.

    ``kill``, ``stop``, ``freeze``: of the worker *target*; *how* is a moment that a kill or freeze waits for.
    ``cancel``: what *target* does for one delivery or another is cancelled, at whatever await it is.
    ``cut``, ``silence``, ``slow``, ``alarm``, ``full``, ``away``: of the broker and the ways to it.
    ``ledger``: *how* is ``slow``, ``away`` or ``forget``. ``clock``: the wall clock of *target* is wrong.
    """

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._moments: list[tuple[str, str, Trouble]] = []
        self._chance = Random(run.world.seed)  # noqa: S311 - chance of a world, no secret

    def schedule(self) -> None:
        """Have all of them happen in time."""
        for trouble in self._run.world.troubles:
            begin = _BEGINNINGS.get(trouble.kind)
            if begin is not None:
                self._run.at(trouble.at, begin, self, trouble)

    def watch(self, process: Process) -> None:
        """Kill *process* at the moments that are waited for."""
        ledger = process.assembly.store
        ledger.on_write = lambda when: self._moment(f"write {when}", process)  # type: ignore[union-attr]

    def called(self, host: str, command: str) -> None:
        """A call has just gone out; a lookup that is lost costs nothing, so its moment has another name."""
        moments = {"sendSMS": "call", "web": "web", "probe": "probe"}
        self._moment(moments.get(command, "lookup"), self._of(host))

    def published(self, published: Published) -> None:
        """The broker has just got a message."""
        what = "result" if ".results." in published.exchange else "copy"
        self._moment(what, self._of(published.host))

    def _of(self, host: str) -> Process | None:
        return next((each for each in self._run.processes if each.host.name == host), None)

    def _moment(self, what: str, process: Process | None) -> None:
        for each in self._moments:
            if process is not None and each[0] == what and each[1] == process.host.name.split(".")[0]:
                self._moments.remove(each)
                (self._freeze if each[2].kind == "freeze" else self._kill)(process, each[2])
                return

    def _at(self, seconds: float, do: Callable[..., object], *args: object) -> None:
        self._run.loop.call_later(seconds, do, *args, context=Context())

    def _named(self, trouble: Trouble) -> Process | None:
        target = trouble.target or "w0"
        return next((each for each in self._run.processes if each.host.name.split(".")[0] == target), None)

    def kill(self, trouble: Trouble) -> None:
        """Kill a worker, now or at the next moment of its kind."""
        if trouble.how:
            self._moments.append((trouble.how, trouble.target or "w0", trouble))
        elif process := self._named(trouble):
            self._kill(process, trouble)

    def _kill(self, process: Process, trouble: Trouble) -> None:
        if process not in self._run.processes or not process.host.alive:
            return
        self._run.note(process.host.name, "KILLED")
        process.life.ended, process.life.how = self._run.loop.time(), "killed"
        process.host.kill()
        self._run.loop.network.drop(process.host)
        self._run.processes.remove(process)
        self._at(trouble.seconds, self._again, process.host.name)

    def _again(self, name: str) -> None:
        base, _, number = name.partition(".")
        self._run.processes.append(self._run.start_worker(f"{base}.{int(number or 0) + 1}"))

    def stop(self, trouble: Trouble) -> None:
        """Stop a worker cleanly; another one starts when the trouble is over."""
        if process := self._named(trouble):
            self._run.loop.create_task(self._replaced(process, trouble.seconds))

    async def _replaced(self, process: Process, seconds: float) -> None:
        self._run.processes.remove(process)
        await self.stopped(process)
        await asyncio.sleep(seconds)
        self._again(process.host.name)

    async def stopped(self, process: Process) -> None:
        """Stop *process* and see what it leaves behind."""
        run, task = self._run, process.task
        assert task is not None
        began = run.loop.time()
        run.note(process.host.name, "SIGTERM")
        process.host.context.copy().run(run.loop.call_soon, process.stop)
        while process.host.frozen:  # noqa: ASYNC110 - virtual time; it hears of it when it goes on
            await asyncio.sleep(_HEARD)
        limit = run.settings.process.drain_timeout + _HASTE
        await asyncio.wait({task}, timeout=limit)
        process.life.ended, process.life.how = run.loop.time(), "stopped"
        process.life.drained = run.loop.time() - began
        run.note(process.host.name, "ENDED")
        if task.done() and not task.cancelled() and task.exception() is None:
            process.life.code = task.result()
            await asyncio.sleep(0.5)
        if not self._is_broker_silent(since=began):
            # Else it had to end without the broker's goodbye, and the system closes its connections.
            timers, ends = run.loop.timers_of(process.host), len(run.loop.network.of(process.host))
            process.life.left += after_end(process, timers, ends)
        process.host.kill()
        run.loop.network.drop(process.host)

    def _is_broker_silent(self, *, since: float) -> bool:
        return self._run.loop.network.silent_until > since or self._run.broker.blocked

    def freeze(self, trouble: Trouble) -> None:
        """Hold a worker (SIGSTOP), now or at the next moment of its kind, and let it go on."""
        if trouble.how:
            self._moments.append((trouble.how, trouble.target or "w0", trouble))
        elif process := self._named(trouble):
            self._freeze(process, trouble)

    def _freeze(self, process: Process, trouble: Trouble) -> None:
        run = self._run
        if process.host.frozen:
            return
        now = run.loop.time()
        run.note(process.host.name, f"FROZEN for {trouble.seconds:.1f} s")
        run.history.frozen.append(Frozen(process.host.name, now, now + trouble.seconds))
        process.host.frozen = True
        self._at(trouble.seconds, self._thaw, process)

    def _thaw(self, process: Process) -> None:
        self._run.note(process.host.name, "THAWED")
        self._run.loop.thaw(process.host)

    def cancel(self, trouble: Trouble) -> None:
        """Cancel the work on one delivery after the other, for as long as the trouble lasts."""
        until = self._run.history.began + trouble.end

        def again() -> None:
            if self._run.loop.time() < until:
                self._at(self._chance.expovariate(1 / _BETWEEN), one, self._chance.randrange(_MOST_ROUNDS))

        def one(rounds: int) -> None:
            if rounds:
                self._run.loop.call_soon(one, rounds - 1, context=Context())
            else:
                self._cancel_one(trouble)
                again()

        again()

    def _cancel_one(self, trouble: Trouble) -> None:
        process = self._named(trouble)
        works = process.works() if process is not None and not process.host.frozen else []
        if process is not None and works:
            now, work = self._run.loop.time(), self._chance.choice(works)
            self._run.history.cancelled.append((now, process.host.name))
            self._run.note(process.host.name, "CANCELLED one delivery's work")
            process.host.context.copy().run(work.cancel)

    def clock(self, trouble: Trouble) -> None:
        """Set a wall clock wrong, and right again."""
        if process := self._named(trouble):
            process.clock.wrong_by = float(trouble.how)
            self._at(trouble.seconds, setattr, process.clock, "wrong_by", 0.0)

    def broker(self, trouble: Trouble) -> None:
        """Something is wrong with the broker, or the way to it."""
        self._run.note("broker", f"TROUBLE {trouble.how} for {trouble.seconds:.1f} s")
        begin, end = _BROKER[trouble.how]
        begin(self._run, trouble)
        self._at(trouble.seconds, end, self._run, trouble)

    def ledger(self, trouble: Trouble) -> None:
        """Something is wrong with the ledger's store."""
        store, how = self._run.store, trouble.how
        self._run.note("ledger", f"TROUBLE {how} for {trouble.seconds:.1f} s")
        if how == "forget":
            store.forget()
        elif how == "away":
            store.away = 1
            self._at(trouble.seconds, setattr, store, "away", 0)
        else:
            before, store.delay = store.delay, float(how)
            self._at(trouble.seconds, setattr, store, "delay", before)


def _cut(run: "Run", trouble: Trouble) -> None:
    for session, end in list(run.server.sessions.items()):
        if not trouble.target or session.host_name.split(".")[0] == trouble.target:
            end.cut()


def _nothing(_run: "Run", _trouble: Trouble) -> None:
    """It is over already."""


def _silent(run: "Run", trouble: Trouble) -> None:
    run.loop.network.silent_until = run.loop.time() + trouble.seconds


def _slow(run: "Run", trouble: Trouble) -> None:
    run.loop.network.delay = lambda: float(trouble.target)


def _as_before(run: "Run", _trouble: Trouble) -> None:
    run.loop.network.delay = lambda: run.world.delay


def _gone(run: "Run", trouble: Trouble) -> None:
    run.loop.network.refusing = True
    _cut(run, trouble)


def _back(run: "Run", _trouble: Trouble) -> None:
    run.loop.network.refusing = False


def _full(run: "Run", trouble: Trouble) -> None:
    run.broker.queues[trouble.target].full = True


def _roomy(run: "Run", trouble: Trouble) -> None:
    run.broker.queues[trouble.target].full = False


def _block(run: "Run", _trouble: Trouble) -> None:
    run.server.block()


def _unblock(run: "Run", _trouble: Trouble) -> None:
    run.server.unblock()


_Step = Callable[["Run", Trouble], None]
_BROKER: dict[str, tuple[_Step, _Step]] = {
    "cut": (_cut, _nothing),
    "silence": (_silent, _nothing),
    "slow": (_slow, _as_before),
    "gone": (_gone, _back),
    "full": (_full, _roomy),
    "alarm": (_block, _unblock),
}
_BEGINNINGS: dict[str, Callable[[Troubles, Trouble], None]] = {
    "kill": Troubles.kill,
    "stop": Troubles.stop,
    "freeze": Troubles.freeze,
    "cancel": Troubles.cancel,
    "clock": Troubles.clock,
    "broker": Troubles.broker,
    "ledger": Troubles.ledger,
}
