"""Questions whose answers are late."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random

import pytest

from tests.support.fake_worker import numbers
from tests.support.fakes import FakeGate, FakePermit
from worker.clock import SystemClock
from worker.domain.errors import OutcomeUncertainError
from worker.handlers.lookups import Lookups
from worker.ports import Command, Subject
from worker.resilience.number_memory import NumberMemory
from worker.resilience.retry import RetryAttempts

(ONE,) = numbers(1)


class _HastyGate(FakeGate):
    """Finds any answer late after a hundredth of a second."""

    @asynccontextmanager
    async def admit(
        self, command: Command, *, urgent: bool, about: Subject | None = None, patient: bool = False
    ) -> AsyncIterator[FakePermit]:
        async with FakeGate.admit(self, command, urgent=urgent, about=about, patient=patient) as permit:
            permit.patience = 0.01
            yield permit


class _SlowGateway:
    """Answers DND questions after so many seconds each, in their order; None: as a call that timed out."""

    def __init__(self, *takes: float | None) -> None:
        self.takes = list(takes)
        self.cut = 0

    async def check_dnd(self, asked: Sequence[str]) -> Mapping[str, bool]:
        takes = self.takes.pop(0)
        if takes is None:
            raise OutcomeUncertainError("reply_lost", "the call's own time is over")
        try:
            await asyncio.sleep(takes)
        except asyncio.CancelledError:
            self.cut += 1
            raise
        return dict.fromkeys(asked, False)


def lookups(gateway: _SlowGateway, gate: FakeGate) -> Lookups:
    """Return lookups of one attempt that counts."""
    clock = SystemClock()
    retry = dict.fromkeys(Command, RetryAttempts(1, clock, Random(1)))  # noqa: S311 - no secret
    return Lookups(gateway, gate, retry, memory=NumberMemory(0, clock))  # type: ignore[arg-type]


class TestLateAnswer:
    """It may be lost, or take its time."""

    async def test_it_is_asked_for_anew_and_that_is_no_attempt(self) -> None:
        """A gateway that swallowed a question answers the next one."""
        gateway, gate = _SlowGateway(60.0, 0.0), _HastyGate()
        assert {ONE: False} == await lookups(gateway, gate).dnd((ONE,), urgent=False)
        assert (1, 2) == (gateway.cut, len(gate.admitted))

    async def test_each_time_it_is_waited_for_twice_as_long(self) -> None:
        """So a gateway that always takes long is heard in the end."""
        gateway = _SlowGateway(*(0.05 for _ in range(9)))
        assert {ONE: False} == await lookups(gateway, _HastyGate()).dnd((ONE,), urgent=False)
        assert gateway.cut >= 2

    async def test_the_calls_own_time_limit_is_an_attempt(self) -> None:
        """Its end is what it always was."""
        with pytest.raises(OutcomeUncertainError) as caught:
            await lookups(_SlowGateway(60.0, None), _HastyGate()).dnd((ONE,), urgent=False)
        assert caught.value.counts
