"""The worlds themselves: virtual time, hosts that die, a broker, replay."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import replace
from typing import Any

import pytest

from tests.worlds import shrink
from tests.worlds.history import History
from tests.worlds.hours import next_opening
from tests.worlds.judge import Finding, judge
from tests.worlds.loop import BusyLoopError, Host, StandstillError, VirtualLoop
from tests.worlds.making import THEMES, make
from tests.worlds.plan import Job, Trouble, World, differences
from tests.worlds.queues import Broker
from tests.worlds.run import play
from tests.worlds.shrink import shrunk

# As in test_found.py.

JOBS = tuple(Job(0.1 * i, f"j{i}", first=i * 10, text=i, recipients=1 + i % 3) for i in range(8))


def run(loop: VirtualLoop, main: Coroutine[Any, Any, Any]) -> None:
    """Run *main* to its end and close the loop."""
    try:
        loop.run_until_complete(main)
    finally:
        loop.close()


class TestTime:
    """The loop's clock."""

    def test_a_day_takes_no_time(self) -> None:
        """Sleeping moves the clock."""
        loop = VirtualLoop()
        before = loop.time()
        run(loop, asyncio.sleep(86_400))
        assert loop.time() == pytest.approx(before + 86_400)

    def test_who_waits_for_nobody_is_told(self) -> None:
        """A standstill is an error, not a hanging test."""
        loop = VirtualLoop()
        with pytest.raises(StandstillError):
            run(loop, asyncio.wait_for(loop.create_future(), None))

    def test_a_loop_without_a_pause_is_told(self) -> None:
        """So is time that stands still."""

        async def busy() -> None:
            while True:  # noqa: ASYNC110 - this is the fault
                await asyncio.sleep(0)

        with pytest.raises(BusyLoopError):
            run(VirtualLoop(), busy())


class TestHosts:
    """Machines that are killed and frozen."""

    @staticmethod
    def _counting(do: Callable[[VirtualLoop, Host], None]) -> list[str]:
        """Count seconds on a host, have something done to it at 2.5, and return what it wrote until 6."""
        loop, host, wrote = VirtualLoop(), Host("h"), list[str]()

        async def count() -> None:
            try:
                for second in range(1, 6):
                    await asyncio.sleep(1)
                    wrote.append(str(second))
            finally:
                wrote.append("finally")

        host.context.copy().run(loop.create_task, count())
        loop.call_later(2.5, do, loop, host, context=Context())
        run(loop, asyncio.sleep(6))
        host.bury()
        return wrote[: wrote.index("finally")] if not host.alive else wrote

    def test_a_killed_one_does_nothing_more(self) -> None:
        """Not even what stands in a ``finally`` block, until it is buried."""
        assert ["1", "2"] == self._counting(lambda _, host: host.kill())

    def test_a_frozen_one_goes_on_later(self) -> None:
        """What fell due meanwhile comes at once."""

        def freeze(loop: VirtualLoop, host: Host) -> None:
            host.frozen = True
            loop.call_later(2, loop.thaw, host, context=Context())

        assert ["1", "2", "3", "4"] == self._counting(freeze)[:4]


class TestBroker:
    """The broker of the worlds."""

    def test_topics_are_routed_as_rabbitmq_does(self) -> None:
        """``*`` is one word, ``#`` any number."""
        loop = VirtualLoop()
        broker = Broker(loop)
        broker.declare_exchange("x", "topic", {})
        for pattern in ("#", "a.*", "a.#", "*.b", "a"):
            broker.declare_queue(pattern, {})
            broker.bind(pattern, "x", pattern)
        found = {key: [queue.name for queue in broker.route("x", key)] for key in ("a", "a.b", "a.b.c")}
        loop.close()
        assert {"a": ["#", "a.#", "a"], "a.b": ["#", "a.*", "a.#", "*.b"], "a.b.c": ["#", "a.#"]} == found


