"""A worker's handlers over stand-ins: what a test of the send path starts from."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random
from typing import Any

from tests.support.fakes import FakeClock, FakeGate, FakeGateway, FakeLedger, FakeObserver, FakePublisher
from worker.bootstrap.tracing import Tracing
from worker.domain.cancel_request import CancelRequest, decode_request
from worker.domain.disposition import RetryPolicy
from worker.domain.hours import Hours
from worker.domain.messages import Delivery, Disposition, Lane, PartMessage, ResultMessage
from worker.domain.progress import Progress
from worker.domain.recipients import NumberingPlan
from worker.domain.tracking import decode_unit, encode_unit
from worker.domain.waiting import WaitingRoom
from worker.handlers.account import AccountHandler
from worker.handlers.cancel.handler import CancelHandler
from worker.handlers.cancel.marking import Marking
from worker.handlers.cancel.requests import Requests
from worker.handlers.dispatch import Dispatch
from worker.handlers.entries import Store
from worker.handlers.lookups import Lookups
from worker.handlers.send.acceptance import Acceptance
from worker.handlers.send.calls import Calls
from worker.handlers.send.completion import Completion
from worker.handlers.send.entries import EntryStore
from worker.handlers.send.handler import SendHandler
from worker.handlers.send.large_jobs import LargeJobs
from worker.handlers.send.parts import PartHandler, PartSender
from worker.handlers.send.planning import Planning
from worker.handlers.send.ports import SendPorts
from worker.handlers.send.renewal import Renewal
from worker.handlers.send.shared_calls import SharedCalls
from worker.handlers.send.timing import Timing
from worker.handlers.status import StatusHandler
from worker.handlers.track.following import Following
from worker.handlers.track.handler import TrackHandler
from worker.handlers.track.verdict import Judge
from worker.ports import Command, Publisher
from worker.resilience.keyed_lock import KeyedLock
from worker.resilience.number_memory import NumberMemory
from worker.resilience.retry import RetryAttempts
from worker.stopping import stop

LEASE = 35.0
MARGIN = 5.0
MAX_BODY = 8 * 1024 * 1024
INDIA = NumberingPlan("IN", frozenset({"IN"}))


@dataclass(slots=True)
class World:
    """What all workers of a test share."""

    clock: FakeClock = field(default_factory=FakeClock)
    publisher: FakePublisher = field(default_factory=FakePublisher)
    ledger: FakeLedger = field(init=False)
    gateway: FakeGateway = field(init=False)
    tokens: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        self.ledger = FakeLedger(self.clock)
        self.gateway = FakeGateway(self.clock)

    def token(self) -> str:
        """Return a token that nobody else has."""
        return f"token-{next(self.tokens)}"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The bodies of the results, in the order of their publication."""
        return [json.loads(result.body) for result in self.publisher.results]

    @property
    def last(self) -> ResultMessage:
        """The result that was published last."""
        return self.publisher.results[-1]

    def outcomes(self) -> dict[str, str]:
        """The outcome of each recipient, by the latest result that names it."""
        return {one["recipient"]: one["outcome"] for body in self.bodies for one in body["recipients"]}

    def ids(self) -> dict[str, str]:
        """The message id of each accepted recipient, by the latest result."""
        return {
            one["recipient"]: one["message_id"]
            for body in self.bodies
            for one in body["recipients"]
            if "message_id" in one
        }


