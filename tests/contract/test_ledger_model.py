"""The SQLite ledger does what the one in memory does, in any order of calls."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.contract.ledger_backends import SteppedClock
from worker.ledger import MemoryLedger, SqliteLedger
from worker.ports import Stored, Swap

RETENTION = 100.0
NAMES = ["job-1", "job-1/1", "job-2", *(f"job-{number}" for number in range(3, 9))]
KEYS = st.sampled_from(NAMES)
TOKENS = st.sampled_from(["a", "b", "c", "d"])
STATES = st.binary(max_size=8)
SWAPS = st.tuples(KEYS, st.none() | TOKENS, TOKENS, STATES)


class LedgersAgree(RuleBasedStateMachine):
    """Both get the same calls; SQLite is also closed and opened again."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._directory = tempfile.TemporaryDirectory()
        self._clock = SteppedClock()
        self._model = MemoryLedger(retention=RETENTION, clock=self._clock)
        self._ledger = self._open()

    def _open(self) -> SqliteLedger:
        path = Path(self._directory.name) / "ledger.db"
        return SqliteLedger(path, retention=RETENTION, clock=self._clock)

    async def _swapped(self, one: Swap) -> bool:
        return await self._ledger.swap(one.key, expected=one.expected, new=one.new)

    async def _loaded(self, key: str) -> Stored | None:
        return await self._ledger.load(key)

    @rule(call=SWAPS)
    def swap(self, call: tuple[str, str | None, str, bytes]) -> None:
        """A swap, with tokens few enough to meet again, is answered alike."""
        key, expected, token, state = call
        new = Stored(token, state)
        ours = self._runner.run(self._model.swap(key, expected=expected, new=new))
        assert ours == self._runner.run(self._swapped(Swap(key, expected, new)))

    @rule(calls=st.lists(SWAPS, max_size=5))
    def swap_many(self, calls: list[tuple[str, str | None, str, bytes]]) -> None:
        """Swaps in one batch, of one key even, are answered as one after the other would be."""
        swaps = [Swap(key, expected, Stored(token, state)) for key, expected, token, state in calls]
        ours = [
            self._runner.run(self._model.swap(one.key, expected=one.expected, new=one.new)) for one in swaps
        ]
        assert ours == self._runner.run(self._ledger.swap_many(swaps))

    @rule(calls=st.lists(SWAPS, min_size=3, max_size=9, unique_by=lambda call: call[0]))
    def swap_different_ones(self, calls: list[tuple[str, str | None, str, bytes]]) -> None:
        """Of different keys they share their statements, winners and losers."""
        self.swap_many(calls)

    @rule(key=KEYS)
    def load(self, key: str) -> None:
        """Both hold the same."""
        assert self._runner.run(self._model.load(key)) == self._runner.run(self._loaded(key))

    @rule(seconds=st.sampled_from([1.0, 49.5, 50.5, 99.0, 101.0]))
    def wait(self, seconds: float) -> None:
        """Time passes for both."""
        self._clock.advance(seconds)

    @rule()
    def reopen(self) -> None:
        """Closing and opening changes nothing."""
        self._runner.run(self._ledger.close())
        self._ledger = self._open()

    @invariant()
    def counts_are_never_too_low(self) -> None:
        """What is alive is counted."""
        alive = sum(self._runner.run(self._model.load(key)) is not None for key in NAMES)
        assert alive <= (self._runner.run(self._ledger.entries()) or 0)

    def teardown(self) -> None:
        """Leave no thread and no file."""
        self._runner.run(self._ledger.close())
        self._runner.close()
        self._directory.cleanup()


class TestLedgersAgree:
    """Hypothesis looks for a sequence of calls that tells the two apart."""

    @pytest.mark.no_cover  # a thousand rounds of what other tests cover
    def test_no_sequence_of_calls_tells_them_apart(self) -> None:
        """Swaps, loads, time and restarts in any order."""
        run_state_machine_as_test(
            LedgersAgree, settings=settings(max_examples=40, stateful_step_count=25, deadline=None)
        )
