"""What the ledger's entry and the one in hand know together."""

from dataclasses import replace

import pytest

from schemas import Outcome
from worker.domain import verdict
from worker.domain.entry import Call, CallState, Entry, Part, Settled, Split, begin, release
from worker.domain.entry_codec import decode, encode
from worker.domain.errors import OutcomeUncertainError, PermanentError
from worker.domain.merging import merged, with_ids

OPENED = Entry("f")
PLANNED = Entry("f", Part(("1", "2", "3"), (Settled("3", Outcome.DND),), (Call(("1", "2")),)))
CALLING = begin(PLANNED, 0, started=1.0)
DONE = verdict.after_reply(CALLING, 0, {"1": ("a",), "2": ("b",)})
NAMED_ONE = verdict.after_reply(CALLING, 0, {"1": ("a",)})
LOST = verdict.after_error(CALLING, 0, OutcomeUncertainError("reply_lost", "lost"), repeatable=False)
TAKEN_OVER = verdict.after_lease(CALLING, 0, repeatable=False)
REPEATED = begin(release(CALLING, 0, went_out=True), 0, started=2.0)


def joined(found: Entry, known: Entry) -> Entry:
    """Both, which are of one part."""
    both = merged(found, known)
    assert both is not None
    return both


def ids(entry: Entry) -> dict[str, set[str]]:
    """All ids of each recipient."""
    found = {one.recipient: {one.message_id, *one.earlier_ids} - {None} for one in entry.part.outcomes()}
    return {name: {str(one) for one in some} for name, some in found.items()}


class TestTheLedgerKnowsLess:
    """Its store forgot something."""

    @pytest.mark.parametrize("found", [OPENED, PLANNED, CALLING], ids=["opened", "planned", "calling"])
    @pytest.mark.parametrize("known", [DONE, NAMED_ONE, LOST], ids=["ids", "an id", "no id"])
    def test_a_call_that_was_made_is_done(self, found: Entry, known: Entry) -> None:
        """With its outcomes; it is not made again, and nothing was published that would change."""
        both = joined(found, known)
        assert (None, 1) == (both.part.next_call(), both.revision)
        assert known.part.outcomes() == both.part.outcomes()

    def test_marks_of_both_stay(self) -> None:
        """Replays, revision and generation of an entry that was only opened."""
        found = replace(OPENED, replays=("x",), revision=3, generation=2)
        both = joined(found, replace(DONE, replays=("y",)))
        assert (("x", "y"), 3, 2) == (both.replays, both.revision, both.generation)

    def test_who_was_called_leaves_a_call_of_others(self) -> None:
        """The plan was made anew, with other DND answers: the rest of the call keeps its place."""
        found = Entry("f", Part(("1", "2", "3"), calls=(Call(("1", "2", "3")),)))
        both = joined(found, DONE)
        assert (("3",), CallState.READY) == (both.part.calls[0].recipients, both.part.calls[0].state)
        assert (("1", "2"), CallState.DONE) == (both.part.calls[1].recipients, both.part.calls[1].state)
        assert both.part.holds_together()

    def test_who_was_called_and_is_listed_by_now_is_accepted(self) -> None:
        """Its id says so."""
        found = Entry("f", Part(("1", "2", "3"), tuple(Settled(one, Outcome.DND) for one in "123")))
        assert {"1": {"a"}, "2": {"b"}, "3": set()} == ids(joined(found, DONE))

    def test_who_is_not_in_the_plan_any_more_keeps_its_id(self) -> None:
        """The job then has an outcome more."""
        found = Entry("f", Part(("1",), calls=(Call(("1",)),)))
        assert {"1": {"a"}, "2": {"b"}} == ids(joined(found, DONE))

    def test_what_is_merged_survives_the_ledger(self) -> None:
        """It is an entry like any other."""
        for found in (OPENED, PLANNED, CALLING, TAKEN_OVER, REPEATED):
            both = joined(found, DONE)
            assert both == decode(encode(both))
            assert both == joined(both, DONE)


class TestTheLedgerKnowsMore:
    """Others have gone on meanwhile."""

    @pytest.mark.parametrize("known", [PLANNED, CALLING], ids=["planned", "calling"])
    @pytest.mark.parametrize("found", [CALLING, DONE, LOST, TAKEN_OVER, REPEATED])
    def test_it_stays_as_it_is(self, found: Entry, known: Entry) -> None:
        """Nothing is known beyond it."""
        assert found == merged(found, known)

    def test_ids_of_a_call_that_was_taken_over_are_a_revision(self) -> None:
        """The others' outcome was published."""
        both = joined(TAKEN_OVER, NAMED_ONE)
        assert {"1": {"a"}, "2": set(), "3": set()} == ids(both)
        assert 2 == both.revision

    def test_a_repeat_under_way_remembers_them(self) -> None:
        """Its own reply comes beside them."""
        both = verdict.after_reply(joined(REPEATED, DONE), 0, {"1": ("c",), "2": ("d",)})
        assert {"1": {"a", "c"}, "2": {"b", "d"}, "3": set()} == ids(both)

    def test_a_repeat_that_waits_is_not_made_where_no_id_lacks(self) -> None:
        """And is made where one does."""
        waits = release(CALLING, 0, went_out=True)
        assert joined(waits, DONE).part.next_call() is None
        assert 0 == joined(waits, NAMED_ONE).part.next_call()

    def test_a_refusal_here_changes_nothing(self) -> None:
        """Nothing was sent."""
        refused = verdict.after_error(CALLING, 0, PermanentError("text_refused", "no"), repeatable=False)
        assert TAKEN_OVER == merged(TAKEN_OVER, refused)


class TestOthers:
    """Entries that are none of this part's."""

    def test_another_content(self) -> None:
        """The key belongs to another job now."""
        assert merged(replace(DONE, fingerprint="g"), DONE) is None

    def test_a_plan_of_several_parts(self) -> None:
        """As settings may have changed."""
        assert merged(Entry("f", Split((DONE.part,))), DONE) is None

    def test_ids_are_counted(self) -> None:
        """By recipient."""
        assert [2, 1, 0, 0] == [with_ids(one) for one in (DONE, NAMED_ONE, LOST, OPENED)]
        assert 2 == with_ids(joined(REPEATED, DONE))
