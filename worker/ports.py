"""What the handlers need of the world: the smallest interfaces that adapters must keep."""

from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import TracebackType
from typing import NamedTuple, Protocol, TypeVar

from worker.domain.entry import MessageIds
from worker.domain.errors import AccountTrouble
from worker.domain.messages import Delivery, FollowUpMessage, JobSummary, PartMessage, ResultMessage
from worker.domain.value import value
from worker.domain.web_verdict import WebReply


@value
class TextMessage:
    """What is sent, without to whom.

    Attributes:
        text: exactly as the job gave it.
        unicode: whether the gateway must be told ``uniCode=2``.
        sender: custom sender ID; None for the configured default.
        params: further query parameters, names already checked against the allowed ones.
        segments: that each recipient's text has, and costs.
    """

    text: str
    unicode: bool
    sender: str | None
    params: Mapping[str, str]
    segments: int = 1


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """The delivery status of one recipient of one message.

    Attributes:
        recipient: digits with country code, as it was sent to, where it is a mobile number of an allowed
            region; else as the gateway spells it, digits only where it is a number.
        status: ``delivered``, ``failed``, ``expired``, ``rejected``, ``dnd``, ``pending`` or ``unknown``.
        raw_status: the gateway's own word; JSON that is no string as it is written, ``null`` say.
    """

    recipient: str
    status: str
    raw_status: str


@dataclass(frozen=True, slots=True)
class MessageReport:
    """What ``message_status`` says of one message id.

    Attributes:
        sent_at: with its UTC offset; None when absent or not readable.
    """

    sender: str | None
    sent_at: datetime | None
    text: str | None
    recipients: tuple[RecipientStatus, ...]


