"""The account's balance."""

from worker.metrics.series import Group


class CreditMetrics:
    """What is left, and from where on that is little."""

    def __init__(self, group: Group) -> None:
        self.low_threshold = group.gauge(
            "credits_low_threshold",
            "`WORKER_CREDITS_LOW`: below it the worker publishes `account.low`; 0 is never",
        )
        self.remaining = group.gauge(
            "credits_remaining", "The account's balance when last seen; NaN before that", unset=True
        )
