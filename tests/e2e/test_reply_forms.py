"""Every form in which the gateway may name its message ids (API notes, "Replies")."""

import pytest

from tests.support.line import Line
from tests.support.results_side import numbers

FORMS = ("text", "map", "bare", "lists", "joined", "bare_lists", "bare_joined")


class TestIds:
    """The right id at the right recipient."""

    @pytest.mark.parametrize("spelling", ["given", "national", "country", "plus"])
    @pytest.mark.parametrize("form", FORMS)
    def test_each_recipient_has_the_id_that_the_gateway_gave_it(
        self, line: Line, form: str, spelling: str
    ) -> None:
        """One id for many numbers as well as one each."""
        text = f"{form} {spelling}"
        line.gateway.change(reply_form=form, spelling=spelling, numbers_per_id=2)
        job = line.producer.send(numbers(5), text)
        result = line.collector.one(job)
        (send,) = line.gateway.sends(text)
        assert dict(zip(send["to"], send["ids"], strict=True)) == result.ids
        assert {"accepted": 5} == result.body["counts"]

    def test_one_id_for_the_whole_call_is_everybodys(self, line: Line) -> None:
        """A text reply names one id for 100 numbers."""
        line.gateway.change(reply_form="text")
        result = line.collector.one(line.producer.send(numbers(100), "one for all"))
        (send,) = line.gateway.sends("one for all")
        assert {send["id"]} == set(result.ids.values())
        assert 100 == len(result.ids)

    def test_a_number_missing_from_the_reply_is_uncertain(self, line: Line) -> None:
        """It may have been sent; it is not sent again."""
        line.gateway.change(missing_endings=["21"])
        result = line.collector.one(line.producer.send(["919800000020", "919800000021"], "missing"))
        assert {"919800000020": "accepted", "919800000021": "uncertain"} == result.outcomes
        assert "send.partial" == result.key
        (entry,) = (e for e in result.body["recipients"] if e["outcome"] == "uncertain")
        assert entry["error"]["code"]
        assert 1 == line.gateway.calls("sendSMS")


class TestLostReplies:
    """``on_uncertain``: report, or send again."""

    @pytest.mark.parametrize("kind", ["drop", "reset", "truncated", "html", "binary"])
    def test_report_never_calls_again(self, line: Line, kind: str) -> None:
        """The default: whatever spoils the reply, the recipients are uncertain and the call was one."""
        line.gateway.fault(command="sendSMS", kind=kind, when="after", times=1)
        text = f"lost by {kind}"
        result = line.collector.one(line.producer.send(numbers(2), text))
        assert ("send.uncertain", {"uncertain": 2}) == (result.key, result.body["counts"])
        assert all(entry["error"]["code"] for entry in result.body["recipients"])
        assert dict.fromkeys(numbers(2), 1) == line.gateway.times(text)

    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_a_server_error_is_uncertain(self, line: Line, status: int) -> None:
        """The gateway may have sent before it failed."""
        line.gateway.fault(command="sendSMS", status=status, when="after", times=1)
        result = line.collector.one(line.producer.send(numbers(1), f"status {status}", on_uncertain="report"))
        assert "send.uncertain" == result.key
        assert 1 == line.gateway.calls("sendSMS")

    def test_resend_calls_again(self, line: Line) -> None:
        """The job asked for it: the second call's ids are published."""
        line.gateway.fault(command="sendSMS", kind="drop", when="after", times=1)
        result = line.collector.one(line.producer.send(numbers(2), "again", on_uncertain="resend"))
        first, second = line.gateway.sends("again")
        assert first["ids"] != second["ids"]
        assert "send.accepted" == result.key
        assert dict(zip(second["to"], second["ids"], strict=True)) == result.ids

    @pytest.mark.parametrize("status", [429, 503])
    def test_a_refusal_for_now_is_repeated(self, line: Line, status: int) -> None:
        """429 and 503 have sent nothing."""
        line.gateway.fault(command="sendSMS", status=status, when="before", times=2)
        result = line.collector.one(line.producer.send(numbers(2), f"later {status}"))
        assert "send.accepted" == result.key
        assert dict.fromkeys(numbers(2), 1) == line.gateway.times(f"later {status}")


class TestRefusals:
    """The gateway says no to this very job."""

    @pytest.mark.parametrize(
        "fault",
        [{"status": 400}, {"status": 413}, {"status": 414}, {"status": 422}, {"body": "Invalid Sender ID"}],
        ids=str,
    )
    def test_the_recipients_are_failed_and_the_job_not_retried(
        self, line: Line, fault: dict[str, object]
    ) -> None:
        """The outcome says what the gateway said."""
        line.gateway.fault(command="sendSMS", when="before", **fault)
        result = line.collector.one(line.producer.send(numbers(2), "refused"))
        assert ("send.failed", {"failed": 2}) == (result.key, result.body["counts"])
        error = result.body["recipients"][0]["error"]
        assert error["code"]
        assert "body" not in fault or str(fault["body"]) in error["detail"]
        assert 1 == line.gateway.calls("sendSMS")
