"""Who may share a call."""

from hypothesis import given
from hypothesis import strategies as st

from worker.domain import sharing
from worker.domain.limits import MOST_PER_CALL

WAITING = st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4, unique=True), max_size=40)


class TestTogether:
    """The members of the next call."""

    def test_in_order_up_to_a_hundred(self) -> None:
        """Whoever still fits shares it, in the order of arrival."""
        waiting = [
            [f"{job}-{number}" for number in range(size)] for job, size in enumerate((60, 50, 30, 10, 1))
        ]
        assert [0, 2, 3] == sharing.together(waiting)

    def test_a_number_once(self) -> None:
        """A second message to it goes in another call."""
        assert [0, 2] == sharing.together([["a", "b"], ["b", "c"], ["d"]])

    @given(WAITING)
    def test_the_first_always_rides_and_nobody_twice(self, waiting: list[list[str]]) -> None:
        """So nobody waits for ever."""
        chosen = sharing.together(waiting)
        numbers = [name for index in chosen for name in waiting[index]]
        assert len(set(numbers)) == len(numbers) <= MOST_PER_CALL
        assert chosen[:1] == ([0] if waiting else [])


class TestWithin:
    """Room in a URL."""

    def test_whole_jobs_only(self) -> None:
        """The first one in any case: its own cut made it short enough."""
        assert [2, 1, 1, 0] == [
            sharing.within([3, 3, 3], 8),
            sharing.within([3, 3, 3], 3),
            sharing.within([3, 3], 1),
            sharing.within([], 5),
        ]


class TestMayConcernOne:
    """What a refusal is about."""

    def test_what_all_have_in_common_is_everybodys(self) -> None:
        """Anything else may be one number's fault."""
        codes = ("sender_refused", "text_refused", "number_refused", "rejected_by_gateway", "of_an_operator")
        assert [False, False, True, True, True] == [sharing.may_concern_one(code) for code in codes]
