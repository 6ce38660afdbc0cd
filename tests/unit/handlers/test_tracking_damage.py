"""Nobody can read the entry of a unit: that makes no loop, and nothing is told over and over."""

import pytest

from tests.support.fake_worker import delivery, numbers, send_job
from tests.support.followed import Scene
from worker.domain.messages import Delay, Done, Lane
from worker.ports import Stored

ONE, OTHER, THIRD = numbers(3)
RIPE = {ONE: 10.0, OTHER: 100.0, THIRD: 400.0}
DAMAGED = b"\x00damaged"
NEWER = b'{"v":99}'


async def begun() -> Scene:
    """A job of three messages, accepted and followed."""
    done = Scene((ONE, OTHER, THIRD), ripe=RIPE.get)
    await done.begun()
    return done


async def overwrite(done: Scene, state: bytes) -> None:
    """Have something else stand in the entry of the unit."""
    (key,) = (one for one in done.world.ledger.keys if one.startswith("track//"))
    ledger = done.world.ledger._inner  # no change of a worker's: it is not held against the model
    stored = await ledger.load(key)
    assert stored
    assert await ledger.swap(key, expected=stored.token, new=Stored(f"other-{state!r}", state))


class TestDamaged:
    """Nobody can read it."""

    @pytest.mark.row(
        "track/damaged",
        "nobody can read the entry any more",
        "the message has what is open: it goes on, and mends the entry",
    )
    async def test_the_message_on_its_way_goes_on(self) -> None:
        """It carries what is open, as where the ledger has forgotten."""
        done = await begun()
        await overwrite(done, DAMAGED)
        await done.served()
        assert dict.fromkeys(done.accepted, 1) == dict(done.ends)
        assert [1, 2, 3] == sorted(body["track"] for body in done.tracked.values())

    async def test_between_two_results(self) -> None:
        """What was told is not told again, and their numbers go on."""
        done = await begun()
        due, _, first = done.waiting.pop()
        done.world.clock.leap(due)
        await done.handled(first)
        assert 1 == len(done.tracked)
        await overwrite(done, DAMAGED)
        await done.served()
        assert dict.fromkeys(done.accepted, 1) == dict(done.ends)
        assert [1, 2, 3] == sorted(body["track"] for body in done.tracked.values())

    @pytest.mark.row(
        "track/damaged-job",
        "the same, or a newer release's, and the job comes again",
        "its send result comes once more, and it is over: the message is on its way",
    )
    @pytest.mark.parametrize("state", [DAMAGED, NEWER], ids=["damaged", "newer"])
    async def test_the_job_that_comes_again_is_over(self, state: bytes) -> None:
        """One more copy of its send result, no loop: who made the entry had a message on its way."""
        done = await begun()
        await overwrite(done, state)
        results = len(done.world.publisher.results)
        again = delivery(
            Lane.SEND, send_job(ONE, OTHER, THIRD, track=True, metadata={"a": 1}), redelivered=True
        )
        assert Done() == await done.worker.dispatch()(again)
        assert results + 1 == len(done.world.publisher.results)
        assert 1 == len(done.waiting)


class TestNewer:
    """A newer release wrote it, which can read it."""

    @pytest.mark.row(
        "track/newer",
        "the entry is a newer release's",
        "its looks wait as long as between two, and nothing is asked, until one that can read it gets them",
    )
    async def test_its_look_waits_its_time(self) -> None:
        """Not once a second: there may be a hundred thousand of them."""
        done = await begun()
        await overwrite(done, NEWER)
        due, _, first = done.waiting.pop()
        done.world.clock.leap(due)
        assert Delay(30, "ledger_unreadable", counts=False) == await done.worker.dispatch()(first)
        assert [] == done.looks
