"""Parts that another release made, while a deployment rolls."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.support.fake_worker import FakeWorker, World, delivery, numbers, part_delivery, send_job
from worker.domain.messages import DeadLetter, Disposition, Lane, PartMessage, Requeue


@pytest.fixture
def worker() -> FakeWorker:
    """Provide a worker."""
    return FakeWorker(World())


async def taken(worker: FakeWorker, change: Mapping[str, object]) -> Disposition:
    """Split a job, change the first part's body, and have it taken."""
    await worker.dispatch()(delivery(Lane.SEND, send_job(*numbers(150))))
    part: PartMessage = worker.world.publisher.parts[0]
    body = json.dumps(json.loads(part.body) | change).encode()
    return await worker.dispatch()(part_delivery(replace(part, body=body)))


class TestForms:
    """A newer form is the newer release's to carry out."""

    async def test_a_newer_one_goes_back_to_its_queue(self, worker: FakeWorker) -> None:
        """Whatever it holds: it is no fault of the job's, and nobody is told so."""
        assert Requeue("part_unreadable") == await taken(worker, {"v": 99, "urgency": "high"})
        assert ([], []) == (worker.world.bodies, worker.world.gateway.calls)

    @pytest.mark.parametrize("change", [{"v": 1, "urgency": "high"}, {"brief": None}])
    async def test_what_no_release_made_is_refused(
        self, worker: FakeWorker, change: Mapping[str, object]
    ) -> None:
        """It is a dead letter."""
        assert isinstance(await taken(worker, change), DeadLetter)
