"""Calls to the gateway."""

from worker.metrics import labels
from worker.metrics.labels import every
from worker.metrics.series import Group
from worker.metrics.spec import CALL_SECONDS, OF_A_HUNDRED


class CallMetrics:
    """What came of calls, how many there may be, and how full they are."""

    def __init__(self, group: Group) -> None:
        command, keyed = every(command=labels.COMMANDS), every(command=labels.KEYED_COMMANDS)
        self.ended = group.counters(
            "gateway_calls_total",
            "Calls by what came of them: `uncertain` may have been sent, `transient` was not",
            every(**{"command": labels.COMMANDS, "class": labels.CALL_CLASSES}),
        )
        self.took = group.histograms("gateway_call_seconds", "Duration of calls", command, CALL_SECONDS)
        self.in_flight = group.gauge("gateway_calls_in_flight", "Calls under way")
        self.limit = group.gauge(
            "gateway_calls_limit", "Calls that may be under way at present, as the gateway takes them"
        )
        self.floor = group.gauge(
            "gateway_calls_floor",
            "`WORKER_MIN_CALLS`: the limit of calls does not fall below it; 0 where it cannot fall",
        )
        self.keys = group.histograms(
            "gateway_call_keys",
            "Fill of calls: numbers or ids in one, of at most 100",
            keyed,
            OF_A_HUNDRED,
        )
        self.jobs = group.histograms(
            "gateway_call_jobs", "Jobs served together by one pooled call", keyed, OF_A_HUNDRED
        )
        self.unasked = group.counters(
            "unasked_total", "Ids or numbers in replies that nobody asked for", keyed
        )

    def count_unasked(self, command: str, number: int) -> None:
        """Count ids or numbers in a reply that were not in its request."""
        self.unasked[command].inc(number)
