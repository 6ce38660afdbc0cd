"""What every send needs."""

from collections.abc import Callable
from dataclasses import dataclass

from worker.domain.value import value
from worker.domain.verdict import Wishes
from worker.handlers.send.entries import EntryStore
from worker.ports import CallGate, Clock, Gateway, Observer, Publisher, Retry, TextMessage


@value
class CallOrder:
    """What a call needs to know of its job."""

    message: TextMessage
    wishes: Wishes
    urgent: bool


@dataclass(frozen=True, slots=True)
class SendPorts:
    """The collaborators of every send.

    Attributes:
        store_time: seconds since the epoch by the ledger's clock, which all workers share.
        lease: seconds after its start in which a call must have been settled by its caller.
        margin: of these, what a call that takes as long as it may leaves for the ledger: one whose claim is
            older than that is not made.
    """

    entries: EntryStore
    gateway: Gateway
    gate: CallGate
    retry: Retry
    publisher: Publisher
    clock: Clock
    observer: Observer
    store_time: Callable[[], float]
    lease: float
    margin: float