class Gateway(Protocol):
    """One ITON account. Calls may overlap.

    Each method makes one HTTP request, never a second one, and ends within the call's time limit. Errors,
    for all of them: PermanentError, TransientError, OutcomeUncertainError, AccountError of
    ``worker.domain.errors``.
    """

    def pack(self, message: TextMessage, recipients: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Cut *recipients*, in order, into the fewest calls that the gateway accepts.

        At most 100 numbers a call, and no encoded URL over the limit. No I/O.
        """
        ...

    async def send(self, message: TextMessage, recipients: Sequence[str]) -> MessageIds:
        """Send and return message ids by recipient, spelt as asked: all that the reply gives it.

        A recipient that the reply does not name is missing from the mapping.
        """
        ...

    async def check_dnd(self, recipients: Sequence[str]) -> Mapping[str, bool]:
        """Tell of each number (at most 100, spelt as asked) whether it is on the DND list.

        A number that the reply does not name is missing from the mapping.
        """
        ...

    def pack_ids(self, message_ids: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Cut *message_ids*, in order, into the fewest ``message_status`` calls that the gateway accepts."""
        ...

    async def message_status(self, message_ids: Sequence[str]) -> Mapping[str, MessageReport]:
        """Report on at most 100 ids; unknown ids are missing from the mapping."""
        ...

    async def account(self) -> Decimal:
        """Return the remaining credits."""
        ...


@dataclass(frozen=True, slots=True)
class WebCall:
    """One request to the Web API; its repr shows nothing of what is sent.

    Attributes:
        path: relative to the Web API's address, already checked.
        content: the body; None where there is none.
        content_type: of the body.
    """

    method: str
    path: str = field(repr=False)
    content: bytes | None = field(default=None, repr=False)
    content_type: str | None = None


class WebApi(Protocol):
    """ITON's Web API. Calls may overlap."""

    async def call(self, call: WebCall) -> WebReply:
        """Make one HTTP request, never a second one, and return the reply, whatever its status.

        Raises:
            TransientError: nothing was sent.
            OutcomeUncertainError: the request may have been carried out; its reply is lost.
        """
        ...

    async def is_there(self) -> bool:
        """Tell whether it answers at all, by a harmless question. Raises nothing for what it does."""
        ...


class Command(StrEnum):
    """The gateway's commands, as it spells them."""

    SEND = "sendSMS"
    DND = "check_DNDnumber"
    STATUS = "message_status"
    ACCOUNT = "account"
    API = "api"  # any call of the Web API, which has an address and a circuit of its own


class Subject(NamedTuple):
    """What a call is about: what several refused calls have in common may be all that is refused.

    Attributes:
        lasting: what many calls share: the sender, the text.
        keys: what is this call's own: numbers, ids.
        sizes: that it has or exceeds: one of many numbers may be refused for that.
    """

    lasting: tuple[Hashable, ...] = ()
    keys: Sequence[str] = ()
    sizes: tuple[Hashable, ...] = ()


NOBODY = Subject()
"""What concerns no one in particular."""


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What a harmless question found out.

    Attributes:
        answered: whether the gateway answered it at all.
        trouble: that the answer tells of; None: the account works, and has credits.
    """

    answered: bool
    trouble: AccountTrouble | None = None


class Permit(Protocol):
    """Leave to make one call."""

    @property
    def patience(self) -> float:
        """Seconds after which a call that only reads had better be made anew: its answer may be lost."""
        ...

    def unused(self) -> None:
        """Say that no call was made after all, so that nothing is concluded from the block's end."""
        ...


class Admittance(Protocol):
    """A block in which one call may be made. Where nothing stands in the way, it is entered at once."""

    def __aenter__(self) -> Awaitable[Permit]: ...

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Awaitable[bool | None]: ...


class CallGate(Protocol):
    """Decides when the gateway may be called: outages, the rate limit, calls in flight."""

    def passes(self, command: Command) -> bool:
        """Tell whether nothing but other calls stands in the way of a call: no outage, no stop."""
        ...

    def has_room(self, *, urgent: bool) -> bool:
        """Tell whether one more call would start at once, and calls are not counted against a rate limit."""
        ...

    def admit(
        self, command: Command, *, urgent: bool, about: Subject = NOBODY, patient: bool = False
    ) -> Admittance:
        """Wait for leave to make one call and make it inside the block.

        The block's errors tell how the gateway is (``worker.domain.errors``); they pass through. One that is
        not the job's own has ``counts`` False: another attempt is turned away until the trouble is over.

        Args:
            command: that is called.
            urgent: goes before those who are not.
            about: what it is about.
            patient: goes behind those who are not.

        Raises:
            GatewayAwayError: the gateway is away: the job goes back to its queue.
        """
        ...

    def ledger_failed(self) -> None:
        """Pause the intake of sends until the ledger can be written again."""
        ...


T = TypeVar("T")


class Retry(Protocol):
    """Repeats an attempt that failed in a way that allows it, with backoff."""

    async def __call__(self, attempt: Callable[[], Awaitable[T]], *, limit: int | None = None) -> T:
        """Return the first success, else raise the last error; *limit*: attempts, where fewer will do."""
        ...


class TokenSource(Protocol):
    """A bucket of leaves to call that several workers share. Calls may overlap."""

    async def take(self) -> float:
        """Take a token and return 0, else the seconds until there may be one.

        Raises:
            LedgerUnavailableError: the store of the bucket is away.
        """
        ...


class AnswerMemory(Protocol):
    """Remembers for a time what the DND endpoint said of numbers. What it forgot is asked for again."""

    def recall(self, numbers: Collection[str]) -> dict[str, bool]:
        """Return the answers that are known and not too old; the other numbers are missing."""
        ...

    def keep(self, answers: Mapping[str, bool]) -> None:
        """Remember *answers*, as far as there is room."""
        ...


class Locks(Protocol):
    """Lets one at a time through for each key, within this process."""

    def holding(self, key: str) -> AbstractAsyncContextManager[None]:
        """Hold the key's lock for the block."""
        ...


class Observer(Protocol):
    """Learns what happened, for metrics. Never a number, a text or a credential."""

    def job_taken(self, delivery: Delivery) -> None:
        """A delivery is about to be handled."""
        ...

    def job_ended(self, delivery: Delivery, summary: JobSummary, *, seconds: float) -> None:
        """A delivery was decided on, *seconds* after it was taken."""
        ...

    def retried(self, command: Command) -> None:
        """A call is about to be repeated."""
        ...

    def revised(self) -> None:
        """A late reply changed an outcome."""
        ...

    def credits_seen(self, remaining: Decimal) -> None:
        """The account's balance was read."""
        ...

    def credits_moved(self, *, spent: Decimal, added: Decimal) -> None:
        """The balance fell or rose from one reading of the fleet to the next."""
        ...

    def call_shared(self, command: Command, jobs: int) -> None:
        """A call is about to be made for *jobs* jobs together."""
        ...

    def tracking_begun(self, messages: int) -> None:
        """So many accepted messages are followed from now on."""
        ...

    def tracking_ended(self, statuses: Sequence[str], *, seconds: float) -> None:
        """A message has its end, *seconds* after it was accepted, with a status for each recipient."""
        ...

    def dnd_cached(self, *, hits: int, misses: int) -> None:
        """So many numbers were found in the DND cache, and so many were not."""
        ...


@value
class Stored:
    """A ledger entry as the store holds it.

    Attributes:
        token: drawn by the writer for each write, unique; names this very version of the entry.
        state: opaque bytes.
    """

    token: str
    state: bytes


@value
class Swap:
    """One compare-and-swap.

    Attributes:
        expected: token of the version that *new* replaces; None: there is no entry.
    """

    key: str
    expected: str | None
    new: Stored


class Ledger(Protocol):
    """A store of small entries that change only by compare-and-swap. Calls may overlap.

    What was written survives the death of the process (unless the backend says otherwise) before the
    call returns. Entries vanish by themselves when they were not written for the retention time.
    Every method raises LedgerUnavailableError when the store cannot be used; a write may then have
    happened or not, and repeating it with the same token is safe. EntryUnusableError: another program's
    value stands under the key.
    """

    def load(self, key: str) -> Awaitable[Stored | None]:
        """Return the entry, or None."""
        ...

    def swap(self, key: str, *, expected: str | None, new: Stored) -> Awaitable[bool]:
        """Write *new* if the entry's token is *expected* (None: if there is no entry); tell if it stands.

        True as well when the entry already carries ``new.token``: a write that is repeated because its
        answer was lost.
        """
        ...

    def swap_many(self, swaps: Sequence[Swap]) -> Awaitable[Sequence[bool | Exception]]:
        """Do *swaps*, in order, for the price of few; return of each what `swap` would return or raise.

        Each stands or falls by itself. Raises nothing.
        """
        ...

    def renew(self, keys: Sequence[str]) -> Awaitable[Sequence[bool]]:
        """Have entries live for a whole retention from now on, as if they were written; tell which were.

        Left alone are those that are absent and those that were written or renewed less than a minute ago,
        so that this may be asked at every step. The entries themselves stay as they are.
        """
        ...


class LedgerStore(Ledger, Protocol):
    """A ledger with its life: whoever opens it looks after it."""

    async def check(self) -> float | None:
        """Prove that the store can be written; return its time, seconds since the epoch.

        None where the store has no clock but this machine's.
        """
        ...

    async def close(self) -> None:
        """Release the store; writes under way are finished first."""
        ...


class Publisher(Protocol):
    """The way out to the broker. Calls may overlap and their confirms are pipelined.

    Returns only when the broker confirmed the message and did not return it; raises
    BrokerUnavailableError otherwise, after which the message may have been published or not.
    """

    async def publish_result(self, result: ResultMessage) -> None:
        """Publish on the result exchange; a copy goes to ``reply_to``, where a missing queue is no error."""
        ...

    async def publish_part(self, part: PartMessage) -> None:
        """Put a part of a large job on the parts queue of its lane."""
        ...

    async def publish_follow_up(self, follow_up: FollowUpMessage) -> None:
        """Have tracked messages looked at again later."""
        ...


class Clock(Protocol):
    """Time, passed in."""

    def now(self) -> datetime:
        """Wall-clock time, UTC, aware."""
        ...

    def elapsed(self) -> float:
        """Seconds on a clock that never goes back and counts the time a machine was suspended."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...
