"""The balance, as it is published."""

import json
from decimal import Decimal

import pytest
from pydantic import ValidationError

from schemas import AccountLow, AccountResult


class TestAccountResult:
    """The balance."""

    @pytest.mark.parametrize(
        ("credits_left", "expected"),
        [
            (417, "417"),
            (417.0, "417"),
            (Decimal(417), "417"),
            (Decimal("417.00"), "417"),
            (Decimal("417.5"), "417.5"),
            (Decimal("1E+3"), "1000"),
            (Decimal(-3), "-3"),
        ],
    )
    def test_a_whole_number_stays_a_json_integer(self, credits_left: float | Decimal, expected: str) -> None:
        """Whatever type the gateway's reply was read into."""
        result = AccountResult(job_id="a", remaining_credits=credits_left)

        assert f'"remaining_credits":{expected},' in result.to_json().decode()

    @pytest.mark.parametrize(
        "wrong", [float("nan"), float("inf"), Decimal("NaN"), Decimal("Infinity"), "many"]
    )
    def test_is_a_number(self, wrong: object) -> None:
        """JSON has no other."""
        with pytest.raises(ValidationError):
            AccountResult(job_id="a", remaining_credits=wrong)

    def test_a_low_balance_has_no_job(self) -> None:
        """Nobody asked for it."""
        expected: dict[str, object] = {
            "job_id": None,
            "status": "low",
            "remaining_credits": 17,
            "threshold": 100,
            "metadata": {},
        }

        assert expected == json.loads(AccountLow(remaining_credits=17, threshold=Decimal(100)).to_json())
