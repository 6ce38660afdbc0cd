"""Which dead letters are wanted, and which of them a replay must not touch unasked."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from schemas.channels import JobKind
from schemas.failures import FailureCode
from worker.client.dead_letters import DeadJob

_UNCERTAIN: Final = frozenset(
    {
        FailureCode.REPLY_LOST,
        FailureCode.WORKER_LOST,
        FailureCode.REPLY_UNREADABLE,
        FailureCode.NOT_IN_REPLY,
        FailureCode.GATEWAY_ERROR,
    }
)
_SENDS_NOTHING: Final = frozenset({JobKind.STATUS, JobKind.ACCOUNT, JobKind.CANCEL})
# With any other reason the ledger alone knows who was sent to before the job died.
_NEVER_STARTED: Final = frozenset(
    {
        FailureCode.TOO_LARGE,
        FailureCode.NOT_UTF8,
        FailureCode.NOT_JSON,
        FailureCode.NOT_AN_OBJECT,
        FailureCode.DUPLICATE_KEY,
        FailureCode.TOO_DEEP,
        FailureCode.NUMBER_OUT_OF_RANGE,
        FailureCode.INVALID_UNICODE,
        FailureCode.MISSING,
        FailureCode.UNKNOWN_FIELD,
        FailureCode.WRONG_TYPE,
        FailureCode.WRONG_LENGTH,
        FailureCode.WRONG_VALUE,
        FailureCode.RESERVED_PARAM,
        FailureCode.PARAMS_NOT_ALLOWED,
        FailureCode.PATH_NOT_ALLOWED,
        FailureCode.TEXT_TOO_LONG,
        FailureCode.UNICODE_REQUIRED,
        FailureCode.UNSUPPORTED,
        FailureCode.INVALID_JOB,
        FailureCode.JOB_ID_CONFLICT,
    }
)
# With these the job had an entry for certain: a ledger without one has forgotten it, whenever it died.
_SURELY_BEGUN: Final = frozenset({*_UNCERTAIN, FailureCode.RETRIES_EXHAUSTED, FailureCode.FORGOTTEN})
# A replay waits in its queue before a worker asks the ledger.
_MARGIN: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: every condition must hold; an empty one always does.

    Attributes:
        ids: of letters.
        before: they died before it; a letter that does not say when is not wanted then.
        after: they died after it.
    """

    reasons: frozenset[str] = frozenset()
    kinds: frozenset[JobKind] = frozenset()
    job_ids: frozenset[str] = frozenset()
    ids: frozenset[str] | None = None
    before: datetime | None = None
    after: datetime | None = None

    @property
    def everything(self) -> bool:
        """Tell whether no condition is set."""
        return self == Wanted()

    def matches(self, letter: DeadJob) -> bool:
        """Tell whether *letter* is wanted."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.kinds or letter.kind in self.kinds)
            and (not self.job_ids or letter.job_id in self.job_ids)
            and (self.ids is None or letter.id in self.ids)
            and self._of_age(letter.died)
        )

    def _of_age(self, died: datetime | None) -> bool:
        if self.before is None and self.after is None:
            return True
        if died is None:
            return False
        return (self.before is None or died < self.before) and (self.after is None or died > self.after)


class Risk(StrEnum):
    """Why a replay may give somebody a text twice."""

    UNCERTAIN = "uncertain"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Memory:
    """How far back the ledger remembers.

    Attributes:
        retention: seconds after a job's last step.
    """

    now: datetime
    retention: float

    def risk(self, letter: DeadJob) -> Risk | None:
        """Say why *letter* is not safe to replay; None where it is.

        Status and account jobs only ask, cancel jobs only stop. A job that was never begun has sent nothing.
        """
        if letter.kind in _SENDS_NOTHING or letter.reason in _NEVER_STARTED:
            return None
        if letter.reason in _UNCERTAIN:
            return Risk.UNCERTAIN
        if letter.reason == FailureCode.FORGOTTEN:
            return Risk.FORGOTTEN
        known = letter.died is not None and self.now - letter.died < self._kept
        return None if known else Risk.FORGOTTEN

    def known_until(self, letter: DeadJob) -> datetime | None:
        """Say from when on a worker must not send what the ledger does not know; None: it may at any time.

        A replay may wait in its queue for longer than the ledger remembers.
        """
        if letter.kind in _SENDS_NOTHING or letter.reason in _NEVER_STARTED:
            return None
        if letter.died is None or letter.reason in _SURELY_BEGUN:
            return letter.died or self.now
        return letter.died + self._kept

    @property
    def _kept(self) -> timedelta:
        return timedelta(seconds=self.retention) - _MARGIN
