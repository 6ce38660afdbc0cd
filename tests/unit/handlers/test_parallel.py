"""Work side by side of which none is cut short."""

import asyncio

import pytest

from tests.support.fakes import settled
from worker.domain.errors import BrokerUnavailableError, TransientError
from worker.handlers import parallel

AWAY = TransientError("gateway_unreachable", "refused")
LATER = BrokerUnavailableError("not_confirmed", "no confirm")


class TestEachToItsEnd:
    """An error ends the whole, but nobody's work."""

    async def test_results_come_in_order_and_few_are_under_way(self) -> None:
        """Whoever is first."""
        under_way = most = 0

        async def work(number: int) -> int:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            for _ in range(20 - number):
                await asyncio.sleep(0)
            under_way -= 1
            return number * 2

        found = await parallel.each_to_its_end(work, range(20), limit=3)
        assert [number * 2 for number in range(20)] == found
        assert 3 == most

    async def test_of_nothing_comes_nothing(self) -> None:
        """An empty list."""

        async def work(number: int) -> int:
            return number

        assert [] == await parallel.each_to_its_end(work, [], limit=3)

    async def test_what_is_under_way_ends_and_the_rest_is_not_begun(self) -> None:
        """Then the first error comes out as it is."""
        begun, ended = [], []

        async def work(number: int) -> None:
            begun.append(number)
            if number == 1:
                raise AWAY
            for _ in range(5):
                await asyncio.sleep(0)
            if number == 2:
                raise LATER
            ended.append(number)

        with pytest.raises(TransientError) as error:
            await parallel.each_to_its_end(work, range(9), limit=4)
        assert AWAY is error.value
        assert ([0, 1, 2, 3], [0, 3]) == (begun, ended)

    async def test_a_cancellation_waits_for_all_of_them(self) -> None:
        """One may have a step under way that must not be cut in two."""
        ended = []

        async def work(number: int) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                for _ in range(10 * number):
                    await asyncio.sleep(0)
                ended.append(number)

        task = asyncio.ensure_future(parallel.each_to_its_end(work, range(9), limit=4))
        await settled()
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        assert [0, 1, 2, 3] == ended
