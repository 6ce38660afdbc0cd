"""What the settings allow a job to ask for."""

from worker.domain.recipients import NumberingPlan
from worker.handlers.api.acceptance import ApiAcceptance
from worker.handlers.send.acceptance import Acceptance
from worker.settings import Settings


def acceptance_of(settings: Settings) -> Acceptance:
    """Return what the settings allow a send job to ask for."""
    return Acceptance(
        max_body_bytes=settings.broker.max_body_bytes,
        max_segments=settings.sending.max_segments,
        allowed_params=frozenset(settings.gateway.allowed_params),
    )


def numbering_of(settings: Settings) -> NumberingPlan:
    """Return whose numbers the settings accept."""
    return NumberingPlan(settings.sending.default_region, frozenset(settings.sending.allowed_regions))


def api_acceptance_of(settings: Settings) -> ApiAcceptance:
    """Return what a job of the Web API must fulfil."""
    web_api = settings.web_api
    return ApiAcceptance(web_api.url is not None, web_api.paths, settings.broker.max_body_bytes)
