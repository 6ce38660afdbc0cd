"""What travels between the broker's edge and the handlers: deliveries in, messages out, dispositions."""

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from schemas import JobKind
from worker.domain.progress import Progress
from worker.domain.replay import Replay
from worker.domain.value import value


class Lane(StrEnum):
    """The work queues, by the part of their name behind the prefix.

    Attributes:
        kind: what its jobs ask for.
        is_urgent: whether its jobs go before others.
    """

    kind: JobKind
    is_urgent: bool

    SEND = "send"
    SEND_URGENT = "send.urgent"
    SEND_PARTS = "send.parts"
    SEND_URGENT_PARTS = "send.urgent.parts"
    SEND_HELD = "send.held"
    SEND_URGENT_HELD = "send.urgent.held"
    SEND_PARTS_HELD = "send.parts.held"
    SEND_URGENT_PARTS_HELD = "send.urgent.parts.held"
    STATUS = "status"
    TRACK = "status.track"
    ACCOUNT = "account"
    API = "api"
    CANCEL = "cancel"

    @property
    def holds_parts(self) -> bool:
        """Whether parts of large jobs come through it."""
        return self in _PARTS

    @property
    def is_held(self) -> bool:
        """Whether its jobs wait for the hours to begin."""
        return self in _OPEN

    @property
    def parts_lane(self) -> "Lane":
        """Where the parts of a large job from this lane go."""
        return Lane.SEND_URGENT_PARTS if self.is_urgent else Lane.SEND_PARTS

    @property
    def held_lane(self) -> "Lane":
        """Where jobs from this lane wait for the hours to begin."""
        return _HELD[self]

    @property
    def open_lane(self) -> "Lane":
        """Where jobs are that do not wait for the hours: of a held lane, the one that it belongs to."""
        return _OPEN.get(self, self)


_HELD = {
    Lane.SEND: Lane.SEND_HELD,
    Lane.SEND_URGENT: Lane.SEND_URGENT_HELD,
    Lane.SEND_PARTS: Lane.SEND_PARTS_HELD,
    Lane.SEND_URGENT_PARTS: Lane.SEND_URGENT_PARTS_HELD,
}
_OPEN = {held: lane for lane, held in _HELD.items()}
_URGENT = frozenset(
    {
        Lane.SEND_URGENT,
        Lane.SEND_URGENT_PARTS,
        Lane.SEND_URGENT_HELD,
        Lane.SEND_URGENT_PARTS_HELD,
        Lane.CANCEL,
    }
)
for _lane in Lane:
    _lane.kind = JobKind(_lane.value.partition(".")[0])
    _lane.is_urgent = _lane in _URGENT
_PARTS = frozenset(
    {Lane.SEND_PARTS, Lane.SEND_URGENT_PARTS, Lane.SEND_PARTS_HELD, Lane.SEND_URGENT_PARTS_HELD}
)


def never() -> bool:
    """Tell that it is not."""
    return False


@value
class Delivery:
    """One message from a work queue, with the properties that the worker reads.

    Attributes:
        lane: the queue it came from.
        body: the raw bytes.
        routing_key: the key that the job first came with, also after a delay or a split.
        attempts: rounds through a delay queue so far (0 for a new job).
        first_seen: when a worker first put it on a delay queue; None before that.
        published_at: the producer's ``timestamp`` property, if any.
        traceparent: W3C trace context, if it is well-formed.
        redelivered: the broker's flag; a hint and no more.
        replay: set on a dead letter that an operator gave another chance.
        is_lost: tells whether the broker has it again and hands it out once more: what has not begun is then
            another delivery's to do, and what has ends without copies.
        progress: how far the work on it has got.
        waited: it was scheduled, or held: what it has in its headers of dead letters is of that.
    """

    lane: Lane
    body: bytes
    routing_key: str
    message_id: str | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    traceparent: str | None = None
    attempts: int = 0
    first_seen: datetime | None = None
    published_at: datetime | None = None
    redelivered: bool = False
    replay: Replay | None = None
    is_lost: Callable[[], bool] = field(default=never, compare=False, repr=False)
    progress: Progress = field(default_factory=Progress, compare=False, repr=False)
    waited: bool = False


ResultExchange = Literal["send", "delivery", "account", "api", "cancel"]


@value
class ResultMessage:
    """A result to publish on ``<prefix>.results.<exchange>``, and to *reply_to* if there is such a queue.

    Attributes:
        exchange: ``send``, ``delivery``, ``account``, ``api`` or ``cancel``.
        routing_key: ``send.accepted``, say.
        body: JSON, UTF-8.
        message_id: the same on every re-publication.
    """

    exchange: ResultExchange
    routing_key: str
    body: bytes
    message_id: str
    correlation_id: str | None
    reply_to: str | None = None
    traceparent: str | None = None

    @property
    def type(self) -> str:
        """The AMQP ``type`` property, ``send.result.v1`` say."""
        return f"{self.exchange}.result.v1"


@value
class PartMessage:
    """A part of a large job, for the parts queue of its lane.

    Attributes:
        routing_key: the key that the whole job came with; travels in a header of ours.
        replay: of the whole job.
    """

    lane: Lane
    body: bytes
    message_id: str
    correlation_id: str | None
    routing_key: str
    reply_to: str | None = None
    traceparent: str | None = None


@value
class FollowUpMessage:
    """The next look at tracked messages, for the delay queue of tracking.

    Attributes:
        seconds: until it comes; one of `WORKER_TRACK_DELAYS`.
        routing_key: the key that the send job came with; travels in a header of ours.
    """

    seconds: int
    body: bytes
    message_id: str
    correlation_id: str | None
    routing_key: str
    reply_to: str | None = None
    traceparent: str | None = None


@value
class Done:
    """Everything was published: acknowledge."""


@value
class DeadLetter:
    """Copy the delivery to the dead-letter exchange, then acknowledge.

    Attributes:
        reason: a code, for ``x-iton-reason``.
        detail: a sentence, for ``x-iton-detail``.
        traceparent: what a replay continues; None: as it came.
    """

    reason: str
    detail: str
    traceparent: str | None = None


@value
class Delay:
    """Copy the delivery to the delay queue of *seconds* with its attempt count raised, then acknowledge.

    Attributes:
        counts: False: the wait is no attempt of the job's, it only makes way for others.
        traceparent: what the next round continues; None: as it came.
    """

    seconds: int
    reason: str
    traceparent: str | None = None
    counts: bool = True


@value
class Schedule:
    """Copy the delivery to the ladder, from where it comes back in so many *seconds*, then acknowledge.

    That is no attempt of the job's.
    """

    seconds: int
    reason: str


@value
class Hold:
    """Copy the delivery to the held queue of its lane, then acknowledge. No attempt either."""

    reason: str


@value
class Requeue:
    """Give it back to its queue: nothing was decided."""

    reason: str


Disposition = Done | DeadLetter | Delay | Schedule | Hold | Requeue

UNFINISHED = (Delay, Schedule, Hold, Requeue)
"""Those of a job that comes again."""


@value
class JobSummary:
    """What the canonical log line and the metrics tell of a job. Never a number, a text or a credential.

    Attributes:
        calls: sendSMS requests that went out for the job, or may have, by whatever worker; None of a job
            that makes none, or whose end is still open.
    """

    kind: str
    result: str
    job_id: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    calls: int | None = None
