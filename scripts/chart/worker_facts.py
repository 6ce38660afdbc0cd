"""The worker as the chart's templates know it: its settings, and its topology with blanks to fill in."""

import json
from typing import Any

from worker.amqp.topology.values import Topology
from worker.domain.limits import DEFAULT_DELAYS, DEFAULT_TRACK_DELAYS
from worker.settings import settings_table
from worker.settings.sections import LedgerSettings, RetrySettings

# The settings that have a value of their own in the chart; all others go into its map of settings.
NAMED = {
    "AMQP_PREFIX": "broker.prefix",
    "AMQP_DECLARE": "broker.declare",
    "ITON_BASE_URL": "iton.baseUrl",
    "ITON_TIMEOUT": "iton.timeout",
    "ITON_RATE_LIMIT": "iton.rateLimit",
    "ITON_ALLOWED_PARAMS": "iton.allowedParams",
    "LEDGER_URL": "ledger.type",
    "WORKER_SHARED_LEDGER": "ledger.type",
    "HEALTH_PORT": "health.port",
    "LOG_FORMAT": "logs.format",
    "LOG_LEVEL": "logs.level",
    "WORKER_DRAIN_TIMEOUT": "drainTimeout",
    "WORKER_SECRETS_DIR": "credentials.mountPath",
}
SECRET = {
    "AMQP_URL": "credentials.amqpUrl",
    "ITON_USERNAME": "credentials.itonUsername",
    "ITON_PASSWORD": "credentials.itonPassword",
    "ITON_API_TOKEN": "credentials.itonApiToken",
    "WORKER_GATEWAY_PROXY": "credentials.gatewayProxy",
}
PREFIX = "{prefix}"
# What stands for any delay while the topology is written down, of jobs and of looks; no other number in it is
# the same. Then what stands for its seconds, and for its milliseconds.
_SOME_DELAY, _SOME_LOOK = 86_399, 86_398
_BLANKS = {
    _SOME_DELAY: ("{seconds}", "{milliseconds}"),
    _SOME_LOOK: ("{trackSeconds}", "{trackMilliseconds}"),
}


def worker_facts() -> str:
    """Return the file as JSON: defaults, exchanges, queues, bindings; by each setting its value."""
    topology = Topology(PREFIX, (_SOME_DELAY,), (_SOME_LOOK,), ladder=True).to_json()
    facts = {
        "delays": ",".join(str(delay) for delay in DEFAULT_DELAYS),
        "trackDelays": ",".join(str(delay) for delay in DEFAULT_TRACK_DELAYS),
        "retention": LedgerSettings.model_fields["retention"].default,
        "maxAge": RetrySettings.model_fields["max_age"].default,
        "settings": {row.variable: place(row.variable) for row in settings_table()},
        **{kind: topology[kind] for kind in ("exchanges", "queues", "bindings")},
    }
    return _with_blanks(facts)


def place(variable: str) -> str:
    """Return the path of the value that holds a setting."""
    return (NAMED | SECRET).get(variable, f"settings.{variable}")


def _with_blanks(facts: dict[str, Any]) -> str:
    written = json.dumps(facts, indent=2) + "\n"
    for number, (seconds, milliseconds) in _BLANKS.items():
        written = written.replace(f"{number}000", f'"{milliseconds}"').replace(str(number), seconds)
    return written