class TestWorlds:
    """A whole run."""

    def test_the_real_worker_does_its_work(self) -> None:
        """Every job has its result, and nothing is found."""
        history, findings = judge(World(1, "calm", jobs=JOBS))
        assert ([], len(JOBS)) == (findings, len(history.results))

    @pytest.mark.parametrize("theme", ["kills", "ledger"])
    def test_a_seed_always_gives_the_same_run(self, theme: str) -> None:
        """What failed once fails again, step by step, whatever was played in between."""
        world = make(23, theme)
        first, _, second = play(world), play(World(1, "calm", jobs=JOBS)), play(world)
        assert first.notes == second.notes
        assert first.steps == second.steps

    def test_a_ledger_in_a_file_changes_nothing(self) -> None:
        """The product's own statements in virtual time, expiry included: the same run, step by step."""
        world = make(23, "ledger")
        in_memory, in_file = (play(replace(world, store=store)) for store in ("memory", "sqlite"))
        assert in_memory.notes == in_file.notes

    def test_a_world_is_printed_as_what_makes_it(self) -> None:
        """A shrunk one can be pasted into a test."""
        world = World(3, "kills", workers=2, jobs=JOBS[:2], troubles=(Trouble("kill", 1.0, 2.0),))
        assert world == eval(differences(world))  # noqa: S307 - our own words

    @pytest.mark.parametrize("theme", THEMES)
    def test_every_theme_makes_worlds(self, theme: str) -> None:
        """With jobs, and nothing that depends on when it is made."""
        made = [make(seed, theme) for seed in range(30)]
        assert made == [make(seed, theme) for seed in range(30)]
        assert all(world.jobs for world in made)

    def test_work_is_cancelled_in_the_middle_of_calls(self) -> None:
        """At awaits of every kind, a call under way among them; and nobody is sent to twice for it."""
        history, findings = judge(make(502, "cancels"))
        cut = [
            call for call in history.sends() if call.cut and history.was_cut_off(call.host, call.ended or 0)
        ]
        assert [] == findings
        assert len(history.cancelled) > 100
        assert cut

    def test_jobs_wait_for_their_time_and_the_hours_and_are_followed(self) -> None:
        """One is sent at its time, one that comes when the hours have ended waits; each end is told."""
        settings = (("WORKER_PROMOTIONAL_HOURS", "11:48-11:47"), ("WORKER_TRACK_DELAYS", "5"))
        jobs = (
            Job(1.0, "later", text=1, after=9.5, track=True),
            Job(20.0, "held", first=10, text=2, explicit=True),
        )
        history, findings = judge(
            World(1, "times", jobs=jobs, settings=(*settings, ("WORKER_TRACK_LIMIT", "60")))
        )
        scheduled, held = (call.at - history.began for call in history.sends())
        opened = next_opening(history.world, history.began + 20.0) - history.began
        assert [] == findings
        assert 9.5 <= scheduled < 12.5
        assert opened <= held < opened + 10
        assert ["later"] == [result["job_id"] for _, result in history.tracked]


class TestShrinking:
    """A world that fails, made smaller."""

    def test_what_does_not_matter_is_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One job and one trouble make it fail: these stay, on one worker, with an ordinary gateway."""

        def fails_with_both(world: World) -> tuple[History, list[Finding]]:
            wanted = (
                any(job.name == "j5" for job in world.jobs) and Trouble("kill", 3.0, 1.0) in world.troubles
            )
            return History(world), [Finding("no_double", "twice")] if wanted else []

        monkeypatch.setattr(shrink, "judge", fails_with_both)
        troubles = (Trouble("broker", 1.0, 2.0, "cut"), Trouble("kill", 3.0, 1.0))
        settings = (("ITON_TIMEOUT", "5"),)
        large = World(9, "kills", workers=3, jobs=JOBS, troubles=troubles, settings=settings)
        small = shrunk(large, "no_double")
        assert ["j5"] == [job.name for job in small.jobs]
        assert (troubles[1:], 1, ()) == (small.troubles, small.workers, small.settings)

    def test_a_world_that_fails_otherwise_is_another_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is left out must not be replaced by a second fault."""

        def fails_otherwise(world: World) -> tuple[History, list[Finding]]:
            return History(world), [Finding("no_double" if world.jobs == JOBS else "it_ends", "")]

        monkeypatch.setattr(shrink, "judge", fails_otherwise)
        world = World(9, "kills", jobs=JOBS)
        assert world == shrunk(world, "no_double")
