"""Status and account jobs through the real process."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.line import Line, wait_settled
from tests.support.results_side import Result, new_job_id, numbers
from tests.support.status_gateway import status_gateway

UNKNOWN = "f" * 24
FINAL = {
    "919876543220": ("delivered", "DELIVIRED"),
    "919876543213": ("failed", "UNDELIV"),
    "919876543214": ("expired", "EXPIRED"),
    "919876543215": ("rejected", "REJECTD"),
    "919876543216": ("dnd", "NCPR"),
}
OPEN = {
    "919876543217": ("pending", "SUBMITTED"),
    "919876543218": ("unknown", "PARKED"),
}


def send(line: Line, recipients: list[str], text: str) -> dict[str, str]:
    """Send and return ids by recipient."""
    job = line.producer.send(recipients, text, sender="ITONSM")
    return {number: key for part in line.collector.whole(job) for number, key in part.ids.items()}


def ask(line: Line, ids: list[str], **fields: object) -> list[Result]:
    """Publish a status job and return its parts."""
    job_id = new_job_id()
    line.producer.publish({"job_id": job_id, "message_ids": ids, **fields}, "status")
    return line.collector.whole(job_id)


def statuses(result: Result) -> dict[str, tuple[str, str]]:
    """Status and raw status by recipient."""
    return {
        entry["recipient"]: (entry["status"], entry["raw_status"])
        for message in result.body["messages"]
        for entry in message["recipients"]
    }


class TestStatusJobs:
    """What became of messages."""

    def test_every_final_status_is_known(self, line: Line) -> None:
        """All found and final: the result is final, and the raw word is ITON's."""
        line.gateway.change(ripen_after=0)
        ids = send(line, list(FINAL), "final")
        (result,) = ask(line, list(ids.values()), metadata={"poll": 1})
        assert FINAL == statuses(result)
        assert ("results.delivery", "delivery.final", "final", {"poll": 1}) == (
            result.exchange,
            result.key,
            result.body["status"],
            result.body["metadata"],
        )

    @pytest.mark.parametrize("number", OPEN)
    def test_one_open_status_makes_it_pending(self, line: Line, number: str) -> None:
        """Pending and unknown are not final."""
        line.gateway.change(ripen_after=0)
        ids = send(line, [number, "919876543220"], "open")
        (result,) = ask(line, list(ids.values()))
        assert OPEN[number] == statuses(result)[number]
        assert ("delivery.pending", "pending") == (result.key, result.body["status"])

    def test_recipients_are_named_as_in_the_send_result(self, line: Line) -> None:
        """ITON's own example of a status reply names no country code."""
        line.gateway.change(ripen_after=0, spelling="national")
        ids = send(line, list(FINAL), "national")
        (result,) = ask(line, list(ids.values()))
        assert FINAL == statuses(result)
        assert set(ids) == set(statuses(result))

    def test_a_status_that_is_no_word_is_unknown(self, line: Line) -> None:
        """And shown as it stands in the reply."""
        reply = {UNKNOWN: {"phoneNumberWithRespectiveStatus": {"9876543210": None}}}
        line.gateway.fault(command="message_status", body=json.dumps(reply), times=1)
        (result,) = ask(line, [UNKNOWN])
        assert {"919876543210": ("unknown", "null")} == statuses(result)
        assert "delivery.pending" == result.key

    def test_a_message_is_described(self, line: Line) -> None:
        """Sender, time with offset, text; the text as it was sent."""
        line.gateway.change(ripen_after=0)
        text = "Hello & goodbye: नमस्ते"
        ids = send(line, ["919876543220"], text)
        (message,) = ask(line, list(ids.values()))[0].body["messages"]
        assert ("ITONSM", text, True) == (message["sender"], message["text"], message["found"])
        assert message["sent_at"].endswith("+05:30")

    def test_pending_ripens_into_final(self, line: Line) -> None:
        """Asked again under another id it is final."""
        line.gateway.change(ripen_after=3600)
        ids = list(send(line, ["919876543220"], "ripens").values())
        assert "delivery.pending" == ask(line, ids)[0].key
        line.gateway.change(ripen_after=0)
        assert "delivery.final" == ask(line, ids)[0].key

    def test_an_unknown_id_is_not_found(self, line: Line) -> None:
        """And keeps the result pending, as it may turn up."""
        (result,) = ask(line, [UNKNOWN])
        (message,) = result.body["messages"]
        assert (UNKNOWN, False, []) == (message["message_id"], message["found"], message["recipients"])
        assert "delivery.pending" == result.key

    def test_more_than_100_ids_come_in_parts(self, line: Line) -> None:
        """Each id once, at most 100 a part, the gateway asked for at most 100 at once."""
        line.gateway.change(ripen_after=0)
        ids = list(send(line, numbers(250), "many").values())
        parts = ask(line, ids)
        assert [(1, 3), (2, 3), (3, 3)] == [(part.body["part"], part.body["parts"]) for part in parts]
        asked = [message["message_id"] for part in parts for message in part.body["messages"]]
        assert sorted(ids) == sorted(asked)
        assert {f"{parts[0].job_id}/{n}" for n in (1, 2, 3)} == {p.properties.message_id for p in parts}
        assert all(call["ids"].count(",") < 100 for call in line.gateway.recent("message_status"))

    def test_the_narrow_space_of_newer_java_is_read(self, line: Line) -> None:
        """U+202F before AM and PM."""
        line.gateway.change(ripen_after=0, narrow_space=True)
        ids = send(line, ["919876543220"], "narrow")
        assert ask(line, list(ids.values()))[0].body["messages"][0]["sent_at"]

    def test_nothing_in_an_id_gets_into_the_query(self, line: Line) -> None:
        """A hostile id asks for nothing else."""
        job_id = new_job_id()
        hostile = ["a,b", "c&cmd=account", "d\r\nX-Evil: 1", "é", ""]
        line.producer.publish({"job_id": job_id, "message_ids": hostile}, "status")
        result = line.collector.one(job_id)
        assert result.key in {"delivery.pending", "delivery.rejected"}
        for call in line.gateway.recent("message_status"):
            assert "b" not in call["ids"].split(",")
        assert 0 == line.gateway.state()["repeated_parameters"]

    def test_a_lost_reply_is_asked_for_again(self, line: Line) -> None:
        """It only reads."""
        line.gateway.change(ripen_after=0)
        ids = send(line, ["919876543220"], "read again")
        line.gateway.fault(command="message_status", kind="drop", times=1)
        assert "delivery.final" == ask(line, list(ids.values()))[0].key


