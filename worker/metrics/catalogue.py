"""Every metric of the worker as a value: what ``/metrics`` exposes and ``docs/metrics.md`` lists."""

from dataclasses import dataclass, field
from typing import Literal

from worker.metrics import labels
from worker.metrics.labels import Labels, every

PREFIX = "iton_worker_"

_CALL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
_JOB_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
_WAIT_SECONDS = (0.5, 1, 2.5, 5, 15, 60, 300, 900, 3_600, 14_400)
_FAST_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 15)
_OF_A_HUNDRED = (1, 2, 5, 10, 25, 50, 75, 99, 100)
_FEW = (0, 1, 2, 3, 5, 10)

Kind = Literal["counter", "gauge", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric.

    Attributes:
        group: a heading of the documentation.
        name: without the prefix.
        kind: a counter's name ends in ``_total``; an info is a gauge of 1 whose labels are what is said.
        meaning: a sentence without a full stop at its end.
        labels: none by default.
        buckets: upper bounds of a histogram.
        unset: a gauge without a value until somebody knows one; exposed as ``NaN``.
    """

    group: str
    name: str
    kind: Kind
    meaning: str
    labels: Labels = field(default_factory=Labels)
    buckets: tuple[float, ...] = ()
    unset: bool = False

    @property
    def full_name(self) -> str:
        """As Prometheus sees it."""
        return PREFIX + self.name


_LANE = every(lane=labels.LANES)
_COMMAND = every(command=labels.COMMANDS)
_KEYED = every(command=labels.KEYED_COMMANDS)

_J, _G, _L, _B, _P = "Jobs", "Gateway", "Ledger", "Broker", "Process"

CATALOGUE = (
    Spec(
        _J,
        "jobs_total",
        "counter",
        "Deliveries decided on, by what became of them: a job, or a part of a large one",
        Labels(("kind", "result"), labels.JOBS),
    ),
    Spec(_J, "recipients_total", "counter", "Recipients by outcome", every(outcome=labels.OUTCOMES)),
    Spec(_J, "jobs_in_flight", "gauge", "Deliveries taken and not settled yet", _LANE),
    Spec(_J, "prefetch", "gauge", "Deliveries that may be in flight: about two seconds' work", _LANE),
    Spec(_J, "oldest_job_seconds", "gauge", "Age of the oldest delivery in flight; 0 while there is none"),
    Spec(
        _J,
        "queue_wait_seconds",
        "histogram",
        "From the producer's timestamp to taking the job for the first time",
        _LANE,
        _WAIT_SECONDS,
    ),
    Spec(
        _J,
        "job_seconds",
        "histogram",
        "From taking a delivery to its end; not of one that comes back: the count is a lane's progress",
        _LANE,
        _JOB_SECONDS,
    ),
    Spec(
        _J,
        "end_to_end_seconds",
        "histogram",
        "From the producer's timestamp to the confirmed result, delays and retries included",
        _LANE,
        _WAIT_SECONDS,
    ),
    Spec(
        _J,
        "send_calls",
        "histogram",
        "sendSMS calls that a send job, or a part of a large one, took until its result",
        buckets=_FEW,
    ),
    Spec(
        _J,
        "retries_total",
        "counter",
        "Work tried again: a call at once, a job over a delay queue, a delivery given back",
        every(kind=labels.RETRIES),
    ),
    Spec(_J, "redeliveries_total", "counter", "Deliveries that the broker flagged as repeated"),
    Spec(_J, "revisions_total", "counter", "Results corrected after a late reply"),
    Spec(_J, "crashes_total", "counter", "Faults of the worker's own while it worked on a job"),
    Spec(
        _J,
        "dead_letters_total",
        "counter",
        "Dead letters that this worker wrote, by reason code",
        every(reason=labels.DEAD_REASONS),
    ),
    Spec(
        _G,
        "gateway_calls_total",
        "counter",
        "Calls by what came of them: `uncertain` may have been sent, `transient` was not",
        every(**{"command": labels.COMMANDS, "class": labels.CALL_CLASSES}),
    ),
    Spec(_G, "gateway_call_seconds", "histogram", "Duration of calls", _COMMAND, _CALL_SECONDS),
    Spec(_G, "gateway_calls_in_flight", "gauge", "Calls under way"),
    Spec(
        _G,
        "gateway_calls_limit",
        "gauge",
        "Calls that may be under way at present, as the gateway takes them",
    ),
    Spec(
        _G,
        "gateway_calls_floor",
        "gauge",
        "`WORKER_MIN_CALLS`: the limit of calls does not fall below it; 0 where it cannot fall",
    ),
    Spec(
        _G,
        "gateway_call_keys",
        "histogram",
        "Fill of calls: numbers or ids in one, of at most 100",
        _KEYED,
        _OF_A_HUNDRED,
    ),
    Spec(
        _G,
        "gateway_call_jobs",
        "histogram",
        "Jobs served together by one pooled call",
        _KEYED,
        _OF_A_HUNDRED,
    ),
    Spec(
        _G,
        "unasked_total",
        "counter",
        "Ids or numbers in replies that nobody asked for",
        every(command=labels.KEYED_COMMANDS),
    ),
    Spec(
        _G,
        "dnd_answers_total",
        "counter",
        "Numbers asked about at the DND endpoint; `silent` are those that it left out of its reply",
        every(answer=labels.DND_ANSWERS),
    ),
    Spec(
        _G,
        "dnd_cache_total",
        "counter",
        "Numbers looked for in the DND cache",
        every(result=labels.CACHE_RESULTS),
    ),
    Spec(_G, "breaker_open", "gauge", "1 while a command is not called because it kept failing", _COMMAND),
    Spec(
        _G,
        "intake_paused",
        "gauge",
        "1 while no send jobs are worked on, by reason",
        every(reason=labels.PAUSES),
    ),
    Spec(
        _G,
        "credits_low_threshold",
        "gauge",
        "`WORKER_CREDITS_LOW`: below it the worker publishes `account.low`; 0 is never",
    ),
    Spec(
        _G, "credits_remaining", "gauge", "The account's balance when last seen; NaN before that", unset=True
    ),
    Spec(
        _L,
        "ledger_seconds",
        "histogram",
        "Duration of ledger operations",
        every(operation=labels.LEDGER_OPERATIONS),
        _FAST_SECONDS,
    ),
    Spec(
        _L,
        "ledger_failures_total",
        "counter",
        "Ledger operations that failed because the store was away",
        every(operation=labels.LEDGER_OPERATIONS),
    ),
    Spec(
        _L,
        "ledger_entries",
        "gauge",
        "Entries in the ledger, about; NaN for Redis, which counts whole databases only",
        unset=True,
    ),
    Spec(
        _B,
        "consumer_up",
        "gauge",
        "1 while the broker has our consumer of a work queue, or none is wanted for now",
        _LANE,
    ),
    Spec(_B, "publisher_up", "gauge", "1 while the publishing connection works and is not held back"),
    Spec(
        _B,
        "queue_messages",
        "gauge",
        "Messages ready in a queue when last looked at, the same for every worker; `delay` adds up the delay "
        "queues; NaN while not connected",
        every(queue=labels.QUEUES),
        unset=True,
    ),
    Spec(
        _B,
        "publishes_total",
        "counter",
        "Messages published, by the exchange's last word: `confirmed`, `returned` as unroutable even after "
        "the topology was repaired, or `failed`",
        every(exchange=labels.EXCHANGES, result=labels.PUBLISH_RESULTS),
    ),
    Spec(
        _B,
        "publisher_confirm_seconds",
        "histogram",
        "From publishing to the broker's confirm",
        buckets=_FAST_SECONDS,
    ),
    Spec(_P, "ready", "gauge", "1 while /readyz answers 200"),
    Spec(_P, "draining", "gauge", "1 from the stop signal on"),
    Spec(
        _P,
        "loop_lag_seconds",
        "histogram",
        "How late a timer fires, once a second: a busy or starved process",
        buckets=_FAST_SECONDS,
    ),
    Spec(
        _P,
        "build_info",
        "info",
        "Always 1; its labels say which version runs on which Python",
        Labels(("version", "python")),
    ),
)
