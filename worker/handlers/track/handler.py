"""A look at tracked messages: ask, record what has its end, publish it, have the next look brought."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

import structlog

from schemas import FailureCode
from worker.domain.errors import DeliveryLostError, EntryUnusableError, UnavailableError, WorkerError
from worker.domain.messages import Delay, Delivery, Done, JobSummary
from worker.domain.tracking import Unit, delay_of, track_number
from worker.handlers.entries import EntryUnreadableError, LostRaceError, Version
from worker.handlers.handled import Handled
from worker.handlers.lookups import Lookups
from worker.handlers.publication import tracked_message
from worker.handlers.track.follow_up import FollowUp, read_follow_up
from worker.handlers.track.following import Following
from worker.handlers.track.verdict import Answers, Ending, is_no_answer, results_of
from worker.ports import Locks

log = structlog.get_logger(__name__)

_MOST_RACES = 20
# Seconds that a look waits for its turn behind all other work; a broker takes back what is in hand for half
# an hour. Then it waits in its delay queue.
_LONGEST = 600.0
_KIND = "track"


class _NoAnswerError(Exception):
    """Nothing was learnt; the same look is due again later."""

    def __init__(self, code: str, step: int) -> None:
        super().__init__(code)
        self.code = code
        self.step = step


@dataclass(frozen=True, slots=True)
class TrackHandler:
    """Carries out the looks that follow-ups bring."""

    lookups: Lookups
    following: Following
    locks: Locks

    async def handle(self, delivery: Delivery) -> Handled:
        """Look, record, publish; return what to do with the delivery.

        Raises:
            JobRejectedError: it is no follow-up of a worker.
            UnavailableError: the ledger, the broker or the gateway is away.
        """
        follow_up = read_follow_up(delivery.body)
        async with self.locks.holding(follow_up.key):
            if delivery.is_lost():
                raise DeliveryLostError
            try:
                return await self._carried_out(follow_up, delivery)
            except _NoAnswerError as error:
                return await self._later(follow_up, error)

    async def _carried_out(self, follow_up: FollowUp, delivery: Delivery) -> Handled:
        for _ in range(_MOST_RACES):
            kept = await self._kept(follow_up)
            if not follow_up.brings(kept.entry):
                return _handled("dropped", follow_up)
            try:
                return await self._looked(kept, follow_up, delivery)
            except LostRaceError:
                continue
        raise UnavailableError("entry_contended", "the entry of tracked messages changes all the time")

    async def _kept(self, follow_up: FollowUp) -> Version[Unit | None]:
        """Return what the ledger has of the unit; one that nobody can read any more is as good as lost.

        Raises:
            _NoAnswerError: a newer release wrote it, or another program.
        """
        try:
            return await self.following.units.load(follow_up.key) or Version(follow_up.key, None, None)
        except EntryUnreadableError as error:
            if error.is_newer:
                raise _NoAnswerError(error.code, follow_up.step) from None
            log.warning("tracking.restored", job=follow_up.job_id, part=follow_up.part, reason=error.detail)
            return Version(follow_up.key, error.token, None)
        except EntryUnusableError as error:
            raise _NoAnswerError(error.code, follow_up.step) from None

    async def _looked(self, kept: Version[Unit | None], follow_up: FollowUp, delivery: Delivery) -> Handled:
        """Take the look to its end, or go on from where somebody was with it."""
        unit = follow_up.joined(kept.entry)
        statuses: Counter[str] = Counter()
        if not unit.unpublished and unit.open:
            endings = await self._asked(unit)
            unit = replace(unit, step=unit.step + 1)
            if endings:
                unit = self._recorded(unit, endings, follow_up)
                kept = await self.following.units.write(kept, unit)
                statuses = self._told(endings)
        for recorded in unit.unpublished:
            message = tracked_message(follow_up.job_id, recorded, delivery)
            await self.following.publisher.publish_result(message)
        look = max(unit.look, follow_up.look) + 1
        await self.following.go_on(kept, follow_up, unit, delivery, look=look)
        result = "final" if not unit.open else "news" if unit.unpublished else "pending"
        return _handled(result, follow_up, {**statuses, "open": len(unit.open)})

    async def _asked(self, unit: Unit) -> list[Ending]:
        """Ask about all open messages; return the end of each that has one.

        Raises:
            _NoAnswerError: there was no answer for any of them.
            UnavailableError: the gateway is away.
        """
        judge, ids = self.following.judge, [one.message_id for one in unit.open]
        answers: Answers
        try:
            async with asyncio.timeout(_LONGEST):
                answers = await self.lookups.tracked(ids, patience=self._patience(unit))
        except TimeoutError:
            raise _NoAnswerError("no_turn", unit.step) from None
        except UnavailableError:
            raise
        except WorkerError as error:
            answers = dict.fromkeys(ids, error)
        endings = judge.endings(unit.open, answers, self.following.clock.now().timestamp())
        if not endings and all(is_no_answer(answers.get(name)) for name in ids):
            reason = answers[ids[0]]
            code = reason.code if isinstance(reason, WorkerError) else FailureCode.REPLY_LOST.value
            raise _NoAnswerError(code, unit.step)
        return endings

    def _patience(self, unit: Unit) -> float:
        """Return for how long the look may wait for company in its call."""
        return self.following.delays[min(unit.step, len(self.following.delays) - 1)] / 10

    def _recorded(self, unit: Unit, endings: list[Ending], follow_up: FollowUp) -> Unit:
        results = results_of(
            endings, _numbers(follow_up, unit.results), {"job_id": follow_up.job_id}, follow_up.metadata
        )
        return unit.recorded((one.message.message_id for one in endings), results)

    def _told(self, endings: list[Ending]) -> Counter[str]:
        statuses = Counter(status for one in endings for status in one.statuses)
        for one in endings:
            self.following.observer.tracking_ended(one.statuses, seconds=one.age)
        return statuses

    async def _later(self, follow_up: FollowUp, error: _NoAnswerError) -> Handled:
        """Have the same look brought again, as often as it takes: it is not one without an answer."""
        await self.following.units.renew([follow_up.key])
        seconds = delay_of(self.following.delays, error.step, float("inf"))
        return Handled(Delay(seconds, error.code, counts=False), _summary("delayed", follow_up, {}))


def _numbers(follow_up: FollowUp, so_far: int) -> Iterator[int]:
    return (track_number(follow_up.part, follow_up.parts, nth) for nth in count(so_far + 1))


def _handled(result: str, follow_up: FollowUp, counts: dict[str, int] | None = None) -> Handled:
    return Handled(Done(), _summary(result, follow_up, counts or {}))


def _summary(result: str, follow_up: FollowUp, counts: dict[str, int]) -> JobSummary:
    return JobSummary(_KIND, result, follow_up.job_id, counts)