@dataclass(slots=True)
class FakeWorker:
    """One worker process: its handlers, on ports that it shares with others or has for itself."""

    world: World
    attempts: int = 3
    resends: int = 3
    delays: tuple[int, ...] = (5, 30)
    track_delays: tuple[int, ...] = (30, 60, 120)
    track_limit: float = 600.0
    allowed_params: frozenset[str] = frozenset({"templateid"})
    gate: FakeGate = field(default_factory=FakeGate)
    observer: FakeObserver = field(default_factory=FakeObserver)
    numbering: NumberingPlan = INDIA
    dnd_memory: float = 0.0
    coalesce: bool = False
    share_above: int = 100
    room: int = 100_000
    patience: float = 30.0
    hours: Hours | None = None
    longest_wait: int = 65_535
    send_after_limit: int = 604_800
    tracing: Tracing = field(default_factory=Tracing)
    store_time: Callable[[], float] | None = None
    shared: SharedCalls | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.coalesce:
            self.shared = SharedCalls(self.calls)

    @property
    def calls(self) -> Calls:
        """Makes calls."""
        on_call = partial(self.observer.call_shared, Command.SEND)
        return Calls(self.world.gateway, self.gate, self.entries, on_call)

    @property
    def entries(self) -> EntryStore:
        """Reads and writes entries."""
        return EntryStore(self.world.ledger, self.world.token)

    @property
    def policy(self) -> RetryPolicy:
        """Rounds through the delay queues."""
        return RetryPolicy(self.delays, 86_400)

    @property
    def ports(self) -> SendPorts:
        """The collaborators of a send."""
        return SendPorts(
            entries=self.entries,
            gateway=self.world.gateway,
            gate=self.gate,
            retry=self.tracing.sending(self.retry(Command.SEND)),
            publisher=self.publisher,
            clock=self.world.clock,
            observer=self.observer,
            store_time=self.store_time or (lambda: self.world.clock.now().timestamp()),
            lease=LEASE,
            margin=MARGIN,
        )

    @property
    def completion(self) -> Completion:
        """Completes parts."""
        make = self.shared.make if self.shared else Calls(self.world.gateway, self.gate, self.entries).alone
        return Completion(self.ports, make, self.policy, self.resends, self.following, self.timing)

    @property
    def following(self) -> Following:
        """Follows messages."""
        world = self.world
        return Following(
            units=Store(world.ledger, world.token, encode_unit, decode_unit),
            publisher=self.publisher,
            clock=world.clock,
            observer=self.observer,
            judge=Judge(self.track_limit),
            delays=self.track_delays,
            draw_nonce=world.token,
        )

    @property
    def lookups(self) -> Lookups:
        """Asks the gateway."""
        retry = {command: self.retry(command) for command in Command}
        memory = NumberMemory(self.dnd_memory, self.world.clock)
        return self.tracing.lookups(self.world.gateway, self.gate, retry, memory=memory)

    def retry(self, command: Command) -> RetryAttempts:
        """Retries without jitter worth a thought."""
        jitter = Random(1)  # noqa: S311 - not a secret
        return RetryAttempts(
            self.attempts, self.world.clock, jitter, on_retry=lambda: self.observer.retried(command)
        )

    @property
    def acceptance(self) -> Acceptance:
        """What the operator allows."""
        return Acceptance(
            max_body_bytes=MAX_BODY,
            max_segments=10,
            allowed_params=self.allowed_params,
            send_after_limit=self.send_after_limit,
            now=self.world.clock.now,
        )

    @property
    def timing(self) -> Timing:
        """When jobs may be sent."""
        return Timing(self.world.clock, self.hours)

    @property
    def publisher(self) -> Publisher:
        """The world's, with a span around it where there are spans."""
        return self.tracing.publisher(self.world.publisher)

    @property
    def marking(self) -> Marking:
        """Marks entries of send jobs."""
        return Marking(self.entries, self.world.clock, self.ports.store_time, MARGIN)

    @property
    def cancel(self) -> CancelHandler:
        """Stops send jobs."""
        world = self.world
        requests = Requests(Store(world.ledger, world.token, CancelRequest.encode, decode_request))
        return CancelHandler(
            requests, self.marking, self.publisher, self.policy, world.clock, KeyedLock(), MAX_BODY
        )

    def dispatch(self) -> Dispatch:
        """The entrance for deliveries, with locks of its own."""
        locks, completion = KeyedLock(), self.completion
        world, entries = self.world, self.entries
        sender = PartSender(completion, entries, world.clock, locks)
        large = LargeJobs(
            completion, sender, self.ports, self.share_above, room=self.room, patience=self.patience
        )
        planning = Planning(self.numbering, self.lookups, world.gateway, world.clock, self.timing)
        send = SendHandler(
            self.acceptance, planning, completion, large, entries, self.gate, world.clock, locks, self.timing
        )
        parts = PartHandler(sender)
        status = StatusHandler(self.lookups, self.publisher, self.policy, world.clock, MAX_BODY)
        account = AccountHandler(
            self.lookups, self.publisher, self.policy, world.clock, self.observer, MAX_BODY
        )
        return Dispatch(
            handlers={
                **{lane: parts if lane.holds_parts else send for lane in Lane if lane.is_held},
                Lane.SEND: send,
                Lane.SEND_URGENT: send,
                Lane.SEND_PARTS: parts,
                Lane.SEND_URGENT_PARTS: parts,
                Lane.STATUS: status,
                Lane.TRACK: TrackHandler(self.lookups, self.following, locks),
                Lane.ACCOUNT: account,
                Lane.CANCEL: self.cancel,
            },
            publisher=self.publisher,
            gate=self.gate,
            observer=self.tracing.observer(self.observer),
            clock=world.clock,
            renewal=Renewal(self.acceptance, self.entries),
            waiting=WaitingRoom(self.longest_wait, self.delays),
        )