class TestAccountJobs:
    """The balance."""

    @pytest.mark.parametrize(("form", "balance"), [("text", 417), ("json", 417), ("text", 1_234_567)])
    def test_a_whole_number_stays_a_json_integer(self, line: Line, form: str, balance: int) -> None:
        """Whatever the form of the reply."""
        line.gateway.change(account_form=form, balance=balance)
        job_id = new_job_id()
        line.producer.publish({"job_id": job_id, "metadata": {"a": 1}}, "account")
        result = line.collector.one(job_id)
        assert ("results.account", "account.balance") == (result.exchange, result.key)
        assert {
            "job_id": job_id,
            "status": "balance",
            "remaining_credits": balance,
            "metadata": {"a": 1},
        } == result.body
        assert f'"remaining_credits":{balance}' in result.raw.decode().replace(" ", "")

    @pytest.mark.parametrize(
        ("reply", "expected"),
        [("Remaining_Credits: 1,00,417", "100417"), ("Remaining_Credits: 417.25", "417.25")],
    )
    def test_fractions_and_separators_are_read(self, line: Line, reply: str, expected: str) -> None:
        """As the notes ask."""
        line.gateway.fault(command="account", body=reply)
        job_id = new_job_id()
        line.producer.publish({"job_id": job_id}, "account")
        assert expected == str(line.collector.one(job_id).body["remaining_credits"])


