"""What every ledger promises, whatever store is behind it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.contract.ledger_backends import LONG, Backend, entry
from tests.support.deadline import DEADLINE
from worker.domain.errors import LedgerUnavailableError
from worker.ports import LedgerStore, Stored, Swap


class TestSwap:
    """Compare, then set, or leave all as it is."""

    async def test_an_absent_entry_is_none(self, ledger: LedgerStore) -> None:
        """A key that was never written loads as None."""
        assert await ledger.load("job-1") is None

    async def test_an_entry_is_created_where_none_was(self, ledger: LedgerStore) -> None:
        """Expecting no entry, the first write stands and is loaded as written."""
        new = entry()
        assert await ledger.swap("job-1", expected=None, new=new) is True
        assert new == await ledger.load("job-1")

    async def test_an_entry_is_not_created_twice(self, ledger: LedgerStore) -> None:
        """Expecting no entry, a second write is refused and changes nothing."""
        first = entry()
        await ledger.swap("job-1", expected=None, new=first)
        assert await ledger.swap("job-1", expected=None, new=entry()) is False
        assert first == await ledger.load("job-1")

    async def test_the_right_token_replaces_the_entry(self, ledger: LedgerStore) -> None:
        """Token and state are those of the last write that stood."""
        first, second = entry(), entry(b"calling")
        await ledger.swap("job-1", expected=None, new=first)
        assert await ledger.swap("job-1", expected=first.token, new=second) is True
        assert second == await ledger.load("job-1")

    async def test_a_wrong_token_changes_nothing(self, ledger: LedgerStore) -> None:
        """Who expects a version that is gone is refused."""
        first, second = entry(), entry(b"calling")
        await ledger.swap("job-1", expected=None, new=first)
        await ledger.swap("job-1", expected=first.token, new=second)
        assert await ledger.swap("job-1", expected=first.token, new=entry()) is False
        assert second == await ledger.load("job-1")

    async def test_a_token_is_compared_whole(self, ledger: LedgerStore) -> None:
        """Neither a beginning of the token nor a longer one passes for it."""
        await ledger.swap("job-1", expected=None, new=Stored("abc", b"def"))
        for wrong in ("ab", "abcd", "abcdef", "ABC"):
            assert await ledger.swap("job-1", expected=wrong, new=entry()) is False

    async def test_a_token_of_an_absent_entry_creates_nothing(self, ledger: LedgerStore) -> None:
        """Expecting a version where there is no entry is refused."""
        assert await ledger.swap("job-1", expected="gone", new=entry()) is False
        assert await ledger.load("job-1") is None

    @pytest.mark.parametrize("created", [True, False], ids=["create", "replace"])
    async def test_a_repeated_write_still_stands(self, ledger: LedgerStore, *, created: bool) -> None:
        """The same write again, because its answer was lost, is answered True."""
        first, new = entry(), entry(b"done")
        expected = None if created else first.token
        if not created:
            await ledger.swap("job-1", expected=None, new=first)
        assert await ledger.swap("job-1", expected=expected, new=new) is True
        assert await ledger.swap("job-1", expected=expected, new=new) is True
        assert new == await ledger.load("job-1")

    async def test_a_repeated_write_that_was_overtaken_does_not_stand(self, ledger: LedgerStore) -> None:
        """A repeat never brings back a version that another has replaced."""
        first, second = entry(), entry(b"calling")
        await ledger.swap("job-1", expected=None, new=first)
        await ledger.swap("job-1", expected=first.token, new=second)
        assert await ledger.swap("job-1", expected=None, new=first) is False
        assert second == await ledger.load("job-1")

    async def test_a_token_names_one_version(self, ledger: LedgerStore) -> None:
        """A write with the token that is held is taken for a repeat: it stands, and changes nothing."""
        first = entry()
        await ledger.swap("job-1", expected=None, new=first)
        again = replace(first, state=b"other")
        assert await ledger.swap("job-1", expected=first.token, new=again) is True
        assert first == await ledger.load("job-1")


class TestSwapMany:
    """Many at once, each as if it were alone."""

    async def test_each_stands_or_falls_by_itself(self, ledger: LedgerStore) -> None:
        """Entries that are created, replaced, refused and repeated, side by side."""
        held, lost = entry(), entry()
        for key, stored in (("held", held), ("lost", lost)):
            await ledger.swap(key, expected=None, new=stored)
        created, replaced, again = entry(b"created"), entry(b"replaced"), Stored(lost.token, b"again")
        swaps = [
            Swap("new", None, created),
            Swap("lost", None, entry()),
            Swap("held", held.token, replaced),
            Swap("lost", "gone", entry()),
            Swap("lost", "gone", again),
            Swap("absent", "gone", entry()),
        ]
        assert [True, False, True, False, True, False] == list(await ledger.swap_many(swaps))
        expected = {"new": created, "held": replaced, "lost": lost, "absent": None}
        assert expected == {key: await ledger.load(key) for key in expected}

    async def test_they_are_done_in_order(self, ledger: LedgerStore) -> None:
        """The second swap of a key sees what the first has written."""
        first, second = entry(), entry(b"done")
        swaps = [Swap("job-1", None, first), Swap("job-1", first.token, second), Swap("job-1", None, entry())]
        assert [True, True, False] == list(await ledger.swap_many(swaps))
        assert second == await ledger.load("job-1")

    async def test_none_are_no_work(self, ledger: LedgerStore) -> None:
        """An empty batch has an empty answer."""
        assert [] == list(await ledger.swap_many([]))

    async def test_more_than_fit_into_one_round(self, ledger: LedgerStore) -> None:
        """Five hundred are written, and answered in their order."""
        news = {f"job-{number}": entry(b"%d" % number) for number in range(500)}
        await ledger.swap("job-7", expected=None, new=entry())
        answers = list(await ledger.swap_many([Swap(key, None, new) for key, new in news.items()]))
        assert [number != 7 for number in range(500)] == answers
        assert news["job-499"] == await ledger.load("job-499")

    async def test_a_repeated_batch_still_stands(self, ledger: LedgerStore) -> None:
        """Done again because its answer was lost, it is answered alike and changes nothing."""
        swaps = [Swap(f"job-{number}", None, entry()) for number in range(5)]
        await ledger.swap("job-3", expected=None, new=entry())
        assert list(await ledger.swap_many(swaps)) == list(await ledger.swap_many(swaps))
        assert swaps[4].new == await ledger.load("job-4")

    async def test_batches_race_entry_by_entry(self, ledger: LedgerStore) -> None:
        """Of ten batches for the same keys, exactly one wins each key."""
        keys = [f"job-{number}" for number in range(30)]
        batches = [
            [Swap(key, None, entry()) for key in sorted(keys, reverse=bool(at % 2))] for at in range(10)
        ]
        answers = await asyncio.gather(*map(ledger.swap_many, batches))
        winners = [
            swap
            for batch, won in zip(batches, answers, strict=True)
            for swap, stands in zip(batch, won, strict=True)
            if stands is True
        ]
        assert sorted(keys) == sorted(swap.key for swap in winners)
        assert [swap.new for swap in winners] == [await ledger.load(swap.key) for swap in winners]

    async def test_a_cancelled_caller_leaves_no_entry_half_written(self, ledger: LedgerStore) -> None:
        """Each is there or not, and the ledger goes on."""
        swaps = [Swap(f"job-{number}", None, entry()) for number in range(50)]
        task = asyncio.create_task(_answers(ledger, swaps))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await ledger.check()
        for swap in swaps:
            assert await ledger.load(swap.key) in {None, swap.new}
        assert [True] * 50 == list(await ledger.swap_many(swaps))

    async def test_a_closed_ledger_says_so_of_each(self, ledger: LedgerStore) -> None:
        """It raises nothing: the error is the answer."""
        await ledger.check()
        await ledger.close()
        answers = await ledger.swap_many([Swap("job-1", None, entry()), Swap("job-2", None, entry())])
        assert ["ledger_closed"] * 2 == [getattr(answer, "code", "") for answer in answers]
        assert answers[0] is not answers[1]


async def _answers(ledger: LedgerStore, swaps: list[Swap]) -> Sequence[bool | Exception]:
    return await ledger.swap_many(swaps)


class TestEntries:
    """Keys and states are kept as given."""

    @pytest.mark.parametrize(
        "state",
        [b"", b"\x00", b"a\x00b\r\n:'\xff\xfe", bytes(range(256)), b"12:x"],
        ids=["empty", "zero", "line breaks", "all bytes", "looks like a length"],
    )
    async def test_a_state_is_any_bytes(self, ledger: LedgerStore, state: bytes) -> None:
        """What is loaded is, byte for byte, what was written."""
        new = entry(state)
        await ledger.swap("job-1", expected=None, new=new)
        assert new == await ledger.load("job-1")

    async def test_a_state_may_have_two_megabytes(self, ledger: LedgerStore) -> None:
        """The plan of a job of 100,000 recipients fits, and can be replaced."""
        first, second = entry(bytes(range(256)) * 8192), entry(b"\xff" * 2_097_152)
        await ledger.swap("job-1", expected=None, new=first)
        assert first == await ledger.load("job-1")
        assert await ledger.swap("job-1", expected=first.token, new=second) is True
        assert second == await ledger.load("job-1")

    async def test_keys_are_told_apart_as_given(self, ledger: LedgerStore) -> None:
        """Letter case, separators and numbers matter; no key is a pattern or a path."""
        keys = [
            "job-1",
            "JOB-1",
            "job-1/1",
            "job-1/17",
            "job-1:1",
            "job_1",
            "job%1",
            "1",
            "01",
            "*",
            "x" * 160,
        ]
        news = {key: entry(key.encode()) for key in keys}
        for key, new in news.items():
            assert await ledger.swap(key, expected=None, new=new) is True
        assert news == {key: await ledger.load(key) for key in keys}


class TestConcurrency:
    """Calls may overlap."""

    @pytest.mark.parametrize("existing", [False, True], ids=["create", "replace"])
    async def test_exactly_one_of_many_wins(self, ledger: LedgerStore, *, existing: bool) -> None:
        """Of fifty swaps that expect the same, one stands, and it is the one that is stored."""
        first = entry()
        if existing:
            await ledger.swap("job-1", expected=None, new=first)
        expected = first.token if existing else None
        rivals = [entry(b"%d" % number) for number in range(50)]
        stands = await asyncio.gather(
            *[ledger.swap("job-1", expected=expected, new=rival) for rival in rivals]
        )
        assert [await ledger.load("job-1")] == [
            rival for rival, won in zip(rivals, stands, strict=True) if won
        ]

    async def test_exactly_one_of_two_workers_wins_each_entry(self, backend: Backend) -> None:
        """Two ledgers on one store, which race for a hundred keys, never both win one."""
        if not backend.shared:
            return
        one, other = backend.open(LONG), backend.open(LONG)
        keys = [f"job-{number}" for number in range(100)]
        races = [ledger.swap(key, expected=None, new=entry()) for key in keys for ledger in (one, other)]
        stands = await asyncio.gather(*races)
        await asyncio.gather(one.close(), other.close())
        assert [mine + theirs for mine, theirs in zip(stands[::2], stands[1::2], strict=True)] == [1] * 100

    async def test_many_keys_at_once_do_not_disturb_each_other(self, ledger: LedgerStore) -> None:
        """Five hundred entries are created and replaced side by side."""

        async def live(key: str) -> Stored | None:
            first, second = entry(), entry(key.encode())
            assert await ledger.load(key) is None
            assert await ledger.swap(key, expected=None, new=first)
            assert await ledger.swap(key, expected=first.token, new=second)
            return await ledger.load(key)

        keys = [f"job-{number}/{number % 7}" for number in range(500)]
        ends = await asyncio.gather(*[live(key) for key in keys])
        assert [key.encode() for key in keys] == [end.state if end else None for end in ends]

    async def test_a_refused_swap_does_not_undo_its_neighbours(self, ledger: LedgerStore) -> None:
        """Swaps that are written together stand or fall each for itself."""
        keys = [f"job-{number}" for number in range(60)]
        swaps = [
            ledger.swap(key, expected=None if number % 2 else "gone", new=entry())
            for number, key in enumerate(keys)
        ]
        stands = await asyncio.gather(*swaps)
        held = [await ledger.load(key) is not None for key in keys]
        assert [False, True] * 30 == stands == held

    async def test_cancelled_callers_leave_the_ledger_working(self, ledger: LedgerStore) -> None:
        """A cancelled swap happened wholly or not at all; its neighbours and later calls are served."""
        news = {f"job-{number}": entry() for number in range(40)}
        tasks = [asyncio.ensure_future(ledger.swap(key, expected=None, new=new)) for key, new in news.items()]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        async with asyncio.timeout(DEADLINE):
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert ends[1::2] == [True] * 20
        await ledger.check()
        for key, new in news.items():
            assert await ledger.load(key) in {None, new}
            assert await ledger.swap(key, expected=None, new=new) is True


class TestRetention:
    """Entries vanish when they were not written for a while."""

    async def test_an_entry_vanishes_after_the_retention(self, backend: Backend) -> None:
        """It is absent for load and swap, and its key can be taken again."""
        ledger = backend.open(backend.short)
        old, new = entry(), entry()
        await ledger.swap("job-1", expected=None, new=old)
        await backend.pass_time(backend.short * 1.1)
        assert await ledger.load("job-1") is None
        assert await ledger.swap("job-1", expected=old.token, new=new) is False
        assert await ledger.swap("job-1", expected=None, new=new) is True
        assert new == await ledger.load("job-1")
        await ledger.close()

    async def test_a_write_starts_the_retention_anew(self, backend: Backend) -> None:
        """What counts is the time since the last write, not since the first."""
        ledger = backend.open(backend.short)
        first, second = entry(), entry(b"calling")
        await ledger.swap("job-1", expected=None, new=first)
        await backend.pass_time(backend.short * 0.55)
        await ledger.swap("job-1", expected=first.token, new=second)
        await backend.pass_time(backend.short * 0.55)
        assert second == await ledger.load("job-1")
        await ledger.close()


class TestSize:
    """What the metrics show of it."""

    async def test_what_is_held_is_counted(self, ledger: LedgerStore) -> None:
        """About, and in bytes, where the store can tell."""
        await ledger.swap_many([Swap(f"job-{number}", None, entry(bytes(100))) for number in range(20)])
        entries, size = await ledger.entries(), await ledger.size()  # type: ignore[attr-defined]  # no part of the port
        assert entries is None or entries >= 20
        assert size is None or size >= 2000


class TestRenewal:
    """Entries of jobs that are still on their way live on without being written."""

    async def test_a_renewed_entry_lives_a_whole_retention_longer(self, renewing: Backend) -> None:
        """It is the same version, which can be swapped."""
        ledger = renewing.open(renewing.short)
        kept, gone = entry(), entry()
        for key, new in (("kept", kept), ("gone", gone)):
            await ledger.swap(key, expected=None, new=new)
        await renewing.pass_time(renewing.short * 0.55)
        assert [True] == list(await ledger.renew(["kept"]))
        await renewing.pass_time(renewing.short * 0.55)
        assert kept == await ledger.load("kept")
        assert await ledger.load("gone") is None
        assert await ledger.swap("kept", expected=kept.token, new=entry()) is True
        await ledger.close()

    async def test_again_and_again(self, renewing: Backend) -> None:
        """An outage of any length does not make the ledger forget."""
        ledger = renewing.open(renewing.short)
        new = entry()
        await ledger.swap("job-1", expected=None, new=new)
        for _ in range(4):
            await renewing.pass_time(renewing.short * 0.55)
            assert [True] == list(await ledger.renew(["job-1"]))
        assert new == await ledger.load("job-1")
        await ledger.close()

    async def test_what_is_not_there_is_not_made(self, ledger: LedgerStore) -> None:
        """Neither an absent entry nor none at all."""
        assert [False] == list(await ledger.renew(["absent"]))
        assert [] == list(await ledger.renew([]))
        assert await ledger.load("absent") is None

    async def test_what_was_just_written_is_left_alone(self, ledger: LedgerStore) -> None:
        """So that it costs little to ask at every step."""
        await ledger.swap("job-1", expected=None, new=entry())
        assert [False, False] == list(await ledger.renew(["job-1", "absent"]))

    async def test_an_entry_that_has_expired_stays_so(self, renewing: Backend) -> None:
        """It may have been taken for absent by somebody."""
        ledger = renewing.open(renewing.short)
        await ledger.swap("job-1", expected=None, new=entry())
        await renewing.pass_time(renewing.short * 1.1)
        assert [False] == list(await ledger.renew(["job-1"]))
        await ledger.close()

    @pytest.fixture
    def renewing(self, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Backend:
        """Provide a store whose entries may be renewed a moment after they were written."""
        for module in ("memory", "redis", "postgresql.store"):
            monkeypatch.setattr(f"worker.ledger.{module}.FRESH", 0.01)
        monkeypatch.setattr("worker.ledger.sqlite_file._FRESH", 10)
        return backend


class TestClosing:
    """The end of a ledger is orderly."""

    async def test_writes_under_way_are_finished(self, backend: Backend) -> None:
        """Swaps that were asked for before close are answered, and stand."""
        ledger = backend.open(LONG)
        await ledger.check()
        swaps = [
            asyncio.ensure_future(ledger.swap(f"job-{number}", expected=None, new=entry()))
            for number in range(300)
        ]
        await asyncio.sleep(0)
        await ledger.close()
        assert await asyncio.gather(*swaps) == [True] * 300

    async def test_entries_outlive_a_shared_ledger(self, backend: Backend) -> None:
        """Where a store is shared, the next ledger finds what the last one wrote."""
        if not backend.shared:
            return
        new = entry()
        first, second = backend.open(LONG), backend.open(LONG)
        await first.swap("job-1", expected=None, new=new)
        await first.close()
        assert new == await second.load("job-1")
        await second.close()

    async def test_a_closed_ledger_refuses(self, ledger: LedgerStore) -> None:
        """Every use after close raises, and says so."""
        await ledger.check()
        await ledger.close()
        for use in (ledger.load("job-1"), ledger.swap("job-1", expected=None, new=entry()), ledger.check()):
            with pytest.raises(LedgerUnavailableError, match="ledger_closed"):
                await use

    async def test_closing_twice_does_no_harm(self, ledger: LedgerStore) -> None:
        """Also at once, and before the first use."""
        await asyncio.gather(ledger.close(), ledger.close())
        await ledger.close()


class TestCheck:
    """Check proves that the store can be written, and leaves no trace."""

    async def test_a_working_store_passes(self, ledger: LedgerStore) -> None:
        """Again and again, and entries are untouched."""
        new = replace(entry(), state=b"kept")
        await ledger.swap("check", expected=None, new=new)
        await ledger.check()
        before = time.time()
        told = await ledger.check()
        after = time.time()
        assert new == await ledger.load("check")
        assert told is None or before - 5 < told < after + 5  # the servers are on this machine
