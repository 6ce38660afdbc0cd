"""What a replay makes ready again, in whatever state it finds the entry."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import FailureCode, Outcome
from worker.domain.entry import Call, CallState, Entry, Part, Settled, Split, begin, column, release, settle
from worker.domain.entry_codec import decode, encode
from worker.domain.errors import PermanentError, TransientError
from worker.domain.merging import merged
from worker.domain.replay import Replay, reopened
from worker.domain.verdict import after_error, after_expiry, after_last_round

FIRST = Replay("letter-1")
FORCED = Replay("letter-1", force=True)
AWAY = TransientError("gateway_busy", "busy")
LISTED = Settled("0", Outcome.DND)


def accepted(name: str) -> Settled:
    """Sent."""
    return Settled(name, Outcome.ACCEPTED, message_id=f"id-{name}")


def given_up(name: str) -> Settled:
    """Not sent, for want of retries."""
    return Settled(name, Outcome.FAILED, code=FailureCode.RETRIES_EXHAUSTED, detail="busy")


def uncertain(name: str) -> Settled:
    """Perhaps sent."""
    return Settled(name, Outcome.UNCERTAIN, code=FailureCode.REPLY_LOST, detail="gone")


def refused(name: str) -> Settled:
    """Not wanted by the gateway."""
    return Settled(name, Outcome.FAILED, code=FailureCode.SENDER_REFUSED, detail="no")


def done(*settled: Settled, attempts: int = 0) -> Call:
    """A call with its outcomes."""
    names = tuple(one.recipient for one in settled)
    return Call(names, CallState.DONE, attempts, 0.0, column(names, settled))


def entry_of(*calls: Call, settled: tuple[Settled, ...] = ()) -> Entry:
    """An entry with this plan."""
    names = [one.recipient for one in settled] + [name for call in calls for name in call.recipients]
    return Entry("fp", Part(tuple(names), settled, calls))


def ready_ones(entry: Entry) -> set[str]:
    """Who would be sent to."""
    calls = (call for call in entry.part.calls if call.state is CallState.READY)
    return {name for call in calls for name in call.recipients}


FATES = (accepted, given_up, uncertain, refused)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Entries of one part, in any state."""
    names = iter(range(1, 1000))
    calls = []
    for state in draw(st.lists(st.sampled_from(CallState), min_size=1, max_size=4)):
        attempts = draw(st.integers(0, 3))
        fates = draw(st.lists(st.sampled_from(FATES), min_size=1, max_size=5))
        settled = tuple(fate(str(next(names))) for fate in fates)
        if state is CallState.DONE:
            calls.append(done(*settled, attempts=attempts))
        else:
            calls.append(Call(tuple(one.recipient for one in settled), state, attempts, 1.0))
    entry = entry_of(*calls, settled=(LISTED,) if draw(st.booleans()) else ())
    return replace(entry, replays=draw(st.sampled_from([(), ("other",)])))


replays = st.builds(Replay, st.sampled_from(["letter-1", "letter-2", "other"]), st.booleans())


class TestReopening:
    """Which recipients may be sent to again."""

    def test_only_those_that_were_given_up(self) -> None:
        """Every other outcome of the same call stands."""
        before = entry_of(done(accepted("1"), given_up("2"), uncertain("3"), refused("4"), attempts=1))
        after = reopened(before, FIRST)
        assert {"2"} == ready_ones(after)
        assert (accepted("1"), uncertain("3"), refused("4")) == after.part.calls[0].settled
        assert 2 == after.revision

    def test_uncertain_ones_by_force(self) -> None:
        """And nobody who was sent to."""
        before = entry_of(done(accepted("1"), given_up("2"), uncertain("3"), attempts=1))
        assert {"2", "3"} == ready_ones(reopened(before, FORCED))

    def test_a_call_in_flight_stands(self) -> None:
        """Its caller finds it where it was."""
        flying = Call(("2",), CallState.CALLING, 1, 5.0)
        before = entry_of(done(accepted("1"), given_up("3")), flying)
        after = reopened(before, FORCED)
        assert flying == after.part.calls[1]
        assert 1 == after.part.still_at(flying)

    def test_a_whole_call_is_replaced_in_its_place(self) -> None:
        """Many replays do not leave a trail of empty calls."""
        entry = entry_of(done(given_up("1")))
        for number in range(5):
            entry = reopened(entry, Replay(f"letter-{number}"))
            assert (Call(("1",)),) == entry.part.calls
            entry = after_last_round(entry, 0, AWAY)

    def test_nothing_to_reopen_is_no_revision(self) -> None:
        """The replay is noted all the same."""
        before = entry_of(done(accepted("1")))
        assert replace(before, replays=("letter-1",)) == reopened(before, FIRST)


