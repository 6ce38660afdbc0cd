"""Jobs that stay in hand."""

import asyncio

from tests.support.fake_worker import delivery, send_job
from tests.support.fakes import FakeClock
from worker.bootstrap.long_jobs import LongJobs
from worker.domain.messages import Delivery, Lane


class TestLongJobs:
    """Their entries live on."""

    async def test_what_is_in_hand_from_one_look_to_the_next_is_renewed(self) -> None:
        """Sends alone have entries, and most are gone before the second look."""
        clock, renewed, held = FakeClock(), list[Delivery](), list[Delivery]()
        stays = delivery(Lane.SEND, send_job("919876543210"))
        status = delivery(Lane.STATUS, {"job_id": "s"})

        async def renew(one: Delivery) -> None:
            renewed.append(one)

        task = asyncio.ensure_future(LongJobs(lambda: held, renew, clock).run())
        held += [stays, status, delivery(Lane.SEND, send_job("919876543210"))]
        await clock.advance(61)
        assert [] == renewed
        held.pop()
        await clock.advance(60)
        assert [stays] == renewed
        await clock.advance(60)
        assert [stays, stays] == renewed
        task.cancel()
