"""What is known of a call after something happened to it: the rules that decide who is told what."""

from collections.abc import Sequence
from datetime import datetime

from schemas import FailureCode, Outcome
from worker.domain import sent_ids
from worker.domain.entry import (
    Call,
    CallState,
    Column,
    Entry,
    MessageIds,
    Settled,
    accepted,
    release,
    settle,
)
from worker.domain.errors import OutcomeUncertainError, PermanentError, WorkerError
from worker.domain.expiry import has_expired
from worker.domain.value import value
from worker.domain.waiting import Times

CANCELLED = "the job was cancelled before it could be sent"

OUTSIDE_HOURS_WORDS = "the job's time is over before the hours for such texts begin again"


@value
class Wishes:
    """What a job says of its calls.

    Attributes:
        expires_at: not sent after it.
        most_calls: how often a call may go out; more than 1 only where the job prefers a double to a doubt.
        times: when it may be sent, where that is not at any time before its end.
    """

    expires_at: datetime | None
    most_calls: int
    times: Times | None = None

    def forbid(self, now: datetime) -> bool:
        """Tell whether a call may not go out *now*, be it too late or too early."""
        return self.expired(now) or (self.times is not None and self.times.wait(now) is not None)

    def expired(self, now: datetime) -> bool:
        """Tell whether nothing may be sent any more."""
        return self.expires_at is not None and has_expired(self.expires_at, now)

    def repeatable(self, call: Call, now: datetime) -> bool:
        """Tell whether a call whose reply is lost may be made again."""
        return call.attempts < self.most_calls and not self.expired(now)


def after_reply(entry: Entry, index: int, message_ids: MessageIds) -> Entry:
    """Settle by the gateway's reply: a recipient that it does not name is uncertain."""
    return settle(entry, index, _named(entry.part.calls[index].recipients, message_ids))


def after_error(entry: Entry, index: int, error: WorkerError, *, repeatable: bool) -> Entry:
    """Settle, or make ready again, by the error that a call ended with."""
    call = entry.part.calls[index]
    words, ids = _told(error), error.tells_ids
    if isinstance(error, OutcomeUncertainError):
        if repeatable and not error.names_ids:
            return release(entry, index, went_out=True)
        return settle(entry, index, _all(call, Outcome.UNCERTAIN, error.code, words, tells_ids=ids))
    unsent = release(entry, index, went_out=False)
    if isinstance(error, PermanentError):
        return after_refusal(unsent, index, Outcome.FAILED, error.code, words, tells_ids=ids)
    return unsent


def after_refusal(
    entry: Entry, index: int, outcome: Outcome, code: str, detail: str, *, tells_ids: bool = False
) -> Entry:
    """Settle a call that is not going to be made (again), as *outcome*.

    One that may have gone out before, and was about to be repeated, stays uncertain.
    """
    call = entry.part.calls[index]
    if call.attempts:
        detail = f"an earlier call's reply was lost; not repeated: {detail}"
        outcome, code = Outcome.UNCERTAIN, FailureCode.REPLY_LOST
    return settle(entry, index, _all(call, outcome, code, detail, tells_ids=tells_ids))


def after_expiry(entry: Entry, index: int) -> Entry:
    """Settle a call whose job's time is over."""
    words = "the job's time had passed before it could be sent"
    return after_refusal(entry, index, Outcome.EXPIRED, FailureCode.EXPIRED, words)


def after_cancel(entry: Entry, index: int) -> Entry:
    """Settle a call whose job was cancelled before it.

    Also where the job's time is over as well: had nobody stopped it, it might have been sent in time.
    """
    return after_refusal(entry, index, Outcome.CANCELLED, FailureCode.CANCELLED, CANCELLED)


def after_hours(entry: Entry, index: int) -> Entry:
    """Settle a call whose job's time will be over when the hours begin again."""
    return after_refusal(entry, index, Outcome.EXPIRED, FailureCode.OUTSIDE_HOURS, OUTSIDE_HOURS_WORDS)


def after_last_round(entry: Entry, index: int, error: WorkerError) -> Entry:
    """Settle a call whose retries are used up."""
    words = f"given up after many attempts; the last one: {_told(error)}"
    return after_refusal(entry, index, Outcome.FAILED, FailureCode.RETRIES_EXHAUSTED, words)


def after_lease(entry: Entry, index: int, *, repeatable: bool) -> Entry:
    """Take over a call whose caller did not come back in time."""
    if repeatable:
        return release(entry, index, went_out=True)
    words = "the worker was lost while it called the gateway"
    call = entry.part.calls[index]
    return settle(entry, index, _all(call, Outcome.UNCERTAIN, FailureCode.WORKER_LOST, words))


def as_far_as_known(entry: Entry) -> Entry:
    """Settle what is open in an entry that the ledger cannot hold: no call can be claimed in it any more."""
    for index, call in enumerate(entry.part.calls):
        if call.state is CallState.READY:
            words = "not sent: the ledger lost this job's entry"
            entry = after_refusal(entry, index, Outcome.FAILED, FailureCode.FORGOTTEN, words)
        elif call.state is CallState.CALLING:
            words = "another worker was at this call when the ledger lost the job's entry"
            entry = settle(entry, index, _all(call, Outcome.UNCERTAIN, FailureCode.WORKER_LOST, words))
    return entry


def _told(error: WorkerError) -> str:
    """What the job's result says: a producer must be able to tell which of its numbers was refused."""
    return error.own_detail or error.detail


def _named(recipients: Sequence[str], message_ids: MessageIds) -> Column:
    told = message_ids.get
    ids = [told(name) for name in recipients]
    return tuple(
        [
            one[0] if one is not None and len(one) == 1 else _unusual(name, one, message_ids)
            for name, one in zip(recipients, ids, strict=True)
        ]
    )


def _unusual(name: str, ids: tuple[str, ...] | None, message_ids: MessageIds) -> Settled:
    """One that the reply does not name, or that has several ids, of which none can be asked for again."""
    if ids is None:
        loose = sent_ids.told(sent_ids.loose_of(message_ids))
        words = f"the gateway's reply does not name this number{loose}"
        return Settled(name, Outcome.UNCERTAIN, None, FailureCode.NOT_IN_REPLY, words, tells_ids=bool(loose))
    return accepted(name, ids[0])._replace(earlier_ids=ids[1:])


def _all(
    call: Call, outcome: Outcome, code: str, detail: str, *, tells_ids: bool = False
) -> tuple[Settled, ...]:
    return tuple(Settled(name, outcome, None, code, detail, (), tells_ids) for name in call.recipients)
