"""The rules by which statuses follow from outcomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import (
    FINAL_STATUSES,
    DeliveryResultStatus,
    DeliveryStatus,
    Outcome,
    SendStatus,
    count_outcomes,
    delivery_status,
    part_status,
)

A, D, U, C, X, F, N = (
    Outcome.ACCEPTED,
    Outcome.DND,
    Outcome.UNCERTAIN,
    Outcome.CANCELLED,
    Outcome.EXPIRED,
    Outcome.FAILED,
    Outcome.INVALID,
)


class TestPartStatus:
    """The status of a part, by the contract's rule."""

    @pytest.mark.parametrize(
        ("outcomes", "expected"),
        [
            ([A], SendStatus.ACCEPTED),
            ([A, A], SendStatus.ACCEPTED),
            ([A, D], SendStatus.PARTIAL),
            ([U, A], SendStatus.PARTIAL),
            ([U, C, X, F], SendStatus.UNCERTAIN),
            ([C, X, F, N], SendStatus.CANCELLED),
            ([A, C], SendStatus.PARTIAL),
            ([X, F, N], SendStatus.EXPIRED),
            ([F], SendStatus.FAILED),
            ([D, N], SendStatus.FAILED),
            ([Outcome.DND_UNVERIFIED], SendStatus.FAILED),
        ],
    )
    def test_follows_the_table(self, outcomes: list[Outcome], expected: SendStatus) -> None:
        """Accepted before partial before uncertain before cancelled before expired before failed."""
        assert expected == part_status(outcomes)

    def test_a_part_without_recipients_is_a_mistake(self) -> None:
        """There is none."""
        with pytest.raises(ValueError, match="at least one"):
            part_status([])

    @given(st.lists(st.sampled_from(Outcome), min_size=1))
    def test_the_order_of_recipients_does_not_count(self, outcomes: list[Outcome]) -> None:
        """Nor does how often an outcome occurs."""
        assert part_status(outcomes) == part_status(sorted(set(outcomes)))


class TestCountOutcomes:
    """The counts of a part."""

    @given(st.lists(st.sampled_from(Outcome)))
    def test_counts_conserve_the_recipients(self, outcomes: list[Outcome]) -> None:
        """They add up, and name only what occurs."""
        counts = count_outcomes(iter(outcomes))

        assert len(outcomes) == sum(counts.values())
        assert set(outcomes) == set(counts)


class TestDeliveryStatus:
    """The status of a delivery result."""

    @pytest.mark.parametrize(
        ("messages", "expected"),
        [
            ([(True, [DeliveryStatus.DELIVERED])], DeliveryResultStatus.FINAL),
            ([(True, list(FINAL_STATUSES))], DeliveryResultStatus.FINAL),
            ([(True, [DeliveryStatus.DELIVERED, DeliveryStatus.PENDING])], DeliveryResultStatus.PENDING),
            ([(True, [DeliveryStatus.UNKNOWN])], DeliveryResultStatus.PENDING),
            ([(True, [DeliveryStatus.DELIVERED]), (False, [])], DeliveryResultStatus.PENDING),
            ([(True, [])], DeliveryResultStatus.PENDING),
            ([], DeliveryResultStatus.PENDING),
        ],
    )
    def test_is_final_only_when_everything_is(
        self, messages: list[tuple[bool, list[DeliveryStatus]]], expected: DeliveryResultStatus
    ) -> None:
        """Every id found, with a recipient, and every recipient's status final."""
        assert expected == delivery_status(messages)

    def test_final_statuses_are_those_that_change_no_more(self) -> None:
        """All but pending and unknown."""
        assert {DeliveryStatus.PENDING, DeliveryStatus.UNKNOWN} == set(DeliveryStatus) - FINAL_STATUSES
        assert DeliveryStatus.DND in FINAL_STATUSES
        assert DeliveryStatus.UNKNOWN not in FINAL_STATUSES
