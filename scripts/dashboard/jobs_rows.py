"""The upper rows: whether it works, what becomes of jobs and recipients, how long it takes."""

from scripts.dashboard.panels import GOOD_UNTIL_ONE, Panel, Query, Row, quantile, rate

_WORK = 'iton_worker_queue_messages{queue!~"delay|dead|results[.]unrouted"}'
_BACKLOG = f'max by (lane) (label_replace({_WORK}, "lane", "$1", "queue", "(.*)"))'
_MOVING = "sum by (lane) (increase(iton_worker_job_seconds_count[5m])) > 0"
_HELD = "max(iton_worker_intake_paused) + max(iton_worker_breaker_open)"

_LOOK_FROM_ONE = ((None, "green"), (1.0, "orange"))

GLANCE = Row(
    "At a glance",
    (
        Panel(
            "Sending",
            "Recipients accepted by the gateway, a second. Is it sending?",
            "suffix: /s",
            (Query('sum(rate(iton_worker_recipients_total{outcome="accepted"}[$__rate_interval]))'),),
            "stat",
            steps=((None, "blue"),),
            width=3,
        ),
        Panel(
            "Lanes stuck",
            "Lanes in which jobs wait and none has ended for five minutes. Is it stuck?",
            "short",
            (Query(f"count(({_BACKLOG} > 0) unless on (lane) ({_MOVING})) or vector(0)"),),
            "stat",
            steps=GOOD_UNTIL_ONE,
            words=((0, "none"),),
            width=3,
        ),
        Panel(
            "Held back",
            "Whether a pause (credentials, credits, ledger) or an open breaker holds calls back anywhere.",
            "short",
            (Query(f"({_HELD}) > bool 0"),),
            "stat",
            steps=GOOD_UNTIL_ONE,
            words=((0, "no"), (1, "yes")),
            width=3,
        ),
        Panel(
            "Uncertain recipients",
            "In the time shown: they may have the text or not. Is anyone at risk of a double? These are, if "
            "somebody sends to them again.",
            "short",
            (Query('sum(increase(iton_worker_recipients_total{outcome="uncertain"}[$__range]))'),),
            "stat",
            steps=GOOD_UNTIL_ONE,
            width=3,
        ),
        Panel(
            "Jobs waiting",
            "In the work queues, not taken yet.",
            "short",
            (Query(f"sum(max by (queue) ({_WORK}))"),),
            "stat",
            steps=((None, "blue"),),
            width=3,
        ),
        Panel(
            "Workers ready",
            "How many answer /readyz with 200.",
            "short",
            (Query("sum(iton_worker_ready)"),),
            "stat",
            steps=((None, "red"), (1.0, "green")),
            width=3,
        ),
        Panel(
            "Credits left",
            "The account's balance when last seen.",
            "short",
            (Query("min(iton_worker_credits_remaining)"),),
            "stat",
            steps=((None, "red"), (1.0, "blue")),
            width=3,
        ),
        Panel(
            "Kept aside",
            "Dead letters, and results for which no queue was bound. Not lost; somebody must look.",
            "short",
            (Query('sum(max by (queue) (iton_worker_queue_messages{queue=~"dead|results[.]unrouted"}))'),),
            "stat",
            steps=_LOOK_FROM_ONE,
            width=3,
        ),
    ),
    height=4,
)

THROUGHPUT = Row(
    "Throughput",
    (
        Panel(
            "Jobs ended",
            "By kind and result. delayed and returned ones come back; a split one goes on as its parts.",
            "suffix: jobs/s",
            (Query(rate("iton_worker_jobs_total", "kind, result"), "{{kind}} {{result}}"),),
            "stack",
        ),
        Panel(
            "Messages in queues",
            "Ready, not taken yet. delay holds jobs that wait for another attempt.",
            "short",
            (Query("max by (queue) (iton_worker_queue_messages)", "{{queue}}"),),
        ),
        Panel(
            "Jobs in flight",
            "Taken and not settled. At the sum of iton_worker_prefetch: the workers are full.",
            "short",
            (Query("sum by (lane) (iton_worker_jobs_in_flight)", "{{lane}}"),),
            "stack",
        ),
    ),
)

OUTCOMES = Row(
    "Outcomes",
    (
        Panel(
            "Recipients by outcome",
            "Each recipient of each job ends in exactly one.",
            "suffix: /s",
            (Query(rate("iton_worker_recipients_total", "outcome"), "{{outcome}}"),),
            "stack",
        ),
        Panel(
            "Uncertain share",
            "Of all recipients. Late replies take it back one by one, as results with revision 2.",
            "percentunit",
            (
                Query(
                    'sum(rate(iton_worker_recipients_total{outcome="uncertain"}[$__rate_interval]))'
                    " / sum(rate(iton_worker_recipients_total[$__rate_interval]))",
                    "uncertain",
                ),
            ),
            width=5,
        ),
        Panel(
            "Corrections",
            "Results published once more because a reply came late, and deliveries that the broker repeated.",
            "short",
            (
                Query("sum(increase(iton_worker_revisions_total[$__rate_interval]))", "revisions"),
                Query("sum(increase(iton_worker_redeliveries_total[$__rate_interval]))", "redeliveries"),
                Query("sum(increase(iton_worker_crashes_total[$__rate_interval]))", "crashes of a handler"),
            ),
            width=5,
        ),
        Panel(
            "Dead letters and retries",
            "Dead letters by reason; calls repeated at once, jobs put off, deliveries given back.",
            "short",
            (
                Query(
                    "sum by (reason) (increase(iton_worker_dead_letters_total[$__rate_interval])) > 0",
                    "dead: {{reason}}",
                ),
                Query(
                    "sum by (kind) (increase(iton_worker_retries_total[$__rate_interval]))", "retry: {{kind}}"
                ),
            ),
            width=6,
        ),
    ),
)


def _latency(title: str, description: str, metric: str) -> Panel:
    return Panel(
        title,
        description,
        "s",
        (
            Query(quantile(0.95, metric, "lane"), "{{lane}} p95"),
            Query(quantile(0.5, metric, "lane"), "{{lane}} p50"),
        ),
    )


LATENCY = Row(
    "Latency",
    (
        _latency(
            "From publication to result",
            "What producers feel. The broker's timestamps have whole seconds: up to one too long.",
            "iton_worker_end_to_end_seconds",
        ),
        _latency(
            "Wait in the queue",
            "From publication to the first taking. If this is long, workers or rate are too few.",
            "iton_worker_queue_wait_seconds",
        ),
        _latency(
            "Work on a job",
            "From taking to result. If this is long, look at gateway and ledger.",
            "iton_worker_job_seconds",
        ),
    ),
)
