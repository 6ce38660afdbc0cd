"""The DND filter through the real process (contract, sections 1 and 3)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.line import Line

FREE = "919876543210"
LISTED = "919876543200"
UNVERIFIED = "919876543299"
FILTERED = {FREE: "accepted", LISTED: "dnd", UNVERIFIED: "dnd_unverified"}
SKIPPED = dict.fromkeys(FILTERED, "accepted")


class TestCategoryAndDnd:
    """``category`` decides, ``dnd`` overrides."""

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({}, FILTERED),
            ({"category": "promotional"}, FILTERED),
            ({"category": "service"}, SKIPPED),
            ({"category": "transactional"}, SKIPPED),
            ({"dnd": "skip"}, SKIPPED),
            ({"category": "promotional", "dnd": "skip"}, SKIPPED),
            ({"category": "service", "dnd": "filter"}, FILTERED),
            ({"category": "transactional", "dnd": "filter"}, FILTERED),
            ({"category": "transactional", "dnd": "skip"}, SKIPPED),
        ],
    )
    def test_every_pair_has_its_outcome(
        self, line: Line, fields: dict[str, Any], expected: dict[str, str]
    ) -> None:
        """Promotional and filter ask the endpoint; the others do not even ask."""
        result = line.collector.whole(line.producer.send(list(FILTERED), "dnd matrix", **fields))
        assert expected == {name: outcome for part in result for name, outcome in part.outcomes.items()}
        assert set(line.gateway.times("dnd matrix")) == {
            n for n, how in expected.items() if how == "accepted"
        }
        assert (expected is FILTERED) == bool(line.gateway.calls("check_DNDnumber"))

    def test_only_listed_numbers_are_failed(self, line: Line) -> None:
        """None accepted, none uncertain, none expired."""
        result = line.collector.one(line.producer.send([LISTED, UNVERIFIED], "nobody"))
        assert ("send.failed", {"dnd": 1, "dnd_unverified": 1}) == (result.key, result.body["counts"])
        assert 0 == line.gateway.calls("sendSMS")

    def test_dnd_has_no_error_and_unverified_has_one(self, line: Line) -> None:
        """All outcomes but accepted and dnd say why."""
        result = line.collector.one(line.producer.send([FREE, LISTED, UNVERIFIED], "errors"))
        assert {FREE: False, LISTED: False, UNVERIFIED: True} == {
            entry["recipient"]: "error" in entry for entry in result.body["recipients"]
        }

    def test_a_number_that_is_not_looked_up_says_so(self, own_line: Callable[..., Line]) -> None:
        """With the gateway's words in the result; the log tells how it answered, and quotes nothing."""
        line = own_line()
        line.gateway.fault(command="check_DNDnumber", status=400, body=f"Invalid mobile number {FREE}")
        (entry,) = line.collector.one(line.producer.send([FREE], "refused")).body["recipients"]
        assert ("dnd_unverified", "dnd_unverified") == (entry["outcome"], entry["error"]["code"])
        assert (
            "refused to look this number up in the DND list: HTTP 400: Invalid mobile number"
            in (entry["error"]["detail"])
        )
        (logged,) = line.worker.log_lines("lookup.refused")
        assert "HTTP 400 with a reply of 34 characters" == logged["detail"]
        assert FREE not in str(logged)
        assert 0 == line.gateway.calls("sendSMS")

    @pytest.mark.parametrize("spelling", ["given", "national", "country", "plus"])
    def test_replies_in_any_spelling_are_understood(self, line: Line, spelling: str) -> None:
        """A number comes back in another spelling than it was sent."""
        line.gateway.change(spelling=spelling)
        result = line.collector.one(line.producer.send(list(FILTERED), f"spelt {spelling}"))
        assert FILTERED == result.outcomes


class TestMemory:
    """Answers are remembered (``WORKER_DND_MEMORY``)."""

    def test_answers_are_remembered(self, own_line: Callable[..., Line]) -> None:
        """The second job asks about nobody but the number that the first reply did not name."""
        line = own_line()
        line.collector.one(line.producer.send(list(FILTERED), "first"))
        result = line.collector.one(line.producer.send(list(FILTERED), "second"))
        assert FILTERED == result.outcomes
        asked = [call["phoneNumbers"] for call in line.gateway.recent("check_DNDnumber")]
        assert [",".join(FILTERED), UNVERIFIED] == asked
        _, text = line.worker.get("/metrics")
        assert 'iton_worker_dnd_cache_total{result="hit"} 2.0' in text
        assert 'iton_worker_dnd_cache_total{result="miss"} 4.0' in text
