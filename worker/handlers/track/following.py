"""Accepted messages of a part get an entry, and the message that brings their next look."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from pydantic import JsonValue

from schemas import tracking_message_id
from worker.domain.entry import Part
from worker.domain.errors import EntryUnusableError, UnavailableError
from worker.domain.messages import Delivery, FollowUpMessage
from worker.domain.tracking import Unit, accepted_messages, delay_of
from worker.handlers.entries import LostRaceError, Store, Version
from worker.handlers.track.follow_up import FollowUp
from worker.handlers.track.verdict import Judge
from worker.ports import Clock, Observer, Publisher

log = structlog.get_logger(__name__)

_MOST_RACES = 20


@dataclass(frozen=True, slots=True)
class Source:
    """The part of a send job that messages come from."""

    job_id: str
    fingerprint: str
    part: int
    parts: int
    metadata: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Following:
    """Publishes looks that are due later, and lets the ledger name them.

    Attributes:
        delays: seconds, one a step; the last one repeats.
        draw_nonce: returns what no other message has.
    """

    units: Store[Unit]
    publisher: Publisher
    clock: Clock
    observer: Observer
    judge: Judge
    delays: tuple[int, ...]
    draw_nonce: Callable[[], str]

    async def follow(self, source: Source, plan: Part, delivery: Delivery) -> None:
        """Have all accepted messages of *plan* followed; those that are, or were, stay as they are.

        Raises:
            UnavailableError: the ledger or the broker is away.
        """
        messages = accepted_messages(plan, now=self._now())
        if not messages:
            return
        first = FollowUp(
            job_id=source.job_id,
            fingerprint=source.fingerprint,
            part=source.part,
            parts=source.parts,
            metadata=dict(source.metadata),
            look=1,
            nonce="",
            messages=[],
        )
        for _ in range(_MOST_RACES):
            try:
                found = await self.units.load(first.key)
            except EntryUnusableError as error:
                # Whoever wrote it had a message on its way before, which has what is open.
                log.warning("tracking.unreadable", job=source.job_id, part=source.part, reason=error.detail)
                return
            kept: Version[Unit | None] = found or Version(first.key, None, None)
            unit = (kept.entry or Unit(look=0)).with_more(messages)
            more = len(unit.open) - (len(kept.entry.open) if kept.entry else 0)
            if not more:
                return
            try:
                await self._added(kept, unit, first, delivery)
            except LostRaceError:
                continue
            self.observer.tracking_begun(more)
            return
        raise UnavailableError("entry_contended", "the entry of tracked messages changes all the time")

    async def _added(
        self, kept: Version[Unit | None], unit: Unit, first: FollowUp, delivery: Delivery
    ) -> None:
        """Have a look of their own brought soon; the message that brought the next one is of no use then."""
        if unit.unpublished:
            # Whoever recorded them publishes them, and goes on from there.
            await self.units.write(kept, unit)
            return
        await self.go_on(kept, first, unit, delivery, look=unit.look + 1)

    async def go_on(
        self, kept: Version[Unit | None], brought_by: FollowUp, unit: Unit, delivery: Delivery, *, look: int
    ) -> None:
        """Publish what brings *look*, then have the entry name it; where nothing is open, none is brought.

        Raises:
            LostRaceError: somebody else has changed the entry: what was published is of no use.
            UnavailableError: the ledger or the broker is away.
        """
        nonce = self.draw_nonce() if unit.open else ""
        unit = unit.at(look, nonce, step=unit.step)
        if unit.open:
            await self.publisher.publish_follow_up(
                self._message(brought_by.next(unit, nonce), unit, delivery)
            )
        await self.units.write(kept, unit)

    def _message(self, follow_up: FollowUp, unit: Unit, delivery: Delivery) -> FollowUpMessage:
        left = self.judge.left(unit.open, self._now())
        return FollowUpMessage(
            seconds=delay_of(self.delays, unit.step, left),
            body=follow_up.to_json(),
            message_id=tracking_message_id(follow_up.job_id, unit.look),
            correlation_id=delivery.correlation_id or follow_up.job_id,
            routing_key=delivery.routing_key,
            reply_to=delivery.reply_to,
            traceparent=delivery.traceparent,
        )

    def _now(self) -> float:
        return self.clock.now().timestamp()
