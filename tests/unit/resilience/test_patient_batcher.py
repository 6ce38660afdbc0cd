"""Questions that wait for company."""

import asyncio

import pytest

from tests.support.fakes import settled
from tests.unit.resilience.test_batcher import Oracle
from worker.domain.errors import TransientError, UnavailableError
from worker.resilience.patient_batcher import PatientBatcher

LONG = 3600.0


@pytest.fixture
def oracle() -> Oracle:
    """Provide an oracle that answers at once."""
    oracle = Oracle()
    oracle.gate.set()
    return oracle


class TestPatientBatcher:
    """Full, or as late as its first key may be."""

    async def test_a_full_question_goes_out_at_once(self, oracle: Oracle) -> None:
        """Whatever the patience; callers share it, and one's keys may be in two."""
        batcher = PatientBatcher[str, str](oracle.ask, size=3, at_once=8)
        callers = [asyncio.ensure_future(batcher.get(keys, patience=LONG)) for keys in ("ab", "cd", "ef")]
        answers = await asyncio.gather(*callers)
        assert [{"a": "A", "b": "B"}, {"c": "C", "d": "D"}, {"e": "E", "f": "F"}] == answers
        assert [("a", "b", "c"), ("d", "e", "f")] == oracle.asked

    async def test_one_that_is_not_full_waits_for_its_first_caller_s_patience(self, oracle: Oracle) -> None:
        """Then it takes whoever is there."""
        batcher = PatientBatcher[str, str](oracle.ask, size=3, at_once=8)
        loop = asyncio.get_running_loop()
        began = loop.time()
        first = asyncio.ensure_future(batcher.get("a", patience=0.02))
        second = asyncio.ensure_future(batcher.get("b", patience=LONG))
        assert ({"a": "A"}, {"b": "B"}) == (await first, await second)
        assert [("a", "b")] == oracle.asked
        assert loop.time() - began >= 0.02

    async def test_few_are_under_way(self, oracle: Oracle) -> None:
        """Full ones included."""
        oracle.gate.clear()
        batcher = PatientBatcher[str, str](oracle.ask, size=1, at_once=2)
        callers = [asyncio.ensure_future(batcher.get(name, patience=0)) for name in "abcde"]
        await settled()
        assert 2 == len(oracle.asked)
        oracle.gate.set()
        await asyncio.gather(*callers)
        assert 5 == len(oracle.asked)

    async def test_whoever_has_gone_is_not_asked_for(self, oracle: Oracle) -> None:
        """A look that had no turn for too long."""
        batcher = PatientBatcher[str, str](oracle.ask, size=2, at_once=8)
        gone = asyncio.ensure_future(batcher.get("a", patience=LONG))
        await settled()
        gone.cancel()
        await settled()
        assert {"b": "B", "c": "C"} == await batcher.get("bc", patience=LONG)
        assert [("b", "c")] == oracle.asked

    async def test_an_error_is_everybody_s_of_its_question(self, oracle: Oracle) -> None:
        """Each gets one of its own."""
        oracle.error = TransientError("gateway_busy", "later")
        batcher = PatientBatcher[str, str](oracle.ask, size=2, at_once=8)
        callers = [asyncio.ensure_future(batcher.get(name, patience=LONG)) for name in "ab"]
        errors = await asyncio.gather(*callers, return_exceptions=True)
        assert [oracle.error.code] * 2 == [getattr(error, "code", None) for error in errors]
        assert errors[0] is not errors[1]

    async def test_a_stop_sends_all_away(self, oracle: Oracle) -> None:
        """Those who wait, and those who come."""
        batcher = PatientBatcher[str, str](oracle.ask, size=2, at_once=8)
        waiting = asyncio.ensure_future(batcher.get("a", patience=LONG))
        await settled()
        batcher.stop(UnavailableError("worker_stopping", "it stops"))
        with pytest.raises(UnavailableError):
            await waiting
        with pytest.raises(UnavailableError):
            await batcher.get("b", patience=LONG)
        assert [] == oracle.asked
