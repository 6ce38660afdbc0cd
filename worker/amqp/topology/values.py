"""Exchanges, queues and bindings as values (docs/contract.md, 2).

One delay queue a delay serves every lane: a job is published on ``<p>.delay`` with the key
``<N>s.<lane>``, waits in ``<p>.delay.<N>s``, is dead-lettered to ``<p>.delay.done`` with the key it came
with, and there ``*.<lane>`` leads it back to its own work queue.

The looks at tracked messages have delay queues of their own: published with the key ``track.<N>s``, they wait
in ``<p>.delay.track.<N>s``, and ``track.*`` leads them to the queue of their lane. Where a setting has other
delays than before, the queues of the old ones stay on the broker and lead on as they did.

A job that is scheduled waits in the ladder (worker/amqp/topology/ladder.py). One that came outside the hours
is published on ``<p>.held`` with the lane as its key, and waits in ``<p>.<lane>.held``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from schemas import channels
from worker.amqp.topology import ladder
from worker.domain.limits import DEFAULT_DELAYS, DEFAULT_TRACK_DELAYS
from worker.domain.messages import Lane

Arguments = Mapping[str, str | int]

# RabbitMQ 4 drops a message after 20 deliveries by default, and a crash counts for the whole prefetch.
DELIVERY_LIMIT = 1_000_000
# RabbitMQ: TTL fires at a queue's head only, so one delay a queue.


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    type: str
    arguments: Arguments = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue."""

    name: str
    holds: str
    arguments: Arguments = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """From an exchange to a queue."""

    exchange: str
    queue: str
    key: str


