"""What every api job needs."""

from collections.abc import Callable
from dataclasses import dataclass

from worker.domain.api_entry import ApiEntry
from worker.domain.disposition import RetryPolicy
from worker.handlers.entries import Store
from worker.ports import CallGate, Clock, Observer, Publisher, Retry, WebApi


@dataclass(frozen=True, slots=True)
class ApiPorts:
    """The collaborators of every api job.

    Attributes:
        gate: of the Web API; not that of the SMS gateway.
        store_time: seconds since the epoch by the ledger's clock, which all workers share.
        lease: seconds after its start in which a call must have been recorded by its caller.
        margin: of these, what a call that takes as long as it may leaves for the ledger: one whose claim is
            older than that is not made.
    """

    web_api: WebApi
    entries: Store[ApiEntry]
    gate: CallGate
    retry: Retry
    publisher: Publisher
    policy: RetryPolicy
    clock: Clock
    observer: Observer
    store_time: Callable[[], float]
    lease: float
    margin: float
