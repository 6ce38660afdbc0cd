"""Api jobs where the worker has no address for them."""

from dataclasses import dataclass
from typing import NoReturn

from worker.domain.messages import Delivery
from worker.handlers.api.acceptance import ApiAcceptance
from worker.handlers.handled import Handled


@dataclass(frozen=True, slots=True)
class NoWebApi:
    """Rejects every api job, and says what an operator would have to set."""

    acceptance: ApiAcceptance

    async def handle(self, delivery: Delivery) -> Handled:
        """Reject it.

        Raises:
            JobRejectedError: always.
        """
        self.acceptance.api_job(delivery)
        _never()


def _never() -> NoReturn:
    raise AssertionError("without an address every api job is rejected")
