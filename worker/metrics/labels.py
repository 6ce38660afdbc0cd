"""The closed sets of label values. What is in none of them counts as ``other``: no label can grow."""

from collections.abc import Mapping
from itertools import product

from schemas.channels import RESULT_KIND_OF_JOB, JobKind
from schemas.failures import FailureCode
from schemas.outcomes import FINAL_STATUSES, DeliveryStatus, Outcome
from worker.domain.messages import Lane
from worker.ports import Command

OTHER = "other"

Values = tuple[str, ...]

_WITHOUT_RESULT = {JobKind.SEND: ("split", "forgotten", "scheduled", "held"), JobKind.API: ("forgotten",)}
_UNSETTLED = ("delayed", "returned")
_UNASKED_RESULTS = {"low"}  # a result that no job has

OUTCOMES = tuple(outcome.value for outcome in Outcome)
TRACKED = tuple(
    status.value for status in DeliveryStatus if status in FINAL_STATUSES or status == DeliveryStatus.UNKNOWN
)
WORD_FORMS = ("word", "number", "text", "empty")
COMMANDS = tuple(command.value for command in Command)
KEYED_COMMANDS = tuple(word for word in COMMANDS if word not in {Command.ACCOUNT, Command.API})
CALL_CLASSES = ("ok", "permanent", "transient", "uncertain", "account", "cancelled")
LANES = tuple(lane.value for lane in Lane)
QUEUES = (*LANES, "delay", "track", "scheduled", "dead", "results.unrouted")
RETRIES = ("call", "delay", "requeue")
PAUSES = ("credentials", "credits", "ledger")
EXCHANGES = ("send", "delivery", "account", "api", "cancel", "parts", "dead", "delay", "scheduled", "held")
PUBLISH_RESULTS = ("confirmed", "returned", "failed")
LEDGER_OPERATIONS = ("load", "swap", "renew")
CACHE_RESULTS = ("hit", "miss")
DND_ANSWERS = ("listed", "clear", "silent")
DEAD_REASONS = tuple(code.value for code in FailureCode)


def _results(kind: JobKind) -> Values:
    """Every end of a job of *kind*: the statuses of its results, and what there is without one."""
    statuses = [word for word in RESULT_KIND_OF_JOB[kind].statuses if word not in _UNASKED_RESULTS]
    return (*statuses, *_WITHOUT_RESULT.get(kind, ()), *_UNSETTLED)


_LOOKS = ("final", "news", "pending", "dropped", "delayed")
JOBS = (
    *((kind.value, result) for kind in JobKind for result in _results(kind)),
    *(("track", result) for result in _LOOKS),
)


def every(**labels: Values) -> "Labels":
    """Labels of which every combination may occur."""
    return Labels(tuple(labels), tuple(product(*labels.values())))


class Labels:
    """The names of a metric's labels, and every combination of values that may occur."""

    def __init__(self, names: Values = (), combinations: tuple[Values, ...] = ()) -> None:
        self.names = names
        self.combinations = combinations

    @property
    def values(self) -> Mapping[str, Values]:
        """The values of each label, in the order in which they first occur."""
        columns = zip(*self.combinations, strict=True)
        return {name: tuple(dict.fromkeys(column)) for name, column in zip(self.names, columns, strict=False)}
