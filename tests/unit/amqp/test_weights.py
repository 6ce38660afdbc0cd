"""Several heavy things at once, up to a weight in all."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fakes import settled
from worker.amqp.consume.weights import Weights


class Holders:
    """Tasks that hold a weight until they are told to let go."""

    def __init__(self, most: int) -> None:
        self.weights = Weights(most)
        self.inside: list[str] = []
        self._gates: dict[str, asyncio.Event] = {}

    async def come(self, name: str, weight: int) -> "asyncio.Task[None]":
        """One more wants to hold *weight*."""
        self._gates[name] = asyncio.Event()
        task = asyncio.create_task(self._hold(name, weight))
        await settled()
        return task

    async def go(self, name: str) -> None:
        """One lets go."""
        self._gates[name].set()
        await settled()

    async def _hold(self, name: str, weight: int) -> None:
        async with self.weights.holding(weight):
            self.inside.append(name)
            await self._gates[name].wait()
            self.inside.remove(name)


class TestWeights:
    """``Weights``."""

    async def test_as_many_as_fit(self) -> None:
        """The next one waits for room, and not for all of them to go."""
        holders = Holders(10)
        for name in "abc":
            await holders.come(name, 4)
        assert ["a", "b"] == holders.inside
        await holders.go("a")
        assert ["b", "c"] == holders.inside

    async def test_one_that_is_too_heavy_goes_alone(self) -> None:
        """It would wait for ever."""
        holders = Holders(10)
        await holders.come("a", 50)
        await holders.come("b", 1)
        assert ["a"] == holders.inside
        await holders.go("a")
        assert ["b"] == holders.inside

    async def test_nobody_is_overtaken(self) -> None:
        """Light ones would keep a heavy one out for ever."""
        holders = Holders(10)
        await holders.come("a", 6)
        await holders.come("heavy", 8)
        await holders.come("light", 1)
        assert ["a"] == holders.inside
        await holders.go("a")
        assert ["heavy", "light"] == holders.inside

    async def test_who_gives_up_leaves_nothing_behind(self) -> None:
        """In line, and in the moment in which it was let in."""
        holders = Holders(10)
        await holders.come("a", 6)
        heavy = await holders.come("heavy", 8)
        await holders.come("light", 4)
        heavy.cancel()
        await settled()
        assert ["a", "light"] == holders.inside

    async def test_who_is_cancelled_as_it_is_let_in_lets_the_next_one_in(self) -> None:
        """Its weight is not lost."""
        weights = Weights(10)
        async with weights.holding(10):
            first = asyncio.create_task(weights._take(10))
            second = asyncio.create_task(weights._take(10))
            await settled()
        first.cancel()
        await settled()
        assert (True, True, 10) == (first.cancelled(), second.done(), weights.held)

    @settings(max_examples=50, deadline=None)
    @given(st.integers(1, 20), st.lists(st.integers(0, 30), max_size=30), st.randoms())
    async def test_never_too_much_and_everybody_comes_in(
        self, most: int, wanted: list[int], random: "object"
    ) -> None:
        """Whatever the order."""
        holders = Holders(most)
        tasks = [await holders.come(str(number), weight) for number, weight in enumerate(wanted)]
        while not all(task.done() for task in tasks):
            held = [wanted[int(name)] for name in holders.inside]
            assert sum(held) == holders.weights.held
            assert sum(held) <= most or len([one for one in held if one]) == 1
            await holders.go(random.choice(holders.inside))  # type: ignore[attr-defined]
        assert 0 == holders.weights.held
