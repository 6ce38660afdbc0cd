"""Plays a world: everything in one process and one thread, in virtual time."""

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from random import Random

import structlog

from tests.worlds import jobs
from tests.worlds.census import census, left_over
from tests.worlds.clock import WorldClock
from tests.worlds.gateway import Call, Gateway
from tests.worlds.history import History
from tests.worlds.loop import HOST, BusyLoopError, StandstillError, VirtualLoop
from tests.worlds.plan import Job, World
from tests.worlds.process import BROKER, Process, settings_of, start
from tests.worlds.queues import Broker, Message, Published, Queue
from tests.worlds.session import Server
from tests.worlds.store import Store
from tests.worlds.troubles import Troubles
from tests.worlds.web import WebCall, WebGateway
from worker.bootstrap.topology import topology_of
from worker.domain.messages import Lane
from worker.logs import configure_logs

_UP_WITHIN = 60.0  # seconds until the first worker consumes
_IDLE = 6.0  # seconds in which a worker with nothing to do is looked at
_LONGEST_PAUSE = 60.0  # seconds between two publishes of a result that the broker refuses
_SECOND_LOOK = 0.7  # seconds
_LOOK = 0.5
_PATIENCE = 1_500.0  # seconds after the last event: more than the longest delay queue twice
_RESULTS = "world.results"


def play(world: World, *, debug: bool = False) -> History:
    """Run *world* to its end and tell what happened."""
    run = Run(world)
    random.seed(world.seed)  # the jitter of the libraries
    with _logs(run, debug=debug):
        loop = run.loop
        try:
            asyncio.set_event_loop(loop)
            loop.run_until_complete(run.whole())
        except (StandstillError, BusyLoopError) as error:
            run.history.stuck = f"{type(error).__name__}: {error}"
        finally:
            run.bury()
            run.store.close()
            asyncio.set_event_loop(None)
            loop.close()
    run.history.steps = loop.steps
    run.history.unhandled = loop.unhandled
    return run.history


