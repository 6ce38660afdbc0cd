"""A call that is repeated for those of whom nothing is known, and for nobody else."""

from dataclasses import replace

from proof.transitions import check
from schemas import Outcome
from worker.domain.entry import Call, CallState, Entry, MessageIds, Part, begin, known_apart, release
from worker.domain.errors import TransientError
from worker.domain.merging import merged
from worker.domain.verdict import after_last_round, after_reply

ONE, TWO, THREE = "919800000001", "919800000002", "919800000003"
ALL = (ONE, TWO, THREE)
BEGUN = begin(Entry("f", Part(ALL, calls=(Call(ALL),))), 0, started=1.0)
LATE: MessageIds = {TWO: ("id-2",)}


def with_late_reply(entry: Entry) -> Entry:
    """The entry with what came late of the first call: the id of one."""
    only = replace(after_reply(BEGUN, 0, LATE).part.calls[0], outcomes=())
    known = replace(BEGUN, plan=Part(ALL, calls=(replace(only, late_ids=LATE),)))
    both = merged(entry, known)
    assert both is not None
    return both


class TestWhileItWaits:
    """Another worker has taken the call over and put it back, to be made again."""

    def test_who_has_an_id_is_settled_and_the_rest_is_called(self) -> None:
        """In the place that the call had."""
        waiting = release(BEGUN, 0, went_out=True)
        entry = with_late_reply(waiting)
        again, done = entry.part.calls
        assert ((ONE, TWO, THREE), (ONE, THREE)) == (waiting.part.calls[0].recipients, again.recipients)
        assert (CallState.READY, {}) == (again.state, dict(again.late_ids))
        assert [(TWO, Outcome.ACCEPTED, "id-2")] == [one[:3] for one in done.settled]
        assert {"REVISE": 1} == check(waiting, entry)

    def test_the_part_still_holds_together(self) -> None:
        """Each of its recipients once."""
        assert with_late_reply(release(BEGUN, 0, went_out=True)).part.holds_together()


class TestWhileItIsRepeated:
    """The reply comes while the repeat is under way."""

    def test_the_next_repeat_leaves_out_who_has_an_id(self) -> None:
        """The id was kept for the end of that call."""
        repeated = with_late_reply(begin(release(BEGUN, 0, went_out=True), 0, started=2.0))
        assert ALL == repeated.part.calls[0].recipients
        lost = release(repeated, 0, went_out=True)
        assert [(ONE, THREE), (TWO,)] == [call.recipients for call in lost.part.calls]
        assert {"REPEAT": 3} == check(repeated, lost)

    def test_giving_up_takes_no_id_away(self) -> None:
        """Who has one is accepted, the others stay uncertain."""
        lost = release(
            with_late_reply(begin(release(BEGUN, 0, went_out=True), 0, started=2.0)), 0, went_out=True
        )
        ended = after_last_round(lost, 0, TransientError("gateway_unreachable", "refused"))
        outcomes = {one.recipient: one.outcome for one in ended.part.outcomes()}
        assert {ONE: Outcome.UNCERTAIN, TWO: Outcome.ACCEPTED, THREE: Outcome.UNCERTAIN} == outcomes


class TestNothingToTakeOut:
    """Calls that stay as they are."""

    def test_one_of_whom_nothing_is_known(self) -> None:
        """It is the same call."""
        call = Call(ALL)
        assert (call,) == known_apart(call)

    def test_one_of_whom_all_is_known(self) -> None:
        """It is done."""
        every = {name: (f"id-{name}",) for name in ALL}
        (done,) = known_apart(Call(ALL, attempts=1, late_ids=every))
        assert (CallState.DONE, ALL) == (done.state, tuple(one.recipient for one in done.settled))
