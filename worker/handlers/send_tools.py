"""What every send needs."""

from dataclasses import dataclass

from worker.domain.verdict import Wishes
from worker.handlers.joint_sends import JointSends
from worker.handlers.ledger_book import LedgerBook
from worker.ports import CallGate, Clock, Gateway, Observer, Retry, TextMessage


@dataclass(frozen=True, slots=True)
class SendOrder:
    """What a call needs to know of its job."""

    message: TextMessage
    wishes: Wishes
    urgent: bool


@dataclass(frozen=True, slots=True)
class SendTools:
    """The collaborators of every send.

    Attributes:
        lease: seconds after its start in which a call must have been settled by its caller.
        margin: of these, what a call that takes as long as it may leaves for the ledger: one whose claim is
            older than that is not made.
        joint: makes calls for several jobs together; None: each job's calls are its own.
    """

    book: LedgerBook
    gateway: Gateway
    gate: CallGate
    retry: Retry
    clock: Clock
    observer: Observer
    lease: float
    margin: float
    joint: JointSends | None = None
