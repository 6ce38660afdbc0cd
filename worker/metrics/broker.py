"""The broker."""

from worker.metrics import labels
from worker.metrics.labels import every
from worker.metrics.series import Group
from worker.metrics.spec import FAST_SECONDS


class BrokerMetrics:
    """Whether it can be worked with, what lies in its queues, and what it says to what is published."""

    def __init__(self, group: Group) -> None:
        self.consumer_up = group.gauges(
            "consumer_up",
            "1 while the broker has our consumer of a work queue, or none is wanted for now",
            every(lane=labels.LANES),
        )
        self.publisher_up = group.gauge(
            "publisher_up", "1 while the publishing connection works and is not held back"
        )
        self.queue_messages = group.gauges(
            "queue_messages",
            "Messages ready in a queue when last looked at, the same for every worker; `delay` adds up the "
            "delay queues of jobs, `track` those of follow-ups, `scheduled` those of scheduled jobs; NaN "
            "while not connected",
            every(queue=labels.QUEUES),
            unset=True,
        )
        self.publishes = group.counters(
            "publishes_total",
            "Messages published, by the exchange's last word: `confirmed`, `returned` as unroutable even "
            "after the topology was repaired, or `failed`",
            every(exchange=labels.EXCHANGES, result=labels.PUBLISH_RESULTS),
        )
        self.confirm_took = group.histogram(
            "publisher_confirm_seconds", "From publishing to the broker's confirm", FAST_SECONDS
        )

    def count(self, exchange: str, result: str) -> None:
        """Count a publish by where it went: an exchange's last word, or ``parts``."""
        self.publishes[exchange, result].inc()