@dataclass(frozen=True)
class Topology:
    """Everything the worker needs to exist on the broker, for one prefix.

    Attributes:
        prefix: what every name starts with, ``iton`` say.
        delays: seconds, one delay queue each; ascending.
        track_delays: the same of the looks at tracked messages, each once.
        ladder: whether jobs can be scheduled: the ladder is there. A deployment that has no use for it saves
            half of all queues, and four fifths of the time that it takes to make them.
    """

    prefix: str = channels.DEFAULT_PREFIX
    delays: tuple[int, ...] = DEFAULT_DELAYS
    track_delays: tuple[int, ...] = DEFAULT_TRACK_DELAYS
    ladder: bool = False

    def __post_init__(self) -> None:
        """Refuse delays that no queue could serve."""
        for name, delays in (("delays", self.delays), ("track_delays", self.track_delays)):
            if not delays or any(delay < 1 for delay in delays):
                raise ValueError("at least one delay of at least one second is needed")
            object.__setattr__(self, name, tuple(sorted(set(delays))))

    @property
    def jobs(self) -> str:
        """The exchange that producers publish on."""
        return channels.jobs_exchange(self.prefix)

    @property
    def dead(self) -> str:
        """The dead-letter exchange, and the queue that keeps dead letters."""
        return channels.dead(self.prefix)

    @property
    def unrouted(self) -> str:
        """The alternate exchange of the result exchanges, and its queue."""
        return channels.unrouted(self.prefix)

    @property
    def delay(self) -> str:
        """The exchange in front of the delay queues."""
        return f"{self.prefix}.delay"

    @property
    def delay_done(self) -> str:
        """The exchange that leads from the delay queues back to the work queues."""
        return f"{self.prefix}.delay.done"

    @property
    def scheduled(self) -> str:
        """The exchange in front of the ladder, where scheduled jobs wait."""
        return f"{self.prefix}.scheduled"

    @property
    def held(self) -> str:
        """The exchange in front of the held queues, where jobs wait for the hours to begin."""
        return f"{self.prefix}.held"

    @property
    def steps(self) -> tuple[int, ...]:
        """Seconds of the ladder's queues; none where jobs cannot be scheduled."""
        return ladder.STEPS if self.ladder else ()

    def step_queue(self, seconds: int) -> str:
        """The queue of one step of the ladder, and the exchange behind it."""
        return f"{self.scheduled}.{seconds}s"

    def work_queue(self, lane: Lane) -> str:
        """The queue of a lane."""
        return f"{self.prefix}.{lane.value}"

    def result_exchange(self, name: str) -> str:
        """The exchange for ``send``, ``delivery``, ``account`` or ``cancel`` results."""
        return channels.results_exchange(channels.ResultKind(name), self.prefix)

    @cached_property
    def result_exchanges(self) -> Mapping[str, str]:
        """The same for all of them."""
        return {kind.value: self.result_exchange(kind) for kind in channels.ResultKind}

    def delay_queue(self, seconds: int) -> str:
        """The queue of one configured delay."""
        return f"{self.prefix}.delay.{seconds}s"

    def track_queue(self, seconds: int) -> str:
        """The queue in which follow-ups wait for so long."""
        return f"{self.prefix}.delay.track.{seconds}s"

    def track_delay_for(self, seconds: float) -> int:
        """The smallest delay of a look of at least *seconds*, else the largest."""
        return next((delay for delay in self.track_delays if delay >= seconds), self.track_delays[-1])

    def track_key(self, seconds: int) -> str:
        """The routing key, on the delay exchange, of a follow-up that comes after *seconds*."""
        return f"track.{seconds}s"

    def delay_key(self, seconds: int, lane: Lane) -> str:
        """The routing key, on the delay exchange, that brings a job back to *lane* after *seconds*."""
        return f"{seconds}s.{lane.value}"

    def delay_for(self, seconds: float) -> int:
        """The smallest configured delay of at least *seconds*, else the largest."""
        return next((delay for delay in self.delays if delay >= seconds), self.delays[-1])

    @cached_property
    def exchanges(self) -> tuple[Exchange, ...]:
        """In an order in which they can be declared."""
        unrouted = {"alternate-exchange": self.unrouted}
        return (
            Exchange(self.jobs, "topic"),
            Exchange(self.dead, "topic"),
            Exchange(self.unrouted, "fanout"),
            *(Exchange(self.result_exchange(kind), "topic", unrouted) for kind in channels.ResultKind),
            Exchange(self.delay, "topic"),
            Exchange(self.delay_done, "topic"),
            Exchange(self.held, "topic"),
            *((Exchange(self.scheduled, "topic"),) if self.ladder else ()),
            *(Exchange(self.step_queue(seconds), "topic") for seconds in self.steps),
        )

    @cached_property
    def queues(self) -> tuple[Queue, ...]:
        """Work queues first."""
        return (
            *(Queue(self.work_queue(lane), "jobs", _forwarding(self.dead)) for lane in Lane),
            *(self._delay_queue(seconds) for seconds in self.delays),
            *(self._track_queue(seconds) for seconds in self.track_delays),
            *(self._step_queue(seconds) for seconds in self.steps),
            Queue(self.unrouted, "results that no queue was bound for", _quorum()),
            Queue(self.dead, "dead letters", _quorum()),
        )

    def _delay_queue(self, seconds: int) -> Queue:
        arguments = {**_forwarding(self.delay_done), "x-message-ttl": seconds * 1000}
        return Queue(self.delay_queue(seconds), f"jobs that wait {seconds} s", arguments)

    def _track_queue(self, seconds: int) -> Queue:
        arguments = {**_forwarding(self.delay_done), "x-message-ttl": seconds * 1000}
        return Queue(self.track_queue(seconds), f"tracked messages, looked at in {seconds} s", arguments)

    def _step_queue(self, seconds: int) -> Queue:
        name = self.step_queue(seconds)
        arguments = {**_forwarding(name), "x-message-ttl": seconds * 1000}
        return Queue(name, f"scheduled jobs, for {seconds} s", arguments)

    @cached_property
    def bindings(self) -> tuple[Binding, ...]:
        """Parts queues have none for jobs: they are published to by name."""
        return (
            *(Binding(self.jobs, channels.work_queue(key, self.prefix), key) for key in channels.JobKey),
            *(Binding(self.delay, self.delay_queue(seconds), f"{seconds}s.#") for seconds in self.delays),
            *(Binding(self.delay, self.track_queue(one), self.track_key(one)) for one in self.track_delays),
            *(Binding(self.delay_done, self.work_queue(lane), f"*.{lane.value}") for lane in Lane),
            Binding(self.delay_done, self.work_queue(Lane.TRACK), "track.*"),
            *(
                Binding(self.held, self.work_queue(lane), lane.open_lane.value)
                for lane in Lane
                if lane.is_held
            ),
            *self._ladder(),
            Binding(self.unrouted, self.unrouted, ""),
            Binding(self.dead, self.dead, "#"),
        )

    def _ladder(self) -> Iterator[Binding]:
        for height, seconds in enumerate(self.steps):
            for step, key in ladder.steps_below(height):
                yield Binding(self.step_queue(seconds), self.step_queue(step), key)
            for lane in ladder.LANES:
                key = ladder.ground_below(height, lane)
                yield Binding(self.step_queue(seconds), self.work_queue(lane), key)
        for step, key in ladder.steps_below(len(self.steps)):
            yield Binding(self.scheduled, self.step_queue(step), key)

    def to_json(self) -> dict[str, Any]:
        """Stable, for those who declare the topology beforehand."""
        return {
            "prefix": self.prefix,
            "exchanges": [
                {"name": x.name, "type": x.type, "durable": True, "arguments": dict(x.arguments)}
                for x in self.exchanges
            ],
            "queues": [
                {"name": q.name, "durable": True, "arguments": dict(q.arguments), "holds": q.holds}
                for q in self.queues
            ],
            "bindings": [
                {"exchange": b.exchange, "queue": b.queue, "routing_key": b.key} for b in self.bindings
            ],
        }

    def rows(self) -> list[tuple[str, str, str, str]]:
        """For people: kind, name, type or key, and the rest."""
        return [
            *(("exchange", x.name, x.type, _spell(x.arguments)) for x in self.exchanges),
            *(("queue", q.name, q.holds, _spell(q.arguments)) for q in self.queues),
            *(("binding", b.queue, b.key or "(any key)", f"from {b.exchange}") for b in self.bindings),
        ]


def _quorum() -> dict[str, str | int]:
    return {"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT}


def _forwarding(exchange: str) -> dict[str, str | int]:
    """Arguments of a queue whose expired messages reach *exchange* for certain.

    At-least-once dead-lettering is only given together with ``reject-publish``.
    """
    return {
        **_quorum(),
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _spell(arguments: Arguments) -> str:
    return ", ".join(f"{name}={value}" for name, value in arguments.items())
