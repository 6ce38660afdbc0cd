"""Names on the broker: exchanges, queues, routing keys, headers, properties (docs/contract.md, 2 and 4).

Everything that depends on the prefix is a function of it (``AMQP_PREFIX``, default ``iton``). The queues
that a worker keeps for itself (parts, delays) are not part of the contract and not named here.
"""

from enum import StrEnum
from functools import cache
from typing import Final

DEFAULT_PREFIX: Final = "iton"
CONTENT_TYPE: Final = "application/json"
APP_ID: Final = "iton-worker"
TRACEPARENT_HEADER: Final = "traceparent"


class JobKind(StrEnum):
    """What a job asks for; the kind decides which model its body must fit."""

    SEND = "send"
    STATUS = "status"
    ACCOUNT = "account"
    API = "api"
    CANCEL = "cancel"


class JobKey(StrEnum):
    """Routing keys of the jobs exchange, which are the base names of the work queues as well."""

    SEND = "send"
    SEND_URGENT = "send.urgent"
    STATUS = "status"
    ACCOUNT = "account"
    API = "api"
    CANCEL = "cancel"

    @property
    def kind(self) -> JobKind:
        """The kind of job that travels by this key."""
        return JobKind(self.value.partition(".")[0])


class ResultKind(StrEnum):
    """The result exchanges, by the last part of their names."""

    SEND = "send"
    DELIVERY = "delivery"
    ACCOUNT = "account"
    API = "api"
    CANCEL = "cancel"

    @property
    def message_type(self) -> str:
        """The AMQP ``type`` property of a result of this kind: ``send.result.v1``."""
        return f"{self.value}.result.v1"

    @property
    def statuses(self) -> tuple[str, ...]:
        """Every status a result of this kind may have, each of them a routing key."""
        return _STATUSES[self]


_STATUSES: Final[dict[ResultKind, tuple[str, ...]]] = {
    ResultKind.SEND: ("accepted", "partial", "uncertain", "failed", "expired", "cancelled", "rejected"),
    ResultKind.DELIVERY: ("final", "pending", "rejected", "failed"),
    ResultKind.ACCOUNT: ("balance", "low", "rejected", "failed"),
    ResultKind.API: ("done", "failed", "uncertain", "rejected"),
    ResultKind.CANCEL: ("recorded", "too_late", "rejected", "failed"),
}

RESULT_KIND_OF_JOB: Final[dict[JobKind, ResultKind]] = {
    JobKind.SEND: ResultKind.SEND,
    JobKind.STATUS: ResultKind.DELIVERY,
    JobKind.ACCOUNT: ResultKind.ACCOUNT,
    JobKind.API: ResultKind.API,
    JobKind.CANCEL: ResultKind.CANCEL,
}


class DeadHeader(StrEnum):
    """Headers that the worker adds to a dead letter."""

    REASON = "x-iton-reason"
    DETAIL = "x-iton-detail"
    ATTEMPTS = "x-iton-attempts"
    QUEUE = "x-iton-queue"
    TIME = "x-iton-time"


def jobs_exchange(prefix: str = DEFAULT_PREFIX) -> str:
    """The topic exchange that producers publish jobs to."""
    return f"{prefix}.jobs"


def work_queue(key: JobKey, prefix: str = DEFAULT_PREFIX) -> str:
    """The quorum queue bound to the jobs exchange by *key*."""
    return f"{prefix}.{key.value}"


def results_exchange(kind: ResultKind, prefix: str = DEFAULT_PREFIX) -> str:
    """The topic exchange that results of *kind* are published on."""
    return f"{prefix}.results.{kind.value}"


@cache
def result_key(kind: ResultKind, status: str) -> str:
    """The routing key of a result: ``send.partial``.

    Raises:
        ValueError: *status* is none that results of *kind* have.
    """
    if status not in kind.statuses:
        raise ValueError(f"{status!r} is no status of a {kind.value} result: {', '.join(kind.statuses)}")
    return f"{kind.value}.{status}"


def unrouted(prefix: str = DEFAULT_PREFIX) -> str:
    """The fanout exchange, and its queue, for results that no consumer's queue was bound for."""
    return f"{prefix}.results.unrouted"


def dead(prefix: str = DEFAULT_PREFIX) -> str:
    """The topic exchange, and its queue, for dead letters."""
    return f"{prefix}.dead"
