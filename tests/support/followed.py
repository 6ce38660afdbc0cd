"""A broker and workers that follow messages, in virtual time: any step may be the last one of a worker."""

import asyncio
import heapq
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from tests.support.fake_worker import FakeWorker, World, delivery, send_job
from tests.support.fakes import FakeClock, FakeGateway, FakePublisher
from worker.domain.entry import Call, CallState, Part, accepted
from worker.domain.errors import OutcomeUncertainError
from worker.domain.messages import (
    Delay,
    Delivery,
    Done,
    FollowUpMessage,
    Lane,
    PartMessage,
    Requeue,
    ResultMessage,
)
from worker.handlers.track.following import Source
from worker.ports import MessageReport, RecipientStatus


class Killed(BaseException):
    """The worker is gone, in the middle of what it did."""


class SteppingPublisher(FakePublisher):
    """Tells of the moments before and after each publication."""

    step: Callable[[], None] = staticmethod(lambda: None)
    pause: Callable[[], Awaitable[object]]

    async def publish_result(self, result: ResultMessage) -> None:
        """As the broker does it."""
        self.step()
        await super().publish_result(result)
        self.step()

    async def publish_part(self, part: PartMessage) -> None:
        """Likewise."""
        self.step()
        await super().publish_part(part)
        self.step()

    async def publish_follow_up(self, follow_up: FollowUpMessage) -> None:
        """Likewise."""
        self.step()
        await super().publish_follow_up(follow_up)
        self.step()
        await self.pause()


class LookedAt(FakeGateway):
    """Remembers when it was asked, and may not answer.

    Attributes:
        times: seconds on the clock of each question about messages.
        failing_until: the same; before that no question is answered.
    """

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.times: list[float] = []
        self.failing_until = 0.0

    async def message_status(self, message_ids: Sequence[str]) -> Mapping[str, MessageReport]:
        """As the fake does it."""
        self.times.append(self.clock.elapsed())
        if self.clock.elapsed() < self.failing_until:
            raise OutcomeUncertainError("reply_unreadable", "nonsense")
        return await super().message_status(message_ids)


def report(recipient: str, word: str, status: str) -> MessageReport:
    """What the gateway says of a message with one recipient."""
    return MessageReport("ITON", None, "hello", (RecipientStatus(recipient, status, word),))