class Run:
    """One run of a world: the broker, the gateway, the store, and the workers between them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.loop = VirtualLoop()
        self.history = History(world)
        self.chance = Random(world.seed)  # noqa: S311 - chance of a world, no secret
        self.settings = settings_of(world.settings)
        self.broker = Broker(self.loop)
        self.server = Server(self.broker, self.loop)
        self.loop.network.delay = lambda: world.delay
        self.loop.network.listen(BROKER, self.server)
        retention = world.retention or self.settings.ledger.retention
        clock, in_file = WorldClock(self.loop), world.store == "sqlite"
        self.store = Store(clock, self._die(), retention, world.ledger_delay, in_file=in_file)
        self.gateway = Gateway(self.loop, world.gateway, self._die(), 0.0)
        self.web = WebGateway(self.loop, Random(world.seed))  # noqa: S311 - chance of a world, no secret
        self.processes: list[Process] = []
        self._all: list[Process] = []
        self.troubles = Troubles(self)
        self._topology = topology_of(self.settings)
        self._comes_until = world.comes_until

    def _die(self) -> Random:
        return Random(self.chance.getrandbits(64))  # noqa: S311 - chance of a world, no secret

    def note(self, host: str, what: str) -> None:
        """Put a line into the trace."""
        self.history.note(self.loop.time(), host, what)

    def start_worker(self, name: str) -> Process:
        """Start a process."""
        process = start(
            self.loop,
            name,
            self.settings,
            gateways=(self.gateway, self.web),
            store=self.store,
            chance=self.chance,
        )
        self.history.lives.append(process.life)
        self._all.append(process)
        self.note(name, "STARTED")
        self.troubles.watch(process)
        return process

    async def whole(self) -> None:
        """Play it."""
        self._listen()
        self._declare()
        self.processes = [self.start_worker(f"w{i}") for i in range(self.world.workers)]
        await self._until(self._consumed, _UP_WITHIN)
        await asyncio.sleep(_IDLE)
        usual = {process.host.name: census(process) for process in self.processes}
        self.history.began = self.gateway.began = self.web.began = self.loop.time()
        self._schedule()
        looking = self.loop.create_task(self._look())
        limit = max(self.world.work_ends, self.world.trouble_ends) + _PATIENCE
        self.history.finished = await self._until(self._done, limit)
        self.history.ended = self.loop.time()
        # What was lost with its connection learns after its pause that nobody needs its publish any more.
        was_full = any(each.how == "full" for each in self.world.troubles)
        await asyncio.sleep(_IDLE + _LONGEST_PAUSE * was_full)
        await self._find_what_is_left(next(iter(usual.values())))
        looking.cancel()
        await self._stop_all()
        self.history.calls, self.history.web_calls = self.gateway.calls, self.web.calls
        self.history.published = self.broker.record
        self.history.seen, self.history.written = self.store.seen, self.store.written
        self.history.changes = self.store.changes

    async def _find_what_is_left(self, usual: Counter[str]) -> None:
        """Look twice: a question to the broker that is under way now has its answer then.

        Another one may be under way then: what has begun since is not what is left.
        """
        first = {process.host.name: left_over(process, usual) for process in self.processes}
        tasks = {process.host.name: set(process.host.tasks) for process in self.processes}
        await asyncio.sleep(_SECOND_LOOK)
        for process in self.processes:
            begun = set(process.host.tasks) - tasks[process.host.name]
            left = left_over(process, usual, without=begun)
            process.life.left = tuple(what for what in left if what in first[process.host.name])

    def bury(self) -> None:
        """End what never ended, without a word."""
        for process in self._all:
            process.host.bury()

    def _listen(self) -> None:
        def published(each: Published) -> None:
            self.troubles.published(each)
            self.note(each.host, f"publish {each.exchange or '(default)'} {each.key} {each.body[:120]!r}")
            if each.exchange.startswith(f"{self._topology.prefix}.results.") and each.taken:
                result = json.loads(each.body)
                told = self.history.tracked if "track" in result else self.history.results
                told.append((each, result))

        def delivered(host: str, queue: Queue, message: Message) -> None:
            self.history.deliveries[queue.name, message.origin] += 1
            self.note(host, f"deliver {queue.name} #{message.origin} delivery {message.deliveries}")

        self.broker.on_publish = published
        self.server.on_delivery = delivered
        self.gateway.on_call = self._called
        self.web.on_call = self._web_called

    def _called(self, call: Call) -> None:
        self.note(call.host, f"call {call.command} {','.join(call.numbers[:3])} {call.text[:20]}")
        self.troubles.called(call.host, call.command)

    def _web_called(self, call: WebCall) -> None:
        self.note(call.host, f"web {call.method} {call.name}")
        self.troubles.called(call.host, "web" if call.name else "probe")

    def _declare(self) -> None:
        """Make the topology beforehand, and a queue for results."""
        for exchange in self._topology.exchanges:
            self.broker.declare_exchange(exchange.name, exchange.type, exchange.arguments)
        for queue in self._topology.queues:
            declared = self.broker.declare_queue(queue.name, queue.arguments)
            declared.returns_anywhere = self._die() if self.world.any_order else None
        for binding in self._topology.bindings:
            self.broker.bind(binding.queue, binding.exchange, binding.key)
        self.broker.declare_queue(_RESULTS, {})
        for name in self.broker.exchanges:
            if ".results." in name and not name.endswith("unrouted"):
                self.broker.bind(_RESULTS, name, "#")

    @property
    def _work(self) -> list[Queue]:
        kept = {_RESULTS, self._topology.dead, self._topology.unrouted}
        return [queue for queue in self.broker.queues.values() if queue.name not in kept]

    def _consumed(self) -> bool:
        lanes = [self._topology.work_queue(lane) for lane in Lane if not lane.is_held]
        return all(len(self.broker.queues[name].consumers) >= self.world.workers for name in lanes)

    def _done(self) -> bool:
        now = self.loop.time() - self.history.began
        if now < self._comes_until + 1:
            return False
        if any(process.host.frozen for process in self.processes):
            return False
        return not any(queue.ready or queue.unsettled for queue in self._work)

    async def _until(self, what: Callable[[], bool], seconds: float) -> bool:
        until = self.loop.time() + seconds
        while not what():
            if self.loop.time() > until:
                return False
            await asyncio.sleep(_LOOK)
        return True

    def _schedule(self) -> None:
        for job in self.world.jobs:
            self.at(job.at, self._submit, job)
        self.gateway.troubles = self.web.troubles = tuple(self.world.troubles)
        listed = {
            number
            for job in self.world.jobs
            for number in (jobs.numbers(job) if job.kind == "send" and job.listed else ())
            if jobs.is_listed(job, number)
        }
        self.gateway.listed = listed.__contains__
        self.troubles.schedule()

    def at(self, seconds: float, do: Callable[..., object], *args: object) -> None:
        """Do something so many seconds after the beginning, on no host."""
        self.loop.call_at(self.history.began + seconds, do, *args, context=Context())

    def _submit(self, job: Job) -> None:
        now = self.loop.time()
        self.history.submitted.append((now, job))
        body = jobs.body(job, now, self.history.began)
        self.broker.publish(self._topology.jobs, jobs.key(job), jobs.properties(job), body)

    async def _look(self) -> None:
        while True:
            held: dict[str, int] = {}
            for session in self.server.sessions:
                unsettled = sum(len(channel.unsettled) for channel in session.channels.values())
                held[session.host_name] = held.get(session.host_name, 0) + unsettled
            now = self.loop.time()
            self.history.in_hand.append((now, held))
            self.history.waiting.append((now, sum(map(len, self._work))))
            for process in self.processes:
                self.history.bodies.append((now, process.host.name, process.body_bytes()))
                if not process.host.frozen and (reasons := dict(process.assembly.readiness().reasons)):
                    self.history.unready.append((now, process.host.name, reasons))
            await asyncio.sleep(1.0)

    async def _stop_all(self) -> None:
        for process in self.processes:
            await self.troubles.stopped(process)


@contextmanager
def _logs(run: Run, *, debug: bool) -> Iterator[None]:
    """Take the log lines of all workers."""

    class Lines:
        def write(self, line: str) -> None:
            host = HOST.get()
            if line.strip() and (host is None or host.alive):
                run.history.lines.append((run.loop.time(), host.name if host else "-", line.strip()))

        def flush(self) -> None:
            pass

        def isatty(self) -> bool:
            return False

    stderr, level = sys.stderr, "debug" if debug else "info"
    if _configured != [level] or not structlog.is_configured():
        configure_logs(level=level, form="json", secrets=[jobs.PASSWORD, jobs.TOKEN], names=[jobs.USERNAME])
        _configured[:] = [level]
    sys.stderr = Lines()
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        yield
    finally:
        sys.stderr, sys.unraisablehook = stderr, hook
        with suppress(AttributeError):
            structlog.contextvars.clear_contextvars()


_configured: list[str] = []
