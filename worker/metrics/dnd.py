"""What is known of the do-not-disturb list."""

from collections.abc import Mapping

from worker.metrics import labels
from worker.metrics.labels import every
from worker.metrics.series import Group


class DndMetrics:
    """Numbers by what the list says of them."""

    def __init__(self, group: Group) -> None:
        self.answers = group.counters(
            "dnd_answers_total",
            "Numbers asked about at the DND endpoint; `silent` are those that it left out of its reply",
            every(answer=labels.DND_ANSWERS),
        )
        self.cache = group.counters(
            "dnd_cache_total", "Numbers looked for in the DND cache", every(result=labels.CACHE_RESULTS)
        )

    def count_answers(self, asked: int, answers: Mapping[str, bool]) -> None:
        """Count what the DND endpoint said of so many numbers, and of how many nothing."""
        listed = sum(answers.values())
        self.answers["listed"].inc(listed)
        self.answers["clear"].inc(len(answers) - listed)
        self.answers["silent"].inc(asked - len(answers))