@dataclass
class Scene:
    """One job that is followed to its end.

    Attributes:
        kills: numbers of the steps at which the worker that makes them dies.
        late: what a dead worker had in hand comes again after all else that is due by then.
        ripe: seconds after acceptance at which a recipient's status is final; None: never.
    """

    recipients: tuple[str, ...]
    kills: tuple[int, ...] = ()
    late: bool = False
    ripe: Callable[[str], float | None] = lambda _: 45.0
    limit: float = 600.0
    steps: int = 0
    dead: bool = False
    after_follow_up: Callable[[], Awaitable[object]] | None = None
    world: World = field(init=False)
    gateway: LookedAt = field(init=False)
    worker: FakeWorker = field(init=False)
    waiting: list[tuple[float, int, Delivery]] = field(default_factory=list)
    numbers: Any = field(default_factory=count)
    began: float = 0.0

    def __post_init__(self) -> None:
        publisher = SteppingPublisher()
        publisher.step = self.step
        publisher.pause = self._pause
        self.world = World(publisher=publisher)
        self.world.gateway = self.gateway = LookedAt(self.world.clock)
        self.worker = FakeWorker(self.world, track_limit=self.limit)
        self.began = self.world.clock.elapsed()

        async def ledger_step(_: str) -> None:
            self.step()

        self.world.ledger.before = self.world.ledger.after = ledger_step

    async def _pause(self) -> None:
        if self.after_follow_up:
            await self.after_follow_up()

    def step(self) -> None:
        """One more; it may be the worker's last."""
        self.steps += 1
        self.dead = self.dead or self.steps in self.kills
        if self.dead:
            raise Killed

    @property
    def age(self) -> float:
        """Seconds since the beginning."""
        return self.world.clock.elapsed() - self.began

    def put(self, one: Delivery, after: float = 0.0) -> None:
        """Have a message come after so many seconds."""
        heapq.heappush(self.waiting, (self.age + after, next(self.numbers), one))

    async def to_the_end(self, **fields: object) -> None:
        """Publish the job, and serve all that comes until nothing does."""
        job = send_job(*self.recipients, track=True, metadata={"a": 1}, **fields)
        self.put(delivery(Lane.SEND, job, reply_to="my-queue", correlation_id="mine"))
        await self.served()

    async def begun(self) -> None:
        """Publish the job, and have it sent."""
        await self.handled(delivery(Lane.SEND, send_job(*self.recipients, track=True, metadata={"a": 1})))

    async def at_once(self, *some: Delivery) -> None:
        """Have each handled by a worker of its own, in step with the others."""

        async def turn(_: str = "") -> None:
            await asyncio.sleep(0)

        self.ripen()
        self.world.ledger.before, self.world.publisher.before = turn, turn
        workers = [FakeWorker(self.world, track_limit=self.limit).dispatch() for _ in some]
        assert [Done()] * len(some) == await asyncio.gather(
            *(worker(one) for worker, one in zip(workers, some, strict=True))
        )
        self._collect()

    async def served(self) -> None:
        """Serve all that comes until nothing does."""
        for _ in range(10_000):
            if not self.waiting:
                return
            due, _, one = heapq.heappop(self.waiting)
            self.world.clock.leap(max(due - self.age, 0.0))
            await self.handled(one)
        raise AssertionError("it goes on for ever")

    async def handled(self, one: Delivery) -> None:
        """Have a worker, new where the one before it is dead, do what is to be done."""
        self.ripen()
        task = asyncio.ensure_future(self.worker.dispatch()(one))
        try:
            await self.world.clock.run(asyncio.wait({task}))
            disposition = task.result()
        except Killed:
            self.dead = False
            self.worker = FakeWorker(self.world, track_limit=self.limit)
            self.put(replace(one, redelivered=True), 200.0 if self.late else 0.0)
        else:
            match disposition:
                case Delay(seconds):
                    self.put(one, seconds)
                case Requeue():
                    self.put(replace(one, redelivered=True), 1.0)
                case other:
                    assert Done() == other
        self._collect()

    def ripen(self) -> None:
        """Have the gateway know by now what it should."""
        for recipient, ids in self.world.gateway.given.items():
            at = self.ripe(recipient)
            word, status = (
                ("DELIVRD", "delivered") if at is not None and self.age >= at else ("SENT", "pending")
            )
            self.world.gateway.reports.update(dict.fromkeys(ids, report(recipient, word, status)))

    def _collect(self) -> None:
        publisher = self.world.publisher
        for one in publisher.follow_ups:
            self.put(
                Delivery(
                    Lane.TRACK, one.body, one.routing_key, one.message_id, one.correlation_id, one.reply_to
                ),
                one.seconds,
            )
        publisher.follow_ups.clear()

    async def revised(self, ids: dict[str, tuple[str, ...]]) -> None:
        """Have ids come by a late reply to the job, and serve what follows from it."""
        job = delivery(Lane.SEND, send_job(*self.recipients, track=True, metadata={"a": 1}))
        _, head = self.worker.acceptance.send_job(job)
        self.gateway.given |= {name: list(of) for name, of in ids.items()}
        settled = tuple(accepted(name, of[0]) for name, of in ids.items())
        call = Call(tuple(ids), CallState.DONE, 1, self.world.clock.now().timestamp(), settled)
        source = Source(head.job_id, head.fingerprint, 1, 1, head.metadata)
        await self.worker.following.follow(source, Part(tuple(ids), calls=(call,)), job)
        self._collect()
        await self.served()

    @property
    def looks(self) -> list[float]:
        """Seconds from the beginning to each question about messages."""
        return [at - self.began for at in self.gateway.times]

    @property
    def tracked(self) -> dict[str, dict[str, Any]]:
        """Each tracked result by its message id; two of one id must be the same."""
        found: dict[str, ResultMessage] = {}
        for one in self.world.publisher.results:
            if "/track/" in one.message_id:
                assert found.setdefault(one.message_id, one).body == one.body
        return {name: json.loads(one.body) for name, one in found.items()}

    @property
    def ends(self) -> Counter[str]:
        """How many tracked results each message is in."""
        return Counter(
            message["message_id"] for body in self.tracked.values() for message in body["messages"]
        )

    @property
    def accepted(self) -> set[str]:
        """The ids that send results named."""
        sends = [json.loads(one.body) for one in self.world.publisher.results if one.exchange == "send"]
        return {one["message_id"] for body in sends for one in body["recipients"] if "message_id" in one}
