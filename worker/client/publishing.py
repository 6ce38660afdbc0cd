"""Publishes prepared jobs: mandatory, confirmed, many at the same time; says of each what is certain."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from schemas.channels import CONTENT_TYPE
from worker.amqp.connection.calls import describe
from worker.amqp.connection.library import ChannelAccessRefused
from worker.amqp.publish.confirms import ConfirmChannel
from worker.amqp.publish.outgoing import Outgoing
from worker.amqp.publish.window import RefusedError, UnroutableError
from worker.amqp.topology.values import Topology
from worker.amqp.wire.properties import Properties
from worker.client.access import BrokerAccess, broker_errors, visit
from worker.client.passive import consumers_of, insist_on_exchanges, is_prefix_right
from worker.client.prepared import PreparedJob
from worker.domain.errors import BrokerUnavailableError, WorkerError

_IN_FLIGHT = 256


class NotTakenError(BrokerUnavailableError):
    """The broker answered that it did not take the job: it is on no queue."""


class Fate(StrEnum):
    """What is certain of one job."""

    WAITING = "not published"
    PUBLISHED = "published"
    REFUSED = "refused"
    UNKNOWN = "may have been published"


@dataclass(slots=True)
class Publishing:
    """How far the jobs have come; right at any moment, also after an interruption.

    Attributes:
        fates: one for each job, in their order.
    """

    jobs: Sequence[PreparedJob]
    fates: list[Fate] = field(init=False)

    def __post_init__(self) -> None:
        self.fates = [Fate.WAITING] * len(self.jobs)

    def having(self, *fates: Fate) -> list[PreparedJob]:
        """Return the jobs of which one of *fates* is certain."""
        return [job for job, fate in zip(self.jobs, self.fates, strict=True) if fate in fates]


@dataclass(frozen=True, slots=True)
class Watch:
    """Who hears of what happens.

    Attributes:
        on_ready: the broker is there and nothing is published yet; gets queues that no worker consumes.
        on_confirmed: one more job is on its queue.
    """

    on_ready: Callable[[list[str]], None] = lambda _idle: None
    on_confirmed: Callable[[], None] = lambda: None


async def publish_jobs(access: BrokerAccess, publishing: Publishing, watch: Watch) -> None:
    """Publish every job and wait for its confirm. Nothing is declared: a mistyped prefix makes no queues.

    Raises:
        BrokerUnavailableError: a job was not confirmed, or no queue takes it. All may be published again
            under their ids: the worker carries each out once.
        TopologyError: there is no exchange for jobs; nothing was published.
    """
    topology = access.topology
    async with visit(access, name="submit") as connection:
        await insist_on_exchanges(connection, [topology.jobs], topology.prefix)
        queues = sorted({f"{topology.prefix}.{job.routing_key}" for job in publishing.jobs})
        counts = {queue: await consumers_of(connection, queue) for queue in queues}
        channel = ConfirmChannel(access.confirm_within)
        await channel.attach(connection)
        watch.on_ready([queue for queue, count in counts.items() if count == 0])
        await _publish_all(channel, topology, publishing, watch.on_confirmed)


async def _publish_all(
    channel: ConfirmChannel, topology: Topology, publishing: Publishing, on_confirmed: Callable[[], None]
) -> None:
    failures: list[WorkerError] = []
    numbered: Iterator[tuple[int, PreparedJob]] = iter(enumerate(publishing.jobs))

    async def publish_some() -> None:
        for number, job in numbered:
            if failures:
                return
            # Before the call: whoever interrupts it cannot know either.
            publishing.fates[number] = Fate.UNKNOWN
            try:
                await _publish(channel, topology, job)
            except WorkerError as error:
                failures.append(error)
                if isinstance(error, NotTakenError):
                    publishing.fates[number] = Fate.REFUSED
            else:
                publishing.fates[number] = Fate.PUBLISHED
                on_confirmed()

    async with asyncio.TaskGroup() as group:
        for _ in range(_IN_FLIGHT):
            group.create_task(publish_some())
    if failures:
        raise failures[0]


async def _publish(channel: ConfirmChannel, topology: Topology, job: PreparedJob) -> None:
    properties = Properties.of(
        content_type=CONTENT_TYPE,
        message_id=job.job_id,
        timestamp=datetime.now(UTC),
        app_id="iton-worker-submit",
    )
    with broker_errors():
        try:
            await channel.publish(Outgoing.of(topology.jobs, job.routing_key, job.body, properties))
        except UnroutableError as error:
            words = f"{error.detail}; {is_prefix_right(topology.prefix)}"
            raise NotTakenError("unroutable", words) from None
        except RefusedError:
            words = "the broker refused the job (nack): its queue is full, or cannot be written at the moment"
            raise NotTakenError("refused", words) from None
        except ChannelAccessRefused as error:
            raise NotTakenError("access_refused", describe(error)) from None