class TestFailed:
    """Lookups whose retries are of no use."""

    @pytest.mark.parametrize(
        ("key", "command", "fields", "expected"),
        [
            ("status", "message_status", {"message_ids": [UNKNOWN]}, "delivery.failed"),
            ("account", "account", {}, "account.failed"),
        ],
    )
    def test_it_is_said_and_the_job_is_kept(
        self, line: Line, key: str, command: str, fields: dict[str, Any], expected: str
    ) -> None:
        """A result with the error, and the job among the dead letters."""
        line.gateway.fault(command=command, status=400)
        job_id = new_job_id()
        line.producer.publish({"job_id": job_id, **fields, "metadata": {"a": 1}}, key)
        result = line.collector.one(job_id)
        assert (expected, "failed") == (result.key, result.body["status"])
        assert {"code", "detail"} <= set(result.body["error"])
        assert result.body["error"]["detail"]
        assert not result.body.get("messages")
        letter = line.queues.wait_dead(lambda _properties, body: job_id.encode() in body)
        assert key == letter[0]

    @pytest.mark.row(
        "status/refused-id",
        "the gateway refuses some ids of a part",
        "they are `found: false`, the others answered; no dead letter",
    )
    def test_a_refused_id_does_not_cost_the_others_their_answers(self, own_line: Callable[..., Line]) -> None:
        """The gateway refuses calls that name it: the rest of the part is answered."""
        ids = [f"{number:024x}" for number in range(100)]
        with status_gateway({ids[41]: 400}) as url:
            line = own_line(ITON_BASE_URL=url)
            (result,) = ask(line, ids)
        messages = result.body["messages"]
        assert ("delivery.pending", ids) == (result.key, [message["message_id"] for message in messages])
        assert [(ids[41], [])] == [
            (message["message_id"], message["recipients"]) for message in messages if not message["found"]
        ]
        wait_settled(line)
        assert 0 == line.queues.count("dead")
        (warning,) = line.worker.log_lines("lookup.refused")
        assert ("warning", 100, 1) == (warning["level"], warning["keys"], warning["refused"])

    @pytest.mark.row(
        "status-parts/given-up",
        "the lookup of a part fails in every round",
        "in the last one `delivery.failed` for that part, under its number, "
        "and the answers of the others; one dead letter",
    )
    def test_each_part_ends_once_when_one_of_them_keeps_failing(self, own_line: Callable[..., Line]) -> None:
        """Nothing in the rounds before the last one; then all parts, the failed one under its own number."""
        ids = [f"{number:024x}" for number in range(250)]
        with status_gateway({ids[150]: 500}) as url:
            line = own_line(
                ITON_BASE_URL=url,
                WORKER_RETRY_ATTEMPTS=2,
                WORKER_RETRY_DELAYS="1,2",
                WORKER_BREAKER_FAILURES=1000,
            )
            job_id = new_job_id()
            line.producer.publish({"job_id": job_id, "message_ids": ids, "metadata": {"a": 1}}, "status")
            line.queues.wait_dead(lambda _properties, body: job_id.encode() in body)
            parts = line.collector.whole(job_id)
        assert [
            ("delivery.final", f"{job_id}/1", 1, 3, 100),
            ("delivery.failed", f"{job_id}/2", 2, 3, 0),
            ("delivery.final", f"{job_id}/3", 3, 3, 50),
        ] == [
            (
                part.key,
                part.properties.message_id,
                part.body["part"],
                part.body["parts"],
                len(part.body["messages"]),
            )
            for part in parts
        ]
        assert ("gateway_error", {"a": 1}) == (parts[1].body["error"]["code"], parts[1].body["metadata"])
        assert 3 == len(line.collector.of(job_id))
        wait_settled(line)
        assert 0 == line.queues.count("dead")

    def test_retries_are_used_up_first(self, own_line: Callable[..., Line]) -> None:
        """A gateway that keeps failing: calls in a row, a round through the delay queue, then the end."""
        line = own_line(WORKER_RETRY_ATTEMPTS=2, WORKER_RETRY_DELAYS="1", WORKER_BREAKER_FAILURES=1000)
        line.gateway.fault(command="message_status", status=500)
        job_id = new_job_id()
        line.producer.publish({"job_id": job_id, "message_ids": [UNKNOWN]}, "status", message_id="m-1")
        result = line.collector.one(job_id)
        assert ("delivery.failed", f"{job_id}/1") == (result.key, result.properties.message_id)
        key, properties, _body = line.queues.wait_dead(lambda _properties, body: job_id.encode() in body)
        assert ("status", "m-1") == (key, properties.message_id)
        assert 4 == line.gateway.calls("message_status")
        assert properties.headers["x-iton-attempts"] >= 1


class TestLowCredits:
    """``account.low`` comes by itself."""

    def test_it_is_published_when_the_balance_falls_below(self, own_line: Callable[..., Line]) -> None:
        """With threshold and balance, without a job."""
        line = own_line(WORKER_CREDITS_LOW=100, WORKER_CREDITS_INTERVAL=1)
        line.gateway.change(balance=99)
        result = line.collector.wait_for(lambda one: one.key == "account.low", "account.low")[0]
        assert (None, 99, 100) == (
            result.job_id,
            result.body["remaining_credits"],
            result.body["threshold"],
        )
        assert "account.result.v1" == result.properties.type
