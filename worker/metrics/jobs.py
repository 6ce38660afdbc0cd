"""What becomes of jobs, and how long it takes."""

from worker.metrics import labels
from worker.metrics.labels import Labels, every
from worker.metrics.series import Group
from worker.metrics.spec import FEW, JOB_SECONDS, WAIT_SECONDS


class JobMetrics:
    """Jobs, from their publication to their results."""

    def __init__(self, group: Group) -> None:
        lane = every(lane=labels.LANES)
        self.decided = group.counters(
            "jobs_total",
            "Deliveries decided on, by what became of them: a job, or a part of a large one",
            Labels(("kind", "result"), labels.JOBS),
        )
        self.recipients = group.counters(
            "recipients_total", "Recipients by outcome", every(outcome=labels.OUTCOMES)
        )
        self.in_flight = group.gauges("jobs_in_flight", "Deliveries taken and not settled yet", lane)
        self.prefetch = group.gauges("prefetch", "Deliveries that may be in flight", lane)
        self.oldest = group.gauge(
            "oldest_job_seconds", "Age of the oldest delivery in flight; 0 while there is none"
        )
        self.waited = group.histograms(
            "queue_wait_seconds",
            "From the producer's timestamp to taking the job for the first time",
            lane,
            WAIT_SECONDS,
        )
        self.took = group.histograms(
            "job_seconds",
            "From taking a delivery to its end; not of one that comes back: the count is a lane's progress",
            lane,
            JOB_SECONDS,
        )
        self.lasted = group.histograms(
            "end_to_end_seconds",
            "From the producer's timestamp to the confirmed result, delays and retries included",
            lane,
            WAIT_SECONDS,
        )
        self.send_calls = group.histogram(
            "send_calls",
            "sendSMS calls that a send job, or a part of a large one, took until its result",
            FEW,
        )
        self.retries = group.counters(
            "retries_total",
            "Work tried again: a call at once, a job over a delay queue, a delivery given back",
            every(kind=labels.RETRIES),
        )
        self.redeliveries = group.counter(
            "redeliveries_total", "Deliveries that the broker flagged as repeated"
        )
        self.revisions = group.counter("revisions_total", "Results corrected after a late reply")
        self.crashes = group.counter("crashes_total", "Faults of the worker's own while it worked on a job")
        self.dead_letters = group.counters(
            "dead_letters_total",
            "Dead letters that this worker wrote, by reason code",
            every(reason=labels.DEAD_REASONS),
        )
