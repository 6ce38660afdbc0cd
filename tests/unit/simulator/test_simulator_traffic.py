"""Counting calls and limiting those that are served at once."""

import asyncio

from worker.simulator.traffic import Traffic
from worker.simulator.wire import Call, Command

CALL = Call({"cmd": "sendSMS", "username": "demo", "password": "hush", "to": "919876543210"}, "ITON hush")


class TestArrival:
    """Calls in flight."""

    def test_the_highest_number_in_flight_is_kept(self) -> None:
        """Also when a call ends with an error."""
        traffic = Traffic()

        with traffic.arrival(CALL, 0), traffic.arrival(CALL, 0):
            within = traffic.in_flight

        assert (2, 0, 2) == (within, traffic.in_flight, traffic.max_in_flight)
        assert 2 == traffic.calls[Command.SEND]

    def test_recent_calls_hold_no_credential(self) -> None:
        """Only whether there was a token."""
        traffic = Traffic()

        with traffic.arrival(CALL, 0):
            pass

        assert "hush" not in str(traffic.recent)
        assert traffic.recent[0]["token"] is True


class TestAdmission:
    """Places."""

    async def test_over_the_limit_is_refused(self) -> None:
        """Until a place is free again."""
        traffic = Traffic()

        first = [await traffic.admit(1, queue=False), await traffic.admit(1, queue=False)]
        traffic.release()

        assert [True, False] == first
        assert await traffic.admit(1, queue=False)

    async def test_over_the_limit_waits_in_order(self) -> None:
        """Each release lets exactly one in."""
        traffic = Traffic()
        let_in: list[int] = []

        async def come(number: int) -> None:
            await traffic.admit(1, queue=True)
            let_in.append(number)

        tasks = [asyncio.create_task(come(number)) for number in range(3)]
        seen = []
        for _ in range(3):
            for _ in range(3):
                await asyncio.sleep(0)
            seen.append(list(let_in))
            traffic.release()
        await asyncio.gather(*tasks)

        assert [[0], [0, 1], [0, 1, 2]] == seen