class TestForced:
    """An uncertain recipient stays uncertain until it is known to be sent."""

    @pytest.fixture
    def entry(self) -> Entry:
        """Return an entry with one forced call, ready."""
        return reopened(entry_of(done(uncertain("1"), attempts=1)), FORCED)

    def test_when_it_is_given_up_again(self, entry: Entry) -> None:
        """No later replay without force may take it for unsent."""
        (one,) = after_last_round(entry, 0, AWAY).part.outcomes()
        assert Outcome.UNCERTAIN == one.outcome

    def test_when_its_time_is_over(self, entry: Entry) -> None:
        """It is not called expired."""
        (one,) = after_expiry(entry, 0).part.outcomes()
        assert Outcome.UNCERTAIN == one.outcome

    def test_when_the_gateway_refuses(self, entry: Entry) -> None:
        """The call that was refused is not the one that may have gone out."""
        begun = begin(entry, 0, started=1.0)
        ended = after_error(begun, 0, PermanentError("sender_refused", "no"), repeatable=False)
        assert Outcome.UNCERTAIN == ended.part.outcomes()[0].outcome

    def test_when_the_first_reply_turns_up(self, entry: Entry) -> None:
        """It is settled by it, and not sent to."""
        revised = merged(entry, entry_of(done(accepted("1"), attempts=1)))
        assert revised is not None
        assert "id-1" == revised.part.outcomes()[0].message_id
        assert set() == ready_ones(revised)

    def test_a_claim_taken_back_counts_for_nothing(self, entry: Entry) -> None:
        """The earlier call still does."""
        begun = begin(entry, 0, started=1.0)
        assert entry == release(begun, 0, went_out=False)


class TestPlans:
    """Jobs that were given up before anybody was to be called."""

    UNSENT = Part(("1", "2"), (given_up("1"), Settled("2", Outcome.INVALID, code="invalid_number")))

    @pytest.mark.parametrize("plan", [UNSENT, Split((UNSENT, UNSENT))])
    def test_are_planned_anew(self, plan: Part | Split) -> None:
        """Once a letter; parts get keys of their own."""
        after = reopened(Entry("fp", plan), FIRST)
        assert Entry("fp", None, 2, ("letter-1",), 1) == after
        assert after == reopened(after, FIRST)

    def test_a_part_of_a_large_job_keeps_its_plan(self) -> None:
        """It is not its own to make."""
        after = reopened(Entry("fp", self.UNSENT), FIRST, of_part=True)
        assert self.UNSENT == after.plan

    def test_a_large_job_with_calls_keeps_its_plan(self) -> None:
        """Its parts have entries and dead letters of their own."""
        plan = Split((Part(("1",), calls=(Call(("1",)),)), self.UNSENT))
        after = reopened(Entry("fp", plan), FORCED)
        assert (plan, 1) == (after.plan, after.revision)

    def test_nothing_planned_yet_is_noted(self) -> None:
        """A second copy of the same letter opens nothing then."""
        after = reopened(Entry("fp"), FORCED)
        assert Entry("fp", replays=("letter-1",)) == after
        planned = replace(after, plan=Part(("1",), calls=(done(uncertain("1"), attempts=1),)))
        assert planned == reopened(planned, FORCED)


class TestProperties:
    """Whatever the state."""

    @given(entries(), replays)
    def test_nobody_is_lost_or_doubled(self, entry: Entry, replay: Replay) -> None:
        """Every recipient has exactly one place."""
        after = reopened(entry, replay).part
        places = Counter([one.recipient for one in after.settled])
        places.update(name for call in after.calls for name in call.recipients)
        assert Counter(entry.part.order) == places
        assert entry.part.order == after.order
        for call in after.calls:
            if call.state is CallState.DONE:
                assert call.recipients == tuple(one.recipient for one in call.settled)

    @given(entries(), replays)
    def test_only_what_was_given_up_is_opened(self, entry: Entry, replay: Replay) -> None:
        """Never an accepted one; an uncertain one by force alone, and it stays marked as called."""
        outcomes = {one.recipient: one for call in entry.part.calls for one in call.settled}
        after = reopened(entry, replay)
        opened = ready_ones(after) - ready_ones(entry)
        allowed = {given_up, uncertain} if replay.force else {given_up}
        assert all(outcomes[name] in {fate(name) for fate in allowed} for name in opened)
        for call in after.part.calls:
            if call.state is CallState.READY and opened.intersection(call.recipients):
                doubtful = any(outcomes[name].outcome is Outcome.UNCERTAIN for name in call.recipients)
                assert doubtful == (call.attempts > 0)

    @given(entries(), replays)
    def test_the_same_letter_counts_once(self, entry: Entry, replay: Replay) -> None:
        """With or without force, also after the calls were made."""
        once = reopened(entry, replay)
        assert once == reopened(once, replay)
        assert once == reopened(once, replace(replay, force=True))
        for index, call in enumerate(once.part.calls):
            if call.state is not CallState.DONE:
                once = settle(once, index, tuple(given_up(name) for name in call.recipients))
        assert once == reopened(once, replay)

    @given(entries(), replays)
    def test_calls_keep_their_index(self, entry: Entry, replay: Replay) -> None:
        """A worker that is at one of them finds it again."""
        after = reopened(entry, replay).part.calls
        for old, new in zip(entry.part.calls, after, strict=False):
            if old.state is not CallState.DONE:
                assert old == new

    @given(entries(), replays)
    def test_the_ledger_can_hold_it(self, entry: Entry, replay: Replay) -> None:
        """It is read as it was written."""
        after = reopened(entry, replay)
        assert after == decode(encode(after))
