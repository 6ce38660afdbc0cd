"""The bill of a soak: a text that goes out twice, or a fall that is counted twice, is found."""

from collections.abc import Sequence

from tests.soak.bill import Bill, Planted, bill
from tests.support.chaos_scene import Arrived
from tests.support.credit_notes import Note
from worker.simulator.sends import Send

_INITIAL = 1_000
_TEXT = "soak-1"


def send(seq: int, at: float, *to: str, text: str = _TEXT) -> Send:
    """A call for a text of two segments."""
    ids = tuple(f"id-{seq}-{name}" for name in to)
    return Send(seq, at, to, text, text, False, 2, "ITON", ids, (), {})  # noqa: FBT003 - the record's order


def result(**outcomes: str) -> Arrived:
    """The result of a job, by the names of its recipients."""
    rows = [{"recipient": name, "outcome": outcome} for name, outcome in outcomes.items()]
    return Arrived("send.partial", "soak-1/1", {"job_id": _TEXT, "segments": 2, "recipients": rows})


def reading(at: float, spent: float, left: float) -> list[Note]:
    """What a worker notes of one."""
    return [Note("spent", spent, at), Note("added", 0, at), Note("remaining", left, at)]


def added_up(
    sends: Sequence[Send], notes: Sequence[Note], *, deaths: int = 0, planted: Planted | None = None
) -> Bill:
    """Two recipients: one accepted, one uncertain."""
    words = [result(one="accepted", other="uncertain", third="failed")]
    return bill(sends, words, [notes], initial=_INITIAL, deaths=deaths, planted=planted)


_SENT = send(1, 10.0, "one")
_LOST = send(2, 11.0, "other")
_COUNTS = [Note("predicted", 2, 10.5), Note("uncertain", 2, 11.5)]


def _twice_and_not(found: Bill) -> tuple[float, float]:
    return found.twice, found.uncounted


class TestBill:
    """What must hold, and what is found."""

    def test_what_was_accepted_and_what_nobody_knows_of_is_what_was_paid(self) -> None:
        """A lost call that the gateway has carried out costs, one that it has not does not."""
        whole = added_up([_SENT, _LOST], [*_COUNTS, *reading(12, 4, 996)])
        assert (4, 2, 2, []) == (whole.paid, whole.accepted, whole.doubtful, whole.wrong)
        half = added_up([_SENT], [*_COUNTS, *reading(12, 2, 998)])
        assert (2, 2, 0, []) == (half.paid, half.accepted, half.doubtful, half.wrong)

    def test_a_text_that_went_out_twice_is_not_explained(self) -> None:
        """It is in the balance, and in no result."""
        found = added_up([_SENT, _LOST, send(3, 12, "one")], [*_COUNTS, *reading(13, 6, 994)])
        assert (2, False) == (found.unexplained, found.kept)

    def test_a_planted_one_is_found_by_the_next_reading(self) -> None:
        """And not by the one before it; the counters part by what it cost."""
        notes = [*_COUNTS, *reading(11.9, 4, 996), *reading(13, 2, 994), *reading(14, 0, 994)]
        found = added_up([_SENT, _LOST, send(3, 12, "one")], notes, planted=Planted(11.95, 1)).planted
        assert found
        assert (True, 1, 2, (0, 2)) == (found.found, found.readings, found.credits, found.gap)
        missed = added_up([_SENT, _LOST, send(3, 12, "one")], notes[:5], planted=Planted(11.95, 1)).planted
        assert missed
        assert not missed.found

    def test_a_fall_that_is_counted_twice_is_found(self) -> None:
        """By the same readings of two workers."""
        found = added_up([_SENT, _LOST], [*_COUNTS, *reading(12, 4, 996), *reading(12.1, 4, 996)])
        assert 4 == found.twice
        assert not found.kept

    def test_a_fall_that_nobody_counted_has_a_death_behind_it(self) -> None:
        """In between a reading and its count."""
        notes = [*_COUNTS, *reading(12, 2, 996)]
        assert (2, False) == (added_up([_SENT, _LOST], notes).uncounted, added_up([_SENT, _LOST], notes).kept)
        assert added_up([_SENT, _LOST], notes, deaths=1).kept

    def test_a_fall_whose_counter_died_before_it_told_what_is_left_is_counted(self) -> None:
        """It lies where no other one does; where there is no room for it, it was counted before."""
        cut = [*_COUNTS, *reading(12, 4, 996)[:2]]
        assert (0, 0, []) == (
            *_twice_and_not(added_up([_SENT, _LOST], cut)),
            added_up([_SENT, _LOST], cut).wrong,
        )
        words = [result(one="accepted", other="uncertain", third="failed")]
        again = [[*_COUNTS, *reading(11.9, 4, 996)], reading(12, 4, 996)[:2]]
        found = bill([_SENT, _LOST], words, again, initial=_INITIAL, deaths=1, planted=None)
        assert ((4, 0), False) == (_twice_and_not(found), found.kept)

    def test_a_reply_that_is_counted_twice_is_found(self) -> None:
        """More is predicted than was accepted, and may have been."""
        assert not added_up([_SENT], [*_COUNTS, *_COUNTS, *reading(12, 2, 998)]).kept
