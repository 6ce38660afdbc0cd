"""The closed sets of label values. What is in none of them counts as ``other``: no label can grow."""

from schemas.channels import JobKind, ResultKind
from schemas.failures import FailureCode
from schemas.outcomes import Outcome

OTHER = "other"

KINDS = frozenset(kind.value for kind in JobKind)
# The statuses of results, and what became of a job without one.
RESULTS = frozenset(
    {
        *(status for kind in ResultKind for status in kind.statuses),
        *("split", "delayed", "returned", "forgotten"),
    }
)
OUTCOMES = frozenset(outcome.value for outcome in Outcome)
COMMANDS = frozenset({"sendSMS", "account", "message_status", "check_DNDnumber"})
CALL_CLASSES = frozenset({"ok", "permanent", "transient", "uncertain", "account", "cancelled"})
LANES = frozenset({"send", "send.urgent", "send.parts", "send.urgent.parts", "status", "account"})
RETRIES = frozenset({"call", "delay", "requeue"})
PAUSES = frozenset({"credentials", "credits", "ledger"})
EXCHANGES = frozenset({"send", "delivery", "account", "parts"})
PUBLISH_RESULTS = frozenset({"confirmed", "failed"})
LEDGER_OPERATIONS = frozenset({"load", "swap"})
CACHE_RESULTS = frozenset({"hit", "miss"})
DND_ANSWERS = frozenset({"listed", "clear", "silent"})
DEAD_REASONS = frozenset(code.value for code in FailureCode)


def closed(value: str, allowed: frozenset[str]) -> str:
    """Return *value* if it is one of *allowed*, else ``other``."""
    return value if value in allowed else OTHER
