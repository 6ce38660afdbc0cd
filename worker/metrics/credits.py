"""The account's balance, and what is spent of it."""

from worker.metrics.series import Group


class CreditMetrics:
    """What is left, from where on that is little, and whether the gateway charges what was sent."""

    def __init__(self, group: Group) -> None:
        self.low_threshold = group.gauge(
            "credits_low_threshold",
            "`WORKER_CREDITS_LOW`: below it the worker publishes `account.low`; 0 is never",
        )
        self.remaining = group.gauge(
            "credits_remaining", "The account's balance when last seen; NaN before that", unset=True
        )
        self.predicted = group.counter(
            "credits_spent_predicted_total",
            "Segments of the texts that the gateway accepted, over their recipients: what they should cost",
        )
        self.uncertain = group.counter(
            "credits_spent_uncertain_total", "The same of those of whom nobody knows: it may have been spent"
        )
        self.spent = group.counter(
            "credits_spent_total",
            "Credits by which the balance fell from one reading to the next; one worker of a fleet reads",
        )
        self.added = group.counter(
            "credits_added_total", "Credits by which it rose: top-ups, less what was spent meanwhile"
        )
