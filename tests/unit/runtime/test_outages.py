"""Which lanes rest: in an outage, and of held jobs outside the hours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from tests.support.fakes import FakeClock
from worker.bootstrap.outages import Outages
from worker.domain.messages import Lane

HELD = {lane for lane in Lane if lane.is_held}
SENDS = {lane for lane in Lane if lane.value.startswith("send")}


@dataclass
class Stage:
    """A consumer that remembers, a gateway that may be away, and hours.

    Attributes:
        resting: the lanes from which nothing is taken.
        looks: how often a lane was taken from again.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    is_open: bool = True
    is_away: bool = False
    resting: set[Lane] = field(default_factory=set)
    looks: int = 0

    async def pause(self, _: str, *lanes: Lane) -> None:
        """Rest."""
        self.resting |= set(lanes)

    async def resume(self, *lanes: Lane) -> None:
        """Take again."""
        self.looks += Lane.SEND_HELD in lanes
        self.resting -= set(lanes)

    def stands(self, command: object) -> bool:
        """Tell whether the gateway is away for a command."""
        return self.is_away and command == "sendSMS"

    @asynccontextmanager
    async def running(self, afterwards: float = 0.0) -> AsyncIterator[None]:
        """Follow, as a worker does from its start on."""
        stage: Any = cast("Any", self)
        outages = Outages(stage, stage, self.clock, lambda: self.is_open, afterwards)
        await outages.begin()
        task = asyncio.ensure_future(outages.run())
        try:
            yield
        finally:
            task.cancel()


class TestHours:
    """Held lanes rest outside of them."""

    async def test_they_rest_before_anything_is_taken(self) -> None:
        """At the start; the others do not."""
        stage = Stage(is_open=False)
        async with stage.running():
            assert HELD == stage.resting

    async def test_they_follow_the_hours_within_a_second(self) -> None:
        """Both ways."""
        stage = Stage()
        async with stage.running():
            assert set() == stage.resting
            for is_open in (False, True, False):
                stage.is_open = is_open
                await stage.clock.advance(0.5)
                assert (set() if is_open else HELD) == stage.resting

    async def test_an_outage_wakes_nobody_before_the_hours(self) -> None:
        """Nor do the hours in an outage."""
        stage = Stage(is_open=False, is_away=True)
        async with stage.running():
            await stage.clock.advance(1)
            assert SENDS == stage.resting
            stage.is_away = False
            await stage.clock.advance(0.5)
            assert HELD == stage.resting
            stage.is_away = stage.is_open = True
            await stage.clock.advance(0.5)
            assert SENDS <= stage.resting

    async def test_they_are_looked_at_after_the_end_and_then_left_alone(self) -> None:
        """What a killed worker was at is found; the others that a look is given come and go for nothing."""
        stage = Stage(is_open=False)
        looks = []
        async with stage.running(afterwards=90):
            for seconds in (10, 20, 30, 31):
                await stage.clock.advance(seconds)
                looks.append(stage.looks)
            assert [2, 4, 6, 8] == looks
            await stage.clock.advance(600)
            assert (8, HELD) == (stage.looks, stage.resting)
