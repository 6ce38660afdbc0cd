"""Changes of ledger entries, held against the model."""

from dataclasses import replace

import pytest

from proof.transitions import NotInModelError, check, table
from schemas import Outcome
from tests.support.checked_ledger import Changes, CheckedLedger
from tests.support.fakes import FakeClock
from worker.domain.entry import (
    Call,
    CallState,
    Entry,
    MessageIds,
    Part,
    Settled,
    Split,
    begin,
    release,
    settle,
)
from worker.domain.entry_codec import encode
from worker.domain.merging import merged
from worker.domain.replay import Replay, reopened
from worker.domain.verdict import after_cancel, after_lease, after_reply
from worker.ledger import MemoryLedger
from worker.ports import Stored, Swap

ONE, TWO = "919800000001", "919800000002"
NEW = Entry("f", Part((ONE,), calls=(Call((ONE,)),)))
BEGUN = begin(NEW, 0, started=1.0)
AGAIN = release(BEGUN, 0, went_out=True)
REPEATED = begin(AGAIN, 0, started=2.0)
STOPPED = replace(NEW, cancelled="stop")
LOST = settle(BEGUN, 0, (Settled(ONE, Outcome.UNCERTAIN, code="reply_lost"),))
TELLS = settle(
    BEGUN, 0, (Settled(ONE, Outcome.UNCERTAIN, None, "reply_lost", "(message id x)", tells_ids=True),)
)
OTHER_WORDS = settle(BEGUN, 0, (Settled(ONE, Outcome.UNCERTAIN, code="not_in_reply"),))
SENT = settle(BEGUN, 0, (Settled(ONE, Outcome.ACCEPTED, message_id="id-1"),))


def revise(entry: Entry, message_ids: MessageIds) -> Entry:
    """The entry with a late reply to its first call."""
    both = merged(entry, after_reply(BEGUN, 0, message_ids))
    assert both is not None
    return both


def tell(entry: Entry) -> Entry:
    """The entry with a late reply to its first call, that names an id of nobody."""
    both = merged(entry, TELLS)
    assert both is not None
    return both


class TestTable:
    """The rows of transitions.pml."""

    def test_each_of_them_is_read(self) -> None:
        """One that is not would be refused to the code."""
        names = {name for row in table().values() for name in row}
        assert {"OPEN", "PLAN", "SETTLE", "CLAIM", "RELEASE", "REPEAT", "RECORD"} < names
        assert {"DOUBT", "REFUSE", "GIVE_UP", "REVISE", "KEEP", "REOPEN", "REPLAN"} < names


class TestWhatTheCodeDoes:
    """Changes as the handlers make them."""

    @pytest.mark.parametrize(
        ("name", "before", "after"),
        [
            ("OPEN", None, Entry("f")),
            ("PLAN", Entry("f"), Entry("f", Split((Part((ONE,), calls=(Call((ONE,)),)),)))),
            ("SETTLE", None, Entry("f", Part((ONE,), (Settled(ONE, Outcome.DND),)))),
            ("CLAIM", None, BEGUN),
            ("CLAIM", Entry("f"), BEGUN),
            ("CLAIM", NEW, BEGUN),
            ("RELEASE", BEGUN, release(BEGUN, 0, went_out=False)),
            ("REPEAT", BEGUN, release(BEGUN, 0, went_out=True)),
            ("RECORD", BEGUN, SENT),
            ("DOUBT", BEGUN, LOST),
            ("REVISE", LOST, revise(LOST, {ONE: ("id-1",)})),
            ("REVISE", SENT, revise(SENT, {ONE: ("id-2",)})),
            ("REVISE", REPEATED, revise(REPEATED, {ONE: ("id-2",)})),
            ("TELL", LOST, tell(LOST)),
            ("TELL", REPEATED, tell(REPEATED)),
            ("GIVE_UP", AGAIN, tell(AGAIN)),
            ("REOPEN", TELLS, reopened(TELLS, Replay("r", force=True))),
            ("DOUBT", tell(REPEATED), after_lease(tell(REPEATED), 0, repeatable=False)),
            ("RECORD", tell(REPEATED), after_reply(tell(REPEATED), 0, {ONE: ("id-2",)})),
            ("KEEP", None, SENT),
            ("KEEP", Entry("f"), SENT),
            ("REOPEN", LOST, reopened(LOST, Replay("r", force=True))),
        ],
    )
    def test_it_has_its_name(self, name: str, before: Entry | None, after: Entry) -> None:
        """By which a run counts it."""
        assert {name: 1} == check(before, after)

    def test_a_cancellation_is_counted_and_ends_in_what_was_not_sent(self) -> None:
        """In front of its target, behind it, and while a call is under way, which keeps its outcome."""
        announced = Entry("", cancelled="stop")
        assert {"OPEN": 1, "CANCEL": 1} == check(None, announced)
        assert {} == check(announced, replace(announced, fingerprint="f"))
        assert {"CANCEL": 1} == check(NEW, STOPPED)
        assert {"GIVE_UP": 1} == check(STOPPED, after_cancel(STOPPED, 0))
        assert {"RECORD": 1} == check(replace(BEGUN, cancelled="stop"), replace(SENT, cancelled="stop"))

    def test_recipients_are_seen_one_by_one(self) -> None:
        """The claim of a new job writes those who are not sent to as well."""
        part = Part((ONE, TWO), (Settled(TWO, Outcome.DND),), (Call((ONE,)),))
        assert {"CLAIM": 1, "SETTLE": 1} == check(None, begin(Entry("f", part), 0, started=1.0))

    def test_what_marks_a_replay_alone_is_no_change(self) -> None:
        """A second replay of the same letter must find the first."""
        assert {} == check(SENT, replace(SENT, replays=("r",)))


