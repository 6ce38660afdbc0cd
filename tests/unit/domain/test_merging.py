"""What the ledger's entry and the one in hand know together."""

from dataclasses import replace

import pytest

from schemas import Outcome
from worker.domain import verdict
from worker.domain.entry import Call, CallState, Entry, Part, Settled, Split, begin, release
from worker.domain.entry_codec import decode, encode
from worker.domain.errors import OutcomeUncertainError, PermanentError, WorkerError
from worker.domain.merging import merged, with_ids
from worker.domain.sent_ids import SentIds

OPENED = Entry("f")
PLANNED = Entry("f", Part(("1", "2", "3"), (Settled("3", Outcome.DND),), (Call(("1", "2")),)))
CALLING = begin(PLANNED, 0, started=1.0)
DONE = verdict.after_reply(CALLING, 0, {"1": ("a",), "2": ("b",)})
NAMED_ONE = verdict.after_reply(CALLING, 0, {"1": ("a",)})
LOST = verdict.after_error(CALLING, 0, OutcomeUncertainError("reply_lost", "lost"), repeatable=False)
TAKEN_OVER = verdict.after_lease(CALLING, 0, repeatable=False)
WAITING = release(CALLING, 0, went_out=True)
REPEATED = begin(WAITING, 0, started=2.0)
GIVEN_UP = verdict.after_expiry(WAITING, 0)


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


def after(error: WorkerError) -> Entry:
    """What this worker knows once its call has ended with *error*, whose words have message ids."""
    error.tells_ids = True
    return verdict.after_error(CALLING, 0, error, repeatable=False)


def told(entry: Entry) -> list[tuple[str, str | None, str | None]]:
    """Outcome, code and detail of those who were called."""
    return [(one.outcome, one.code, one.detail) for one in entry.part.outcomes()[:2]]


CUT_OFF = after(OutcomeUncertainError("reply_lost", "lost (perhaps message ids: x)"))
UNREADABLE = after(OutcomeUncertainError("reply_unreadable", "what? (message id y)"))
LEFT_OUT = verdict.after_reply(CALLING, 0, SentIds({"1": ("a",)}, ("z",)))
REFUSED = after(PermanentError("number_refused", "no (message id w)"))
SAID = {
    "cut off": (CUT_OFF, ("uncertain", "reply_lost", "lost (perhaps message ids: x)")),
    "unreadable": (UNREADABLE, ("uncertain", "reply_unreadable", "what? (message id y)")),
    "refused": (REFUSED, ("uncertain", "reply_unreadable", "no (message id w)")),
}


@pytest.mark.parametrize(("known", "said"), SAID.values(), ids=SAID)
class TestIdsOfNobody:
    """A reply came late and names ids, and nobody can say whose they are."""

    @pytest.mark.parametrize("found", [TAKEN_OVER, GIVEN_UP], ids=["taken over", "given up"])
    def test_they_are_told_as_a_revision(
        self, found: Entry, known: Entry, said: tuple[str, str, str]
    ) -> None:
        """In the place of what another worker could say."""
        both = joined(found, known)
        assert ([said] * 2, 2) == (told(both), both.revision)
        assert both == joined(both, known) == decode(encode(both))

    def test_a_repeat_that_waits_is_not_made(self, known: Entry, said: tuple[str, str, str]) -> None:
        """The reply was not lost; nothing was published that would change."""
        both = joined(WAITING, known)
        assert (None, [said] * 2, 1) == (both.part.next_call(), told(both), both.revision)

    def test_a_repeat_under_way_remembers_them(self, known: Entry, said: tuple[str, str, str]) -> None:
        """Until it ends without a word, or is taken back."""
        both = joined(REPEATED, known)
        assert both == joined(both, known) == decode(encode(both))
        assert [said] * 2 == told(verdict.after_lease(both, 0, repeatable=False))
        taken_back = release(both, 0, went_out=False)
        assert (None, [said] * 2) == (taken_back.part.next_call(), told(taken_back))

    def test_ids_of_somebody_go_before_them(self, known: Entry, said: tuple[str, str, str]) -> None:
        """Whoever has an id was sent to."""
        both = verdict.after_reply(joined(REPEATED, known), 0, {"1": ("c",)})
        assert {"1": {"c"}, "2": set(), "3": set()} == ids(both)
        assert said == told(both)[1]
        assert DONE == merged(DONE, known)

    def test_they_are_held_like_an_id(self, known: Entry, said: tuple[str, str, str]) -> None:  # noqa: ARG002 - of every case
        """Nobody else could tell them."""
        assert [2, 2] == [with_ids(known), with_ids(joined(REPEATED, known))]


class TestLateWords:
    """Of several replies, and of some recipients."""

    def test_only_who_is_left_out_hears_of_them(self) -> None:
        """The other one has its id."""
        first, second = told(joined(TAKEN_OVER, LEFT_OUT))
        assert (Outcome.ACCEPTED, None, None) == first
        assert ("uncertain", "not_in_reply") == second[:2]
        assert (second[2] or "").endswith("(message id z)")

    def test_those_of_two_replies_stand_side_by_side(self) -> None:
        """Whichever comes first."""
        found = joined(TAKEN_OVER, CUT_OFF)
        both = joined(found, UNREADABLE)
        assert ["lost (perhaps message ids: x); what? (message id y)"] * 2 == [one[2] for one in told(both)]
        assert both == joined(both, CUT_OFF) == joined(both, UNREADABLE)
        assert told(both) == told(joined(found, both))

    @pytest.mark.parametrize("code", ["reply_lost", "reply_unreadable", "not_in_reply"])
    def test_what_names_no_ids_is_no_revision(self, code: str) -> None:
        """It would say no more than that nobody knows."""
        known = verdict.after_error(CALLING, 0, OutcomeUncertainError(code, "what?"), repeatable=False)
        for found in (TAKEN_OVER, GIVEN_UP, WAITING, REPEATED):
            assert found == merged(found, known)

    def test_a_refusal_that_the_ledger_has_forgotten_is_asked_for_again(self) -> None:
        """Nothing was sent, it says; no call is in doubt."""
        assert 0 == joined(PLANNED, REFUSED).part.next_call()


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
