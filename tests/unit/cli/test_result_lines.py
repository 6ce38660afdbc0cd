"""Results as people read them."""

import re

from worker.cli.result_lines import lines_of
from worker.client.following import SeenResult


def _plain(line: str) -> str:
    """Take our own colours out."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def _lines(**body: object) -> list[str]:
    shown = (_plain(line) for line in lines_of(SeenResult("send.x", body)))
    return [" ".join(line.split()) for line in shown]


class TestLinesOf:
    """A line for each thing that became of something."""

    def test_each_recipient_has_a_line(self) -> None:
        """With the message id, or the error."""
        recipients = [
            {"recipient": "919876543210", "outcome": "accepted", "message_id": "m1"},
            {
                "recipient": "12",
                "outcome": "invalid",
                "error": {"code": "invalid_number", "detail": "too short"},
            },
        ]
        assert _lines(job_id="a", part=1, parts=2, revision=2, recipients=recipients) == [
            "a 1/2 919876543210 accepted m1 (revision 2)",
            "a 1/2 12 invalid invalid_number: too short (revision 2)",
        ]

    def test_each_message_has_its_recipients(self) -> None:
        """With the gateway's own word; an unknown id says so."""
        messages = [
            {
                "message_id": "m1",
                "found": True,
                "recipients": [{"recipient": "9198", "status": "delivered", "raw_status": "DELIVRD"}],
            },
            {"message_id": "m2", "found": False, "recipients": []},
        ]
        assert _lines(job_id="a", part=1, parts=1, messages=messages) == [
            "a 1/1 9198 delivered m1 DELIVRD",
            "a 1/1 not found m2",
        ]

    def test_a_tracked_result_says_which_one_it_is(self) -> None:
        """And why a message has no end."""
        error = {"code": "tracking_ended", "detail": "no final status within WORKER_TRACK_LIMIT"}
        recipient = {"recipient": "9198", "status": "unknown", "raw_status": "SENT", "error": error}
        messages = [{"message_id": "m1", "found": True, "recipients": [recipient]}]
        (line,) = _lines(job_id="a", track=2, status="final", messages=messages)
        assert line.startswith("a t2 9198 unknown m1 SENT tracking_ended: ")

    def test_the_balance_is_a_line(self) -> None:
        """And so is a low one, which belongs to no job."""
        assert _lines(job_id="a", status="balance", remaining_credits=417) == ["a balance 417 credits"]
        low = {"job_id": None, "status": "low", "remaining_credits": 3, "threshold": 10}
        assert _lines(**low) == ["- low 3 credits, fewer than 10"]

    def test_each_error_of_a_rejected_job_is_a_line(self) -> None:
        """The place is named where the words do not."""
        errors = [
            {"loc": ["text"], "msg": "`text` is missing", "type": "missing"},
            {"loc": ["params", "q"], "msg": "is not allowed", "type": "params_not_allowed"},
        ]
        assert _lines(job_id="a", status="rejected", errors=errors) == [
            "a rejected `text` is missing",
            "a rejected params.q is not allowed",
        ]

    def test_a_job_that_was_given_up_says_why(self) -> None:
        """By code and detail."""
        error = {"code": "retries_exhausted", "detail": "the gateway is away"}
        assert _lines(job_id="a", status="failed", error=error, messages=[]) == [
            "a failed retries_exhausted: the gateway is away"
        ]

    def test_nothing_that_others_wrote_steers_the_terminal(self) -> None:
        """Escape sequences and line breaks are replaced."""
        recipients = [
            {"recipient": "\x1b[2J\n1", "outcome": "invalid", "error": {"code": "c", "detail": "d\r"}}
        ]
        (line,) = lines_of(SeenResult("send.failed", {"job_id": "a", "recipients": recipients}))
        assert _plain(line).isprintable()

    def test_what_is_no_result_is_shown_as_it_is(self) -> None:
        """Anybody may publish to the exchange."""
        assert _lines(unreadable="hello") == ["send.x not a result: hello"]
        assert _lines(job_id="a", recipients="odd") == []
        assert _lines(job_id="a", status="rejected", errors=[{"loc": 5, "msg": None}]) == ["a rejected None"]
        assert _lines(job_id="a", status="failed", error="odd") == ["a failed odd"]
