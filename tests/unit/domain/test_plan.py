"""How recipients are divided."""

from hypothesis import given
from hypothesis import strategies as st

from schemas import FailureCode, Outcome
from worker.domain import plan
from worker.domain.entry import Settled
from worker.domain.errors import PermanentError
from worker.domain.recipients import Distinct

NAMES = st.lists(st.integers(0, 10**6).map(str), unique=True, max_size=350)


class TestPartition:
    """Each recipient is in exactly one place."""

    @given(NAMES, st.integers(1, 100), st.data())
    def test_a_split_conserves_the_recipients(self, names: list[str], size: int, data: st.DataObject) -> None:
        """Those in calls and those settled without one."""
        cut = data.draw(st.integers(0, len(names)))
        settled = [Settled(name, Outcome.DND) for name in names[:cut]]
        parts = plan.split(settled, tuple(plan.batches(names[cut:], size))).parts
        assert sorted(names) == sorted(name for part in parts for name in part.order)
        for part in parts:
            assert 0 < len(part.order) <= 100
            covered = [one.recipient for one in part.settled] + [
                n for call in part.calls for n in call.recipients
            ]
            assert sorted(part.order) == sorted(covered)

    @given(NAMES, st.integers(1, 120))
    def test_batches_keep_the_order(self, names: list[str], size: int) -> None:
        """And all but the last are full."""
        found = list(plan.batches(names, size))
        assert names == [name for batch in found for name in batch]
        assert all(len(batch) == size for batch in found[:-1])

    @given(NAMES, st.data())
    def test_only_a_no_of_the_dnd_list_is_a_leave(self, names: list[str], data: st.DataObject) -> None:
        """Listed ones, and those it says nothing about or refuses to look up, are settled."""
        said = st.booleans() | st.just(PermanentError("number_refused", "HTTP 400: no"))
        answers = data.draw(st.dictionaries(st.sampled_from(names), said)) if names else {}
        settled = {one.recipient: one.outcome for one in plan.listed_ones(names, answers)}
        for name in names:
            known = {"True": Outcome.DND, "False": None}
            assert known.get(str(answers.get(name)), Outcome.DND_UNVERIFIED) == settled.get(name)

    def test_what_is_not_verified_says_why(self) -> None:
        """A reply that leaves a number out is another thing than a refusal."""
        refusal = PermanentError("number_refused", "HTTP 400: no such number")
        silent, refused = plan.listed_ones(["91", "92"], {"92": refusal})
        assert ("91", "the DND endpoint's reply does not name this number") == (
            silent.recipient,
            silent.detail,
        )
        assert refused == Settled(
            "92",
            Outcome.DND_UNVERIFIED,
            code=FailureCode.DND_UNVERIFIED,
            detail="the gateway refused to look this number up in the DND list: HTTP 400: no such number",
        )

    def test_invalid_ones_keep_their_reason(self) -> None:
        """For the result."""
        (one,) = plan.invalid_ones(Distinct(("12",), (), {"12": "too short"}))
        assert ("12", Outcome.INVALID, "too short") == (one.recipient, one.outcome, one.detail)
