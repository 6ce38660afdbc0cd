"""Every error that crosses a boundary of ours, grouped by what may be done about it.

WorkerError
├── PermanentError           the same request would fail again: do not retry
├── TransientError           nothing reached the other side: a retry is safe
├── OutcomeUncertainError    it may have happened: never repeat a sendSMS blindly
├── AccountError             no request can work now: stop taking jobs until the account works again
└── UnavailableError         a part of our own is away: nothing was decided, the job waits
    ├── LedgerUnavailableError
    ├── EntryUnusableError
    ├── BrokerUnavailableError
    ├── GatewayAwayError
    ├── DeliveryLostError
    └── WaitsError

The texts must be fit for a result and a log line: no credential, no phone number, no message text of
ours. What the gateway said may be quoted in ``detail``, cut short, which is fit for results and dead letters;
``own_detail`` for results only. As the gateway may repeat what we sent in a spelling that nobody thought of,
log lines have ``for_log``.
"""

from datetime import datetime
from enum import StrEnum
from typing import Self


class AccountTrouble(StrEnum):
    """Why the gateway serves none of our requests."""

    CREDENTIALS = "credentials"
    CREDITS = "credits"


class WorkerError(Exception):
    """Base of all errors of ours.

    Attributes:
        code: a constant in snake_case that programs can compare.
        detail: a sentence for people.
        for_log: the same without a word of the gateway's.
        own_detail: the same for the results of the one job that the call was made for, with its own numbers
            readable; None where several shared it, and for other calls than sendSMS.
        counts: whether it is the job's own; False where the gateway, or the account, serves nobody.
        names_ids: its words have message ids of the reply: somebody was sent to, and they stand nowhere else.
        tells_ids: the same, or they have what may be some.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.for_log = detail
        self.own_detail: str | None = None
        self.counts = True
        self.names_ids = False
        self.tells_ids = False

    def __repr__(self) -> str:
        """Name kind and code only: asyncio logs what a task ended with."""
        return f"{type(self).__name__}({self.code!r})"

    def __copy__(self) -> Self:
        """An error like it, without a traceback: by its words alone it could not be made again."""
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__)
        return twin


class PermanentError(WorkerError):
    """The gateway understood and refused: the same request would be refused again."""


class TransientError(WorkerError):
    """Nothing was sent.

    Attributes:
        retry_after: seconds the other side asked us to wait, if it did.
    """

    def __init__(self, code: str, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class OutcomeUncertainError(WorkerError):
    """The request may have been carried out; its reply is lost or cannot be read."""


class AccountError(WorkerError):
    """The account is refused or out of credits.

    Attributes:
        trouble: which of the two.
    """

    def __init__(self, code: str, detail: str, *, trouble: AccountTrouble) -> None:
        super().__init__(code, detail)
        self.trouble = trouble


class UnavailableError(WorkerError):
    """A store or broker of ours cannot be reached; the job goes back and waits."""


class LedgerUnavailableError(UnavailableError):
    """The ledger's store is away, full or broken. Nothing may be sent without it."""


class EntryUnusableError(UnavailableError):
    """What stands under one key of the ledger is no entry that this release can use. Only its job waits."""


class BrokerUnavailableError(UnavailableError):
    """A message was not confirmed by the broker, or came back as unroutable."""


class GatewayAwayError(UnavailableError):
    """The gateway is away, or the worker stops: the job goes back to its queue.

    Attributes:
        lookups_alone: sends work, so the job makes way for those behind it that need no lookup.
    """

    def __init__(self, code: str, detail: str, *, lookups_alone: bool = False) -> None:
        super().__init__(code, detail)
        self.lookups_alone = lookups_alone


class WaitsError(UnavailableError):
    """The job may not be sent yet.

    Attributes:
        until: its time; None: the hours must begin.
        job_id: the job's, where it is known.
    """

    def __init__(self, code: str, detail: str, *, until: datetime | None) -> None:
        super().__init__(code, detail)
        self.until = until
        self.job_id: str | None = None


class DeliveryLostError(UnavailableError):
    """The broker has the job's message again; the delivery that replaces this one does the work."""

    def __init__(self) -> None:
        super().__init__("delivery_lost", "the broker hands the job out again")
