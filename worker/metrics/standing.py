"""What keeps calls from being made."""

from worker.metrics import labels
from worker.metrics.labels import every
from worker.metrics.series import Group


class StandingMetrics:
    """Switches: 1 while something is not done."""

    def __init__(self, group: Group) -> None:
        self.breaker_open = group.gauges(
            "breaker_open",
            "1 while a command is not called because it kept failing",
            every(command=labels.COMMANDS),
        )
        self.paused = group.gauges(
            "intake_paused",
            "1 while no send jobs are worked on, by reason",
            every(reason=labels.PAUSES),
        )
