"""The ledger is tried before the first job and from time to time, and what is wrong with it is said once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from tests.support.fakes import FakeClock, FakeLedger, settled
from worker.domain.errors import LedgerUnavailableError
from worker.probes import LedgerWatch

AWAY = LedgerUnavailableError("ledger_away", "it is away: start it")
FULL = LedgerUnavailableError("ledger_full", "its disk is full: free some space")


class Scene:
    """A watch over a ledger that fails as it is told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.ledger = FakeLedger(self.clock)
        self.pauses = 0
        self.error: LedgerUnavailableError | None = None
        self.check: Callable[[], Awaitable[None]] | None = None
        self.tries = 0
        self.ledger.before = self._before
        self.watch = LedgerWatch(self.ledger, self.clock, limit=5.0, on_trouble=self._paused)

    def _paused(self) -> None:
        self.pauses += 1

    async def _before(self, _name: str) -> None:
        self.tries += 1
        if self.check:
            await self.check()
        if self.error:
            raise self.error


@pytest.fixture
def scene() -> Scene:
    """Provide one."""
    return Scene()


class TestTime:
    """Leases are counted by one clock: the store's."""

    async def test_a_store_without_a_clock_has_this_machines(self, scene: Scene) -> None:
        """A file, or memory."""
        await scene.watch.look()
        assert scene.clock.now().timestamp() == scene.watch.time()

    async def test_a_store_with_a_clock_has_its_own(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It goes on between two looks, whatever is done to this machine's wall clock meanwhile."""
        ahead = 3_600.0

        async def check() -> float:
            return scene.clock.now().timestamp() + ahead

        monkeypatch.setattr(scene.ledger, "check", check)
        await scene.watch.look()
        told = scene.watch.time()
        assert scene.clock.now().timestamp() + ahead == told
        scene.clock.leap(7.0)
        assert told + 7.0 == scene.watch.time()
        ahead = 0.0
        await scene.watch.look()
        assert scene.clock.now().timestamp() == scene.watch.time()

    async def test_of_a_slow_answer_nobody_knows_when_it_was_told(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was known before is better."""

        async def check() -> float:
            return 1_000.0

        async def slow() -> float:
            scene.clock.leap(4.0)
            return 1_000.0

        monkeypatch.setattr(scene.ledger, "check", check)
        await scene.watch.look()
        monkeypatch.setattr(scene.ledger, "check", slow)
        await scene.watch.look()
        assert scene.watch.time() == pytest.approx(1_004.0)


class TestLooks:
    """What a look finds."""

    async def test_before_the_first_nobody_knows(self, scene: Scene) -> None:
        """Not ready, and nothing is wrong either: no line."""
        with capture_logs() as lines:
            assert scene.watch.trouble is not None
            assert "not been tried" in scene.watch.trouble.detail
            assert await scene.watch.look() is True
        assert scene.watch.trouble is None
        assert ([], 0) == (lines, scene.pauses)

    async def test_a_reason_is_said_once(self, scene: Scene) -> None:
        """And another one when it changes, and the end."""
        with capture_logs() as lines:
            for error in (AWAY, AWAY, FULL, FULL, None, None, AWAY):
                scene.error = error
                assert (error is None) is await scene.watch.look()
        events = [(line["event"], line.get("code")) for line in lines]
        assert [
            ("ledger.unavailable", "ledger_away"),
            ("ledger.unavailable", "ledger_full"),
            ("ledger.available", None),
            ("ledger.unavailable", "ledger_away"),
        ] == events
        assert "start it" in lines[0]["detail"]

    async def test_sends_are_paused_by_it(self, scene: Scene) -> None:
        """Before a job finds out."""
        scene.error = AWAY
        await scene.watch.look()
        assert 1 == scene.pauses

    async def test_a_failure_in_a_job_counts_at_once(self, scene: Scene) -> None:
        """Until a look succeeds."""
        await scene.watch.look()
        scene.watch.failed(FULL)
        assert FULL is scene.watch.trouble
        await scene.watch.look()
        assert scene.watch.trouble is None

    async def test_a_ledger_that_is_closed_at_the_end_is_no_trouble(self, scene: Scene) -> None:
        """The worker stops."""
        await scene.watch.look()
        with capture_logs() as lines:
            scene.watch.failed(LedgerUnavailableError("ledger_closed", "closed"))
        assert (None, []) == (scene.watch.trouble, lines)


class TestSlow:
    """A store that takes its time."""

    @pytest.mark.parametrize(("seconds", "works"), [(0.1, True), (2.2, True), (4.9, True), (5.5, False)])
    async def test_it_is_fast_enough_while_a_claim_would_hold(
        self, scene: Scene, seconds: float, *, works: bool
    ) -> None:
        """What the lease leaves beside a call is the measure."""

        async def wait() -> None:
            await scene.clock.sleep(seconds)

        scene.check = wait
        look = asyncio.ensure_future(scene.watch.look())
        await scene.clock.run(look)
        assert works is look.result()
        assert works or "too slow" in str(scene.watch.trouble)

    async def test_one_that_hangs_is_given_up_and_not_asked_again(self) -> None:
        """It has one question; when it answers, all is well."""
        scene = Scene()
        scene.watch = LedgerWatch(scene.ledger, scene.clock, limit=0.3, on_trouble=lambda: None)
        answer = asyncio.Event()

        async def hang() -> None:
            await answer.wait()

        scene.check = hang
        for _ in range(3):
            assert await scene.watch.look() is False
        assert (1, True) == (scene.tries, "does not answer" in str(scene.watch.trouble))
        answer.set()
        await settled()
        assert await scene.watch.look() is True


class TestRun:
    """Every few seconds."""

    async def test_it_goes_on(self, scene: Scene) -> None:
        """Whatever it finds."""
        task = asyncio.ensure_future(scene.watch.run())
        await scene.clock.advance(1)
        scene.error = AWAY
        await scene.clock.advance(10)
        assert AWAY is scene.watch.trouble
        scene.error = None
        await scene.clock.advance(10)
        assert scene.watch.trouble is None
        assert 4 <= scene.tries <= 6
        task.cancel()
