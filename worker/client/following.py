"""Follows results on a queue of its own, which goes when nobody reads it any more."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from schemas.channels import ResultKind, results_exchange
from worker.amqp.connection.calls import bounded, open_channel, underlay_of
from worker.amqp.connection.library import DeliveredMessage, UnderlayChannel
from worker.amqp.connection.opening import RawConnection
from worker.client.access import BrokerAccess, visit
from worker.client.passive import insist_on_exchanges
from worker.domain.errors import BrokerUnavailableError

_CALL_LIMIT = 10.0
# So many results may wait for a slow reader of ours; the rest waits on the broker.
_PREFETCH = 1_000


@dataclass(frozen=True, slots=True)
class SeenResult:
    """A result as it came.

    Attributes:
        body: the JSON object; under ``unreadable`` the text of what is none.
    """

    routing_key: str
    body: dict[str, Any]


@dataclass(slots=True)
class Awaited:
    """Which jobs are waited for, and which parts of them have come.

    Attributes:
        job_ids: empty: all jobs, for ever.
    """

    job_ids: frozenset[str]
    _parts: dict[str, set[int]] = field(default_factory=dict)
    _complete: set[str] = field(default_factory=set)

    def wants(self, result: SeenResult) -> bool:
        """Tell whether the result is of one of the jobs."""
        job_id = result.body.get("job_id")
        return not self.job_ids or (isinstance(job_id, str) and job_id in self.job_ids)

    def note(self, result: SeenResult) -> None:
        """Take a result that is wanted."""
        job_id = str(result.body.get("job_id"))
        if "track" in result.body:
            return  # what became of its messages; its own results are counted
        part, parts = result.body.get("part", 1), result.body.get("parts", 1)
        if not (isinstance(part, int) and isinstance(parts, int)):
            return  # somebody else's: no worker counts so
        come = self._parts.setdefault(job_id, set())
        come.add(part)
        if len(come) >= parts:
            self._complete.add(job_id)

    @property
    def over(self) -> bool:
        """Tell whether every part of every job has come."""
        return bool(self.job_ids) and self.job_ids <= self._complete


async def follow(
    access: BrokerAccess, kinds: Iterable[ResultKind], on_ready: Callable[[], None] = lambda: None
) -> AsyncGenerator[SeenResult]:
    """Yield results of *kinds* as they come, without end. Nothing is declared but the queue of its own.

    Args:
        access: which broker.
        kinds: which result exchanges.
        on_ready: called once nothing can be missed any more.

    Raises:
        BrokerUnavailableError: no connection, or it was lost.
        TopologyError: there are no such exchanges.
    """
    async with visit(access, name="results") as connection:
        exchanges = [results_exchange(kind, access.topology.prefix) for kind in kinds]
        await insist_on_exchanges(connection, exchanges, access.topology.prefix)
        arrivals: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
        channel = await _subscribed(connection, exchanges, arrivals)
        on_ready()
        lost: asyncio.Future[bool] = asyncio.ensure_future(_closed(connection))
        try:
            while True:
                message = await _next(arrivals, lost)
                yield read_result(message.routing_key, message.body)
                await bounded(channel.basic_ack(message.delivery_tag or 0), _CALL_LIMIT)
        finally:
            lost.cancel()


def read_result(routing_key: str | None, raw: bytes) -> SeenResult:
    """Read what came; never raises, whoever published it."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        body = {"unreadable": raw.decode("utf-8", "backslashreplace")}
    return SeenResult(routing_key or "", body)


async def _subscribed(
    connection: RawConnection,
    exchanges: Iterable[str],
    arrivals: "asyncio.Queue[DeliveredMessage]",
) -> UnderlayChannel:
    library_channel = await open_channel(connection.library, _CALL_LIMIT)
    channel = await underlay_of(library_channel)
    await bounded(channel.basic_qos(prefetch_count=_PREFETCH), _CALL_LIMIT)
    declared = await bounded(channel.queue_declare("", exclusive=True, auto_delete=True), _CALL_LIMIT)
    queue = str(declared.queue) if declared else ""
    for exchange in exchanges:
        await bounded(channel.queue_bind(queue, exchange, "#"), _CALL_LIMIT)
    await bounded(channel.basic_consume(queue, arrivals.put), _CALL_LIMIT)
    return channel


async def _closed(connection: RawConnection) -> bool:
    await connection.lost()
    return True


async def _next(
    arrivals: "asyncio.Queue[DeliveredMessage]", lost: "asyncio.Future[bool]"
) -> DeliveredMessage:
    arrival = asyncio.ensure_future(arrivals.get())
    try:
        waiting: set[asyncio.Future[DeliveredMessage] | asyncio.Future[bool]] = {arrival, lost}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if arrival.done():
            return arrival.result()
    finally:
        arrival.cancel()
    raise BrokerUnavailableError("connection_lost", "the connection was closed; results may have been missed")
