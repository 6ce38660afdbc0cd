"""Replies that say of themselves that the call failed."""

import pytest

from worker.iton.bodies import decoded
from worker.iton.failing import complains, says_it_failed


def failed(body: str) -> bool:
    """Tell what *body* says."""
    json = decoded(body.encode()).json
    assert isinstance(json, dict)
    return says_it_failed(json)


class TestFailures:
    """In the ways that gateways have to say so."""

    @pytest.mark.parametrize(
        "body",
        [
            '{"status": "error"}',
            '{"STATUS": "Failed - no route"}',
            '{"status": "not sent"}',
            '{"status": 400}',
            '{"code": "500"}',
            '{"success": false}',
            '{"Success": "false"}',
            '{"success": 0}',
            '{"error": "Invalid Sender ID"}',
            '{"error": "No sender"}',
            '{"error": "None of the numbers is valid"}',
            '{"error": true}',
            '{"error_code": 102}',
            '{"errors": ["bad number"]}',
            '{"errors": [{"code": 5}]}',
            '{"status": {"code": 404}}',
            '{"status": "queued by nobody", "status": "error", "x": 1}'.replace("queued", "held"),
        ],
    )
    def test_a_failure_is_heard(self, body: str) -> None:
        """Whatever else stands there."""
        assert failed(body)

    @pytest.mark.parametrize(
        "body",
        [
            "{}",
            '{"status": "success"}',
            '{"status": 200, "error": null}',
            '{"error": "", "error_code": "000", "error_message": "Done"}',
            '{"error": "none"}',
            '{"error": "no error"}',
            '{"error": false, "errors": [], "fault": {}}',
            '{"errors": [{"code": 0, "message": null}]}',
            '{"success": true, "error": "1 number filtered"}',
            '{"status": "success", "error": "1 number filtered"}',
            '{"message": "error"}',
            '{"cost": 400}',
        ],
    )
    def test_what_says_nothing_of_one_or_also_a_success_is_none(self, body: str) -> None:
        """Fields that are always there are no error."""
        assert not failed(body)

    @pytest.mark.parametrize(
        ("body", "bad"),
        [
            ('{"message": "Invalid Sender ID"}', True),
            ('{"msg": "Sender is not registered"}', True),
            ('{"reason": "ok", "reason": "rejected by operator"}', True),
            ('{"message": "Message accepted"}', False),
            ('{"cost": "invalid", "message": 5}', False),
        ],
    )
    def test_words_of_a_failure_are_heard_apart(self, body: str, *, bad: bool) -> None:
        """The text of a message may be made of them."""
        json = decoded(body.encode()).json
        assert isinstance(json, dict)
        assert not says_it_failed(json)
        assert complains(json) is bad
