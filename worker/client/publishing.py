"""Publishes prepared jobs: mandatory, confirmed, many at the same time."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from schemas.channels import CONTENT_TYPE
from worker.amqp.codec import Outgoing
from worker.amqp.confirms import ConfirmChannel, UnroutableError
from worker.amqp.declare import prepare
from worker.amqp.topology import Topology
from worker.amqp.wire import Properties
from worker.client.access import BrokerAccess, broker_errors, visit
from worker.client.prepared import PreparedJob
from worker.domain.errors import BrokerUnavailableError, WorkerError

_IN_FLIGHT = 256


async def publish_jobs(
    access: BrokerAccess, jobs: Iterable[PreparedJob], on_confirmed: Callable[[PreparedJob], None]
) -> None:
    """Publish every job and wait for its confirm; *on_confirmed* hears of each, not in order.

    Raises:
        BrokerUnavailableError: a job was not confirmed, or no queue takes it. Those that *on_confirmed* heard
            of are safe; all may be published again, since they keep their ids.
        TopologyError: what the jobs need is not on the broker.
    """
    async with visit(access, name="submit") as connection:
        await prepare(connection.library, access.topology, may_declare=access.declare)
        channel = ConfirmChannel(access.confirm_within)
        await channel.attach(connection)
        await _publish_all(channel, access.topology, iter(jobs), on_confirmed)


async def _publish_all(
    channel: ConfirmChannel,
    topology: Topology,
    jobs: Iterator[PreparedJob],
    on_confirmed: Callable[[PreparedJob], None],
) -> None:
    failures: list[WorkerError] = []

    async def publish_some() -> None:
        for job in jobs:
            if failures:
                return
            try:
                await _publish(channel, topology, job)
            except WorkerError as error:
                failures.append(error)
            else:
                on_confirmed(job)

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
    try:
        with broker_errors():
            await channel.publish(Outgoing(topology.jobs, job.routing_key, job.body, properties))
    except UnroutableError as error:
        raise BrokerUnavailableError(
            "unroutable", f"{error.detail}; declare the queues with `iton-worker topology --declare`"
        ) from None
