"""Rules of an operator: what they can say, and what is told about a wrong one."""

import re

import pytest

from worker.iton.rules import Rule, Verdict, rules_from
from worker.ports import Command


class TestRulesFrom:
    """Plain objects, as a setting holds them."""

    def test_a_full_rule(self) -> None:
        """Each key narrows what it is about."""
        (rule,) = rules_from(
            [
                {
                    "error": "permanent",
                    "code": "sender_refused",
                    "pattern": "header .* not approved",
                    "statuses": [200, "4xx"],
                    "commands": ["sendSMS"],
                }
            ]
        )
        assert (rule.verdict, rule.code) == (Verdict.PERMANENT, "sender_refused")
        assert rule.holds(Command.SEND, 200, "The HEADER xyz is not approved", page=True)
        assert rule.holds(Command.SEND, 404, "header xyz not approved", page=False)
        assert not rule.holds(Command.SEND, 500, "header xyz not approved", page=False)
        assert not rule.holds(Command.ACCOUNT, 200, "header xyz not approved", page=False)
        assert not rule.holds(Command.SEND, 200, "fine", page=False)

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            ("permanent", "rejected_by_gateway"),
            ("transient", "gateway_busy"),
            ("uncertain", "reply_unreadable"),
            ("account.credentials", "credentials_refused"),
            ("account.credits", "credits_exhausted"),
        ],
    )
    def test_each_verdict_has_a_code(self, error: str, code: str) -> None:
        """For rules that name none."""
        assert rules_from([{"error": error, "statuses": ["5xx"]}]) == (
            Rule(Verdict(error), code, statuses=frozenset(range(500, 600)), pages=True),
        )

    @pytest.mark.parametrize(
        ("rule", "trouble"),
        [
            ({}, "needs a pattern or statuses"),
            ({"error": "permanent", "commands": ["sendSMS"]}, "needs a pattern or statuses"),
            ({"statuses": [200]}, "error must be one of permanent, transient"),
            ({"error": "fatal", "statuses": [200]}, "error must be one of"),
            ({"error": ["permanent"], "statuses": [200]}, "error must be one of"),
            ({"error": "permanent", "status": [200]}, "does not know 'status'; the keys are code, commands"),
            ({"error": "permanent", "statuses": 200}, "statuses must be a list"),
            ({"error": "permanent", "statuses": []}, "statuses must be a list of at least one"),
            ({"error": "permanent", "statuses": ["6xx"]}, "HTTP status codes from 200 to 599"),
            ({"error": "permanent", "statuses": [True]}, "HTTP status codes"),
            ({"error": "permanent", "statuses": [99]}, "HTTP status codes"),
            ({"error": "permanent", "pattern": "("}, "pattern is no regular expression"),
            ({"error": "permanent", "pattern": ""}, "string of 1 to 500 characters"),
            ({"error": "permanent", "pattern": 5}, "string of 1 to 500 characters"),
            ({"error": "permanent", "pattern": "a*"}, "would hold for every reply"),
            ({"error": "permanent", "statuses": [200], "code": "Not Snake"}, "code must be made of"),
            (
                {"error": "permanent", "statuses": [200], "commands": ["send"]},
                "commands must be among sendSMS",
            ),
            ({"error": "permanent", "statuses": [200], "commands": [5]}, "commands must be among"),
        ],
    )
    def test_a_wrong_rule_is_named_with_its_remedy(self, rule: dict[str, object], trouble: str) -> None:
        """By its place in the list."""
        good: dict[str, object] = {"error": "transient", "statuses": [418]}
        with pytest.raises(ValueError, match=f"^rule 2: .*{re.escape(trouble)}"):
            rules_from([good, rule])
