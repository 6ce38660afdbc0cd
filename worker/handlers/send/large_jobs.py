"""Jobs of several parts: sent by the worker that took them, or handed out to all workers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from schemas import Outcome, part_status, result_message_id
from worker.domain.entry import Entry, Split
from worker.domain.errors import DeliveryLostError
from worker.domain.messages import Delivery, Done, JobSummary, PartMessage
from worker.handlers import parallel
from worker.handlers.entries import EntryUnreadableError, LostRaceError, Version
from worker.handlers.finishing import completed
from worker.handlers.handled import Handled
from worker.handlers.send.completion import Completion, Ended, Planned
from worker.handlers.send.head import JobHead, PartOrder, part_key
from worker.handlers.send.parts import PartSender
from worker.handlers.send.ports import SendPorts
from worker.handlers.send.record import PartRecord

_AT_ONCE = 50  # parts of one job; part messages that await their confirms together
_ROOM = 100_000  # recipients of all large jobs of a kind, bulk or urgent, that this worker sends by itself
_PATIENCE = 30.0  # seconds that a job waits for those before it; then all workers share it


@dataclass(frozen=True, slots=True)
class SplitJob:
    """A job whose plan is in the ledger.

    Attributes:
        entry: of the whole job.
        known: whether the plan was there before: then somebody may have been at its parts.
    """

    head: JobHead
    entry: Entry
    split: Split
    known: bool

    def order(self, number: int) -> PartOrder:
        """Part *number* as it travels."""
        return PartOrder.of(self.head, self.entry, self.split, number)


class LargeJobs:
    """Carries out the parts of large jobs.

    A part that is handed out costs as much again as one that is sent here: it is written, confirmed, read
    and acknowledged. So only what is worth sharing is shared: jobs above *share_above* recipients, and
    those that would have to wait here. A part that does not end in one round is handed out as well, for
    the others are done by then, and a round belongs to a delivery.

    Args:
        share_above: recipients; a larger job is handed out.
        room: recipients of the bulk jobs that are sent here at once, and of the urgent ones.
        patience: seconds that a job waits for room.
    """

    def __init__(
        self,
        completion: Completion,
        sender: PartSender,
        ports: SendPorts,
        share_above: int,
        *,
        room: int = _ROOM,
        patience: float = _PATIENCE,
    ) -> None:
        self._completion = completion
        self._sender = sender
        self._ports = ports
        self._share_above = share_above
        self._patience = patience
        # An urgent job never waits behind bulk work.
        places = max(1, room // share_above)
        self._bulk, self._urgent = asyncio.Semaphore(places), asyncio.Semaphore(places)

    @asynccontextmanager
    async def place(self, recipients: int, *, urgent: bool) -> AsyncIterator[bool]:
        """Tell whether a large job of so many may be sent here, and keep its place for the block."""
        if recipients > self._share_above:
            yield False
            return
        places = self._urgent if urgent else self._bulk
        try:
            async with asyncio.timeout(self._patience):
                await places.acquire()
        except TimeoutError:
            yield False
            return
        try:
            yield True
        finally:
            places.release()

    async def carry_out(self, job: SplitJob, delivery: Delivery, *, here: bool) -> Handled:
        """Send the parts, or hand them out; return when each has its result or is on the queue of parts.

        Raises:
            UnavailableError: the ledger, the broker or the gateway is away; the job must come again.
        """
        numbers = range(1, len(job.split.parts) + 1)
        summary = await self._send(job, delivery, numbers) if here else None
        if summary is None:
            await self._hand_out(job, delivery, numbers)
            counts = {"recipients": sum(len(part.order) for part in job.split.parts), "parts": len(numbers)}
            summary = JobSummary("send", "split", job.head.job_id, counts)
        given_up = next((one for part in job.split.parts if (one := part.given_up())), None)
        return Handled(self._completion.given_up(given_up, delivery) or Done(), summary)

    async def _send(self, job: SplitJob, delivery: Delivery, numbers: Sequence[int]) -> JobSummary | None:
        """Send every part; tell of those that ended here, None where none did."""
        ended: dict[int, Ended] = {}

        async def send(number: int) -> None:
            ended[number] = await self._one(job, number, delivery)

        try:
            await parallel.each_to_its_end(send, numbers, limit=_AT_ONCE)
        except BaseException as error:
            hurry = isinstance(error, asyncio.CancelledError)
            await completed(
                self._stay(job, [one.record for one in ended.values() if one.record]), hurry=hurry
            )
            raise
        summaries = [one.handled.summary for one in ended.values() if one.handled is not None]
        left = [number for number in numbers if ended[number].handled is None]
        if not summaries:
            return None
        await self._hand_out(job, delivery, left)
        return _together(summaries)

    async def _stay(self, job: SplitJob, records: Sequence[PartRecord]) -> None:
        """See to it that the ledger knows of parts that were sent to, before the job leaves unfinished."""
        known = [record for record in records if record.must_stay]
        if not known:
            return
        await parallel.each(PartRecord.stay, known, limit=_AT_ONCE)
        await known[0].patiently(lambda: self._plan_stays(job))

    async def _plan_stays(self, job: SplitJob) -> None:
        """Another plan would name other parts, to which the same numbers were not sent yet."""
        entries, key = self._ports.entries, job.head.job_id
        with suppress(LostRaceError, EntryUnreadableError):
            found = await entries.load(key)
            if found is None or _says_nothing(found.entry, job.head.fingerprint):
                entry = replace(job.entry, cancelled=found.entry.cancelled) if found else job.entry
                await entries.write(found or Version(key, None, entry), entry)

    async def _one(self, job: SplitJob, number: int, delivery: Delivery) -> Ended:
        part = job.split.parts[number - 1]
        key = part_key(job.head, job.entry.generation, number, part)
        begins = Entry(job.head.fingerprint, part, job.entry.revision, cancelled=job.entry.cancelled)
        version = Version(key, None, begins)
        planned = Planned(job.head, version, number, len(job.split.parts), shares_round=True)
        return await self._sender.send(planned, delivery, known=job.known)

    async def _hand_out(self, job: SplitJob, delivery: Delivery, numbers: Sequence[int]) -> None:
        """Publish parts. A repeat publishes them again: the parts' own entries tell what is done."""

        async def publish(number: int) -> None:
            if delivery.is_lost():
                raise DeliveryLostError
            await self._ports.publisher.publish_part(_part_message(job.order(number), delivery))

        await parallel.each(publish, numbers, limit=_AT_ONCE)


def _says_nothing(found: Entry, fingerprint: str) -> bool:
    """Tell whether an entry is as the first delivery of a job opens it, or a cancellation that came first."""
    return replace(found, fingerprint=found.fingerprint or fingerprint, cancelled=None) == Entry(fingerprint)


def _together(summaries: list[JobSummary]) -> JobSummary:
    """Sum up parts that ended; those that were handed out tell of themselves."""
    found: Counter[str] = Counter()
    for one in summaries:
        found.update(one.counts)
    counts = {outcome.value: found[outcome] for outcome in Outcome if outcome in found}
    status = part_status(Outcome(name) for name in counts)
    calls = sum(one.calls or 0 for one in summaries)
    return JobSummary("send", status.value, summaries[0].job_id, counts, calls)


def _part_message(order: PartOrder, delivery: Delivery) -> PartMessage:
    return PartMessage(
        lane=delivery.lane.parts_lane,
        body=order.to_json(),
        message_id=result_message_id(order.head.job_id, order.number),
        correlation_id=delivery.correlation_id or order.head.job_id,
        routing_key=delivery.routing_key,
        reply_to=delivery.reply_to,
        traceparent=delivery.traceparent,
    )
