"""The upper rows: whether it works, what becomes of jobs and recipients, how long it takes."""

from scripts.dashboard.panels import GOOD_UNTIL_ONE, Panel, Query, Row, quantile, rate

# A worker without its broker knows no length (NaN): comparisons leave it out, or it would be every sum's.
_WORK = 'iton_worker_queue_messages{queue!~"delay|dead|results[.]unrouted"}'
_KEPT = 'iton_worker_queue_messages{queue=~"dead|results[.]unrouted"}'
_LANE = "namespace, job, lane"
_WAITING = f'label_replace(min_over_time({_WORK}[5m]) > 0, "lane", "$1", "queue", "(.*)")'
_IN_HAND = "min_over_time(iton_worker_jobs_in_flight[5m]) > 0"
_MOVING = f"sum by ({_LANE}) (increase(iton_worker_job_seconds_count[5m])) > 0"
_STUCK = f"(group by ({_LANE}) ({_WAITING} or {_IN_HAND})) unless on ({_LANE}) ({_MOVING})"
_READY = "iton_worker_ready"
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
            "Lanes, of each deployment its own, in which jobs have been waiting or in hand for five minutes "
            "and none has ended. Is it stuck?",
            "short",
            (Query(f"count({_STUCK}) or vector(0)"),),
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
            (Query(f"sum(max by (namespace, job, queue) ({_WORK} >= 0))"),),
            "stat",
            steps=((None, "blue"),),
            width=3,
        ),
        Panel(
            "Workers ready",
            "How many answer /readyz with 200; 0 as soon as one deployment has none.",
            "short",
            (Query(f"sum({_READY}) * min(sum by (namespace, job) ({_READY}) > bool 0)"),),
            "stat",
            steps=((None, "red"), (1.0, "green")),
            width=3,
        ),
        Panel(
            "Credits left",
            "The account's balance when last seen; of several accounts the lowest.",
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
            (Query(f"sum(max by (namespace, job, queue) ({_KEPT} >= 0))"),),
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
            (
                Query(
                    "sum by (queue) (max by (namespace, job, queue) (iton_worker_queue_messages >= 0))",
                    "{{queue}}",
                ),
            ),
        ),
        Panel(
            "Jobs in flight",
            "Taken and not settled; dashed: how many may be, of lanes that have any. Where both meet, the "
            "workers are full.",
            "short",
            (
                Query("sum by (lane) (iton_worker_jobs_in_flight)", "{{lane}}"),
                Query(
                    "sum by (lane) (iton_worker_prefetch) and sum by (lane) (iton_worker_jobs_in_flight) > 0",
                    "{{lane}} may be",
                    dashed=True,
                ),
            ),
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
            "Of a deployment's recipients. Late replies take it back one by one, as results with revision 2.",
            "percentunit",
            (
                Query(
                    "sum by (namespace, job) "
                    '(rate(iton_worker_recipients_total{outcome="uncertain"}[$__rate_interval]))'
                    " / sum by (namespace, job) (rate(iton_worker_recipients_total[$__rate_interval])) >= 0",
                    "{{namespace}} {{job}}",
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