def delivery(lane: Lane, job: object, **properties: Any) -> Delivery:  # noqa: ANN401 - the fields of a delivery
    """A message from the queue of *lane*; *job* is its body, as JSON unless it is bytes."""
    body = job if isinstance(job, bytes) else json.dumps(job).encode()
    return Delivery(lane=lane, body=body, **{"routing_key": lane.value, **properties})


def progress_of(task: "asyncio.Task[Disposition]") -> Progress:
    """How far the delivery has got that *task* dispatches."""
    coroutine: Any = task.get_coro()
    return coroutine.cr_frame.f_locals["delivery"].progress if coroutine.cr_frame else Progress()


def stopping(*tasks: "asyncio.Task[Disposition]", within: float = 2.0) -> "asyncio.Task[None]":
    """Begin to end what *tasks* dispatch, as the consumer does at the end of a drain."""
    works: dict[Any, Progress] = {task: progress_of(task) for task in tasks}
    for progress in works.values():
        progress.stopped = True
    return asyncio.ensure_future(stop(works, within))


def send_job(*recipients: str, **fields: object) -> dict[str, object]:
    """A send job that skips the DND list unless it says otherwise."""
    return {"job_id": "job-1", "recipients": list(recipients), "text": "hello", "dnd": "skip", **fields}


def part_delivery(part: PartMessage, **properties: Any) -> Delivery:  # noqa: ANN401 - the fields of a delivery
    """The part as it comes from its queue."""
    return Delivery(
        lane=part.lane,
        body=part.body,
        routing_key=part.routing_key,
        message_id=part.message_id,
        correlation_id=part.correlation_id,
        reply_to=part.reply_to,
        traceparent=part.traceparent,
        **properties,
    )


def numbers(count_: int) -> tuple[str, ...]:
    """So many different Indian mobile numbers."""
    return tuple(f"9198{number:08d}" for number in range(count_))


async def handled(worker: FakeWorker, job: object, **properties: object) -> Disposition:
    """What the worker decides on, time passing as it must."""
    task = asyncio.ensure_future(worker.dispatch()(delivery(Lane.SEND, job, **properties)))
    await worker.world.clock.run(task)
    return task.result()


def started(worker: FakeWorker, job: object) -> "asyncio.Task[Disposition]":
    """A delivery that is being worked on."""
    return asyncio.ensure_future(worker.dispatch()(delivery(Lane.SEND, job)))
