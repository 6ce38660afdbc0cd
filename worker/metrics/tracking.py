"""Messages that are followed to their end."""

from worker.metrics import labels
from worker.metrics.labels import every
from worker.metrics.series import Group
from worker.metrics.spec import TRACK_SECONDS


class TrackingMetrics:
    """How many there are, what became of them, and how long that took."""

    def __init__(self, group: Group) -> None:
        self.begun = group.counter(
            "tracked_messages_total",
            "Accepted messages that are followed; without those of `tracking_ended_total`: open",
        )
        self.ended = group.counter(
            "tracking_ended_total", "Tracked messages with an end: it was recorded, and is published"
        )
        self.recipients = group.counters(
            "tracked_recipients_total",
            "Recipients of these by status; `unknown` where `WORKER_TRACK_LIMIT` was over",
            every(status=labels.TRACKED),
        )
        self.took = group.histogram(
            "tracking_seconds", "From a message's acceptance to the look that knew its end", TRACK_SECONDS
        )
        self.unknown = group.counters(
            "unknown_statuses_total",
            "Statuses in replies that are in no table, by what they look like; see `WORKER_STATUS_WORDS`",
            every(form=labels.WORD_FORMS),
        )

    def count_unknown(self, form: str) -> None:
        """Count a word of that form."""
        self.unknown[form].inc()