class TestWhatItMustNotDo:
    """Each would break a promise."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            pytest.param(SENT, LOST, id="outcome gets worse"),
            pytest.param(SENT, replace(NEW, revision=2), id="called again after an id was recorded"),
            pytest.param(LOST, replace(SENT, revision=1), id="outcome changes under the same revision"),
            pytest.param(SENT, replace(SENT, revision=2), id="revision without a change"),
            pytest.param(LOST, replace(TELLS, revision=1), id="words change under the same revision"),
            pytest.param(LOST, replace(OTHER_WORDS, revision=2), id="revision for words without an id"),
            pytest.param(TELLS, replace(LOST, revision=2), id="words with an id are gone"),
            pytest.param(
                tell(REPEATED), settle(REPEATED, 0, OTHER_WORDS.part.outcomes()), id="... of a repeat"
            ),
            pytest.param(
                BEGUN, replace(NEW, plan=Part((ONE,), calls=(Call((ONE,), attempts=5),))), id="count"
            ),
            pytest.param(NEW, replace(BEGUN, fingerprint="g"), id="another job's content"),
            pytest.param(replace(NEW, replays=("r",)), BEGUN, id="a replay is forgotten"),
            pytest.param(STOPPED, replace(BEGUN, cancelled="stop"), id="called after a cancellation"),
            pytest.param(STOPPED, NEW, id="a cancellation is taken back"),
            pytest.param(STOPPED, replace(STOPPED, cancelled="other"), id="a cancellation is another's"),
            pytest.param(None, release(NEW, 0, went_out=False), id="less than no call"),
        ],
    )
    def test_it_is_refused(self, before: Entry | None, after: Entry) -> None:
        """Whatever the rest of the entry says."""
        with pytest.raises(NotInModelError):
            check(before, after)

    def test_a_message_id_is_never_taken_away(self) -> None:
        """It cannot be asked for again."""
        known = revise(REPEATED, {ONE: ("id-2",)})
        bare = replace(known, plan=Part((ONE,), calls=(Call((ONE,), CallState.CALLING, 2, 2.0),)))
        with pytest.raises(NotInModelError, match="gone"):
            check(known, bare)


class TestCheckedLedger:
    """A ledger that looks at what is written."""

    async def test_it_notes_the_swaps_that_stand(self) -> None:
        """One that is lost changes nothing, one that is repeated nothing more."""
        changes = Changes()
        ledger = CheckedLedger(MemoryLedger(retention=60, clock=FakeClock()), changes)
        first, second = Stored("t1", encode(BEGUN)), Stored("t2", encode(SENT))
        await ledger.swap("job", expected=None, new=first)
        await ledger.swap("job", expected=None, new=second)
        await ledger.swap_many([Swap("job", "t1", second), Swap("job", "t1", second)])
        assert ({"CLAIM": 1, "RECORD": 1}, []) == (changes.made, changes.wrong)

    async def test_it_says_what_is_not_in_the_model(self) -> None:
        """And which entry it was."""
        changes = Changes()
        ledger = CheckedLedger(MemoryLedger(retention=60, clock=FakeClock()), changes)
        await ledger.swap("job", expected=None, new=Stored("t1", encode(release(NEW, 0, went_out=False))))
        (wrong,) = changes.wrong
        assert wrong.startswith("job: Seen(state='ABSENT'")
