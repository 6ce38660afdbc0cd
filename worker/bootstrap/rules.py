"""What the settings allow a job to ask for."""

from collections.abc import Callable
from datetime import datetime

from worker.domain.hours import Hours
from worker.domain.limits import LONGEST_WAIT
from worker.domain.recipients import NumberingPlan, has_numbers
from worker.domain.waiting import WaitingRoom
from worker.handlers.api.acceptance import ApiAcceptance
from worker.handlers.send.acceptance import Acceptance
from worker.settings import Settings, SettingsError


def acceptance_of(settings: Settings, now: Callable[[], datetime]) -> Acceptance:
    """Return what the settings allow a send job to ask for; *now* tells the time."""
    return Acceptance(
        max_body_bytes=settings.broker.max_body_bytes,
        max_segments=settings.sending.max_segments,
        allowed_params=frozenset(settings.gateway.allowed_params),
        send_after_limit=settings.sending.send_after_limit,
        now=now,
    )


def hours_of(settings: Settings) -> Hours | None:
    """Return in which hours promotional texts may go out; None: at any hour."""
    windows = settings.sending.promotional_hours
    return Hours.of(windows, settings.sending.hours_timezone) if windows else None


def waiting_of(settings: Settings) -> WaitingRoom:
    """Return where jobs wait for their time: a worker looks at each twice before the ledger forgets it."""
    longest = min(LONGEST_WAIT, settings.ledger.retention // 2) if settings.sending.send_after_limit else 0
    return WaitingRoom(longest, settings.retry.delays)


def numbering_of(settings: Settings) -> NumberingPlan:
    """Return whose numbers the settings accept.

    Raises:
        SettingsError: a region has none, so that each of the numbers that were meant would be invalid.
    """
    regions = settings.sending.allowed_regions
    if not all(map(has_numbers, regions)):
        raise SettingsError(
            "WORKER_ALLOWED_REGIONS names a region that has no phone numbers; IN, or GB for the United "
            "Kingdom, say"
        )
    return NumberingPlan(settings.sending.default_region, frozenset(regions))


def api_acceptance_of(settings: Settings) -> ApiAcceptance:
    """Return what a job of the Web API must fulfil."""
    web_api = settings.web_api
    return ApiAcceptance(web_api.url is not None, web_api.paths, settings.broker.max_body_bytes)
