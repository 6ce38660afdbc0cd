"""Questions of several callers in one."""

import asyncio
from collections.abc import Mapping
from functools import partial
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.deadline import DEADLINE
from tests.support.fakes import settled
from worker.domain.errors import TransientError
from worker.resilience.batcher import Batcher


class Oracle:
    """Answers when told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None
        self.silent: set[str] = set()

    async def ask(self, keys: tuple[str, ...]) -> Mapping[str, str]:
        """Tell each key in capitals, but for the silent ones."""
        self.asked.append(keys)
        await self.gate.wait()
        if self.error:
            raise self.error
        return {key: key.upper() for key in keys if key not in self.silent}


@pytest.fixture
def oracle() -> Oracle:
    """Provide an oracle that waits for its gate."""
    return Oracle()


class TestBatcher:
    """The busier, the fuller."""

    async def test_an_idle_one_asks_at_once(self, oracle: Oracle) -> None:
        """No timer, no company waited for."""
        oracle.gate.set()
        assert {"a": "A"} == await Batcher(oracle.ask, size=10).get(["a"])
        assert [("a",)] == oracle.asked

    async def test_keys_gather_while_questions_are_under_way(self, oracle: Oracle) -> None:
        """The next question takes them all, and each caller gets its own."""
        batcher = Batcher(oracle.ask, size=10, at_once=1)
        callers = [asyncio.ensure_future(batcher.get([name])) for name in "abcd"]
        await settled()
        assert [("a",)] == oracle.asked
        oracle.gate.set()
        assert [{name: name.upper()} for name in "abcd"] == await asyncio.gather(*callers)
        assert [("a",), ("b", "c", "d")] == oracle.asked

    async def test_those_that_are_stuck_hold_nobody_up(
        self, oracle: Oracle, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A gateway that swallowed some questions is asked again, long before these are given up."""
        monkeypatch.setattr("worker.resilience.batcher._STUCK", 0.05)
        batcher = Batcher(oracle.ask, size=10, at_once=1)
        callers = [asyncio.ensure_future(batcher.get([name])) for name in "abc"]
        async with asyncio.timeout(DEADLINE):
            while len(oracle.asked) < 2:  # noqa: ASYNC110 - there is nothing to wait for
                await asyncio.sleep(0.01)
        assert [("a",), ("b", "c")] == oracle.asked
        oracle.gate.set()
        await asyncio.gather(*callers)

    async def test_it_tells_how_many_share_a_question(self, oracle: Oracle) -> None:
        """Callers, not keys."""
        company: list[int] = []
        batcher = Batcher(oracle.ask, size=10, at_once=1, on_question=company.append)
        callers = [asyncio.ensure_future(batcher.get(names)) for names in (["a"], ["b", "c"], ["c"])]
        await settled()
        oracle.gate.set()
        await asyncio.gather(*callers)
        assert [1, 2] == company

    async def test_a_full_question_does_not_wait(self, oracle: Oracle) -> None:
        """Whatever is under way."""
        batcher = Batcher(oracle.ask, size=2, at_once=1)
        callers = [asyncio.ensure_future(batcher.get([name])) for name in "abc"]
        await settled()
        assert [("a",), ("b", "c")] == oracle.asked
        oracle.gate.set()
        await asyncio.gather(*callers)

    async def test_while_there_is_room_a_few_more_go_out_at_once(self, oracle: Oracle) -> None:
        """Up to a bound; the rest gathers, and nothing is stuck when the room is gone."""
        room = [True]
        batcher = Batcher(oracle.ask, size=10, at_once=1, while_room=3, has_room=lambda: room[0])
        callers = [asyncio.ensure_future(batcher.get([name])) for name in "abcde"]
        await settled()
        assert [("a",), ("b",), ("c",)] == oracle.asked
        room[0] = False
        oracle.gate.set()
        assert [{name: name.upper()} for name in "abcde"] == await asyncio.gather(*callers)
        assert [("a",), ("b",), ("c",), ("d", "e")] == oracle.asked

    async def test_without_room_keys_gather(self, oracle: Oracle) -> None:
        """As ever, once *at_once* are under way."""
        batcher = Batcher(oracle.ask, size=10, at_once=1, while_room=3, has_room=lambda: False)
        callers = [asyncio.ensure_future(batcher.get([name])) for name in "abc"]
        await settled()
        assert [("a",)] == oracle.asked
        oracle.gate.set()
        await asyncio.gather(*callers)
        assert [("a",), ("b", "c")] == oracle.asked

    async def test_a_key_of_two_callers_is_asked_once(self, oracle: Oracle) -> None:
        """Both are told."""
        batcher = Batcher(oracle.ask, size=10, at_once=1)
        callers = [asyncio.ensure_future(batcher.get(keys)) for keys in (["a"], ["b", "c"], ["c"])]
        await settled()
        oracle.gate.set()
        assert [{"a": "A"}, {"b": "B", "c": "C"}, {"c": "C"}] == await asyncio.gather(*callers)
        assert [("a",), ("b", "c")] == oracle.asked

    async def test_each_caller_gets_an_error_of_its_own(self, oracle: Oracle) -> None:
        """Of the question that held its keys; others are not touched."""
        batcher = Batcher(oracle.ask, size=10, at_once=1)
        callers = [asyncio.ensure_future(batcher.get([name])) for name in "abc"]
        await settled()
        oracle.error = TransientError("gateway_busy", "no", retry_after=3)
        oracle.gate.set()
        errors = await asyncio.gather(*callers, return_exceptions=True)
        assert [TransientError] * 3 == [type(error) for error in errors]
        assert 3 == len({id(error) for error in errors})
        assert {3} == {error.retry_after for error in errors if isinstance(error, TransientError)}
        oracle.error = None
        assert {"d": "D"} == await batcher.get(["d"])

    async def test_who_has_gone_is_not_asked_for(self, oracle: Oracle) -> None:
        """And takes nobody along."""
        batcher = Batcher(oracle.ask, size=10, at_once=1)
        first, gone, last = (asyncio.ensure_future(batcher.get([name])) for name in "abc")
        await settled()
        gone.cancel()
        await settled()
        oracle.gate.set()
        assert [{"a": "A"}, {"c": "C"}] == list(await asyncio.gather(first, last))
        assert [("a",), ("c",)] == oracle.asked

    async def test_what_is_left_out_is_missing(self, oracle: Oracle) -> None:
        """Of the answer of whoever asked for it."""
        oracle.gate.set()
        oracle.silent = {"b"}
        assert {"a": "A"} == await Batcher(oracle.ask, size=10).get(["a", "b"])

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.lists(st.sampled_from("abcdefghij"), max_size=7, unique=True), max_size=12),
        st.integers(1, 5),
        st.integers(1, 3),
        st.lists(st.booleans(), min_size=1),
    )
    def test_everybody_is_answered(
        self, callers: list[list[str]], size: int, at_once: int, room: list[bool]
    ) -> None:
        """Exactly about what they asked, in questions that are not too large."""

        async def scene() -> None:
            oracle = Oracle()
            oracle.gate.set()
            has_room = partial(next, cycle(room))
            batcher = Batcher(oracle.ask, size=size, at_once=at_once, while_room=4, has_room=has_room)
            answers = await asyncio.gather(*(batcher.get(keys) for keys in callers))
            assert [{key: key.upper() for key in keys} for keys in callers] == answers
            assert all(len(keys) <= size for keys in oracle.asked)

        asyncio.run(scene())
