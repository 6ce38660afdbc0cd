"""When a job may not be sent any more."""

from datetime import datetime


def has_expired(expires_at: datetime, now: datetime) -> bool:
    """Tell whether it is too late *now* for a job that has an end (docs/contract.md, 3)."""
    return now >= expires_at
