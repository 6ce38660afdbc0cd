"""When a job may not be sent any more."""

from datetime import datetime


def has_expired(expires_at: datetime | None, now: datetime) -> bool:
    """Tell whether it is too late *now* for a job; never for one without an end (docs/contract.md, 3)."""
    return expires_at is not None and now >= expires_at
