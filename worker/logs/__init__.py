"""Logs: structured, redacted, on stderr."""

from worker.logs.lines import Redaction
from worker.logs.setup import LogFormat, configure_logs

__all__ = ["LogFormat", "Redaction", "configure_logs"]
