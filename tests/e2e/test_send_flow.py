"""Send jobs through the real process: what the gateway gets, and what is published."""

import pytest

from tests.support.line import Line
from tests.support.results_side import numbers

ONE = "919876543210"
TEXTS = (
    "  two before, two after  ",
    "one\nline, another\r\nline\ttab",
    "100% & more + extra = sum? #hash; a/b\\c 'quote' \"double\" %20 %2B &cmd=account",
    "आपका कोड 4711 है",
    "🎉 party 👨‍👩‍👧 — “quoted” \u00a0 no-break, \u200d joiner",
    "[braces] {curly} ~tilde^ |pipe| €",
    "e\u0301 is not é",
    "\u2028 line separator",
)
SPELLINGS = (
    "9876543210",
    "09876543210",
    "919876543210",
    "+919876543210",
    "+91 98765 43210",
    "0091-98765-43210",
    "+91 (98765) 43210",
)
INVALID = ("12", "abc", "", "+14155550123", "5876543210", "98765432101234567", "022 2345 6789")


class TestAnOrdinaryJob:
    """Two plain numbers."""

    def test_every_recipient_is_accepted_with_its_id(self, line: Line) -> None:
        """The ids are those that the gateway gave, each at its recipient; the key and the body agree."""
        job = line.producer.send(numbers(2), "Hello", metadata={"order": 7, "tags": ["a", None]})
        result = line.collector.one(job)
        (send,) = line.gateway.sends("Hello")
        assert dict(zip(send["to"], send["ids"], strict=True)) == result.ids
        assert set(numbers(2)) == set(result.ids)
        assert ("results.send", "send.accepted") == (result.exchange, result.key)
        assert {
            "job_id": job,
            "part": 1,
            "parts": 1,
            "status": "accepted",
            "counts": {"accepted": 2},
            "encoding": "gsm7",
            "segments": 1,
            "metadata": {"order": 7, "tags": ["a", None]},
        } == {name: value for name, value in result.body.items() if name != "recipients"}

    def test_the_urgent_key_serves_the_same_job(self, line: Line) -> None:
        """A job on send.urgent has the same result."""
        job = line.producer.send([ONE], "Your code is 4711", urgent=True)
        assert {ONE: "accepted"} == line.collector.one(job).outcomes

    def test_metadata_is_an_empty_object_where_the_job_had_none(self, line: Line) -> None:
        """The field is always there."""
        job = line.producer.send([ONE], "no metadata")
        assert {} == line.collector.one(job).body["metadata"]

    def test_revision_is_absent_from_a_first_result(self, line: Line) -> None:
        """Only a changed outcome has one."""
        job = line.producer.send([ONE], "no revision")
        assert "revision" not in line.collector.one(job).body


class TestText:
    """``text`` is sent as given."""

    def test_the_gateway_gets_every_text_character_for_character(self, line: Line) -> None:
        """Spaces, line breaks, signs of the query language, other alphabets and emoji stay as they are."""
        jobs = [line.producer.send([ONE], text) for text in TEXTS]
        for job in jobs:
            assert {ONE: "accepted"} == line.collector.one(job).outcomes
        assert sorted(TEXTS) == sorted(call["message"] for call in line.gateway.recent("sendSMS"))
        assert 0 == line.gateway.state()["sent"]["garbled"]

    @pytest.mark.parametrize(
        ("text", "encoding", "segments"),
        [
            ("a" * 160, "gsm7", 1),
            ("a" * 161, "gsm7", 2),
            ("€" * 80, "gsm7", 1),
            ("€" * 81, "gsm7", 2),
            ("a" * 1530, "gsm7", 10),
            ("अ" * 70, "ucs2", 1),
            ("अ" * 71, "ucs2", 2),
            ("अ" * 670, "ucs2", 10),
        ],
        ids=lambda value: str(value)[:4],
    )
    def test_encoding_and_segments_are_counted(
        self, line: Line, text: str, encoding: str, segments: int
    ) -> None:
        """GSM 03.38: 160 or 153 a segment, some characters twice; UCS-2: 70 or 67."""
        body = line.collector.one(line.producer.send([ONE], text)).body
        assert (encoding, segments) == (body["encoding"], body["segments"])
        assert segments == line.gateway.state()["sent"]["segments"]

    @pytest.mark.parametrize("text", ["a" * 1531, "अ" * 671, ""], ids=["gsm7", "ucs2", "empty"])
    def test_an_empty_or_too_long_text_is_rejected(self, line: Line, text: str) -> None:
        """The limit is 10 segments."""
        result = line.collector.one(line.producer.send([ONE], text))
        assert ("send.rejected", ["text"]) == (result.key, result.body["errors"][0]["loc"])
        assert 0 == line.gateway.calls("sendSMS")


class TestUnicode:
    """``unicode``: detected, or said."""

    @pytest.mark.parametrize(
        ("text", "given", "code"),
        [("plain", None, "0"), ("हिन्दी", None, "2"), ("plain", True, "2"), ("plain", False, "0")],
    )
    def test_the_gateway_is_told(self, line: Line, text: str, given: bool | None, code: str) -> None:  # noqa: FBT001 - a row
        """2 for Unicode, 0 otherwise."""
        fields = {} if given is None else {"unicode": given}
        result = line.collector.one(line.producer.send([ONE], text, **fields))
        assert "send.accepted" == result.key
        assert [code] == [call["uniCode"] for call in line.gateway.recent("sendSMS")]
        assert ("ucs2" if code == "2" else "gsm7") == result.body["encoding"]

    def test_false_with_a_text_that_needs_unicode_is_rejected(self, line: Line) -> None:
        """It would arrive as question marks."""
        result = line.collector.one(line.producer.send([ONE], "हिन्दी", unicode=False))
        assert "send.rejected" == result.key
        assert "unicode" in result.body["errors"][0]["loc"]


class TestRecipients:
    """``recipients`` in the spellings of producers."""

    def test_every_usual_spelling_is_the_same_number_once(self, line: Line) -> None:
        """Repeats are collapsed, in the result as at the gateway, which gets the country code."""
        job = line.producer.send(list(SPELLINGS), "spelt")
        result = line.collector.one(job)
        assert [ONE] == [entry["recipient"] for entry in result.body["recipients"]]
        assert {"accepted": 1} == result.body["counts"]
        assert [ONE] == [call["to"] for call in line.gateway.recent("sendSMS")]

    def test_an_invalid_number_is_invalid_for_itself(self, line: Line) -> None:
        """It keeps the producer's spelling, says why, and the others are sent."""
        result = line.collector.one(line.producer.send([*INVALID, ONE], "invalid beside valid"))
        assert {ONE: "accepted", **dict.fromkeys(INVALID, "invalid")} == result.outcomes
        assert ("send.partial", "partial") == (result.key, result.body["status"])
        assert {"accepted": 1, "invalid": len(INVALID)} == result.body["counts"]
        for entry in result.body["recipients"]:
            if entry["outcome"] == "invalid":
                assert entry["error"]["code"]
                assert entry["error"]["detail"]
        assert [ONE] == [call["to"] for call in line.gateway.recent("sendSMS")]

    def test_nothing_but_invalid_numbers_is_failed(self, line: Line) -> None:
        """None is accepted; the gateway is not called."""
        result = line.collector.one(line.producer.send(["12"], "all invalid"))
        assert ("send.failed", {"invalid": 1}) == (result.key, result.body["counts"])
        assert 0 == line.gateway.calls("sendSMS")

    def test_nothing_in_a_number_gets_into_the_query(self, line: Line) -> None:
        """A comma, an ampersand or a line break makes a number invalid, never two numbers or a parameter."""
        hostile = [
            "9876543210,9876543211",
            "9876543210&sender=EVIL",
            "9876543210\n9876543211",
            "9876543210\r\nX-Evil: 1",
            "9876543210%2C9876543211",
            "9876543210;9876543211",
            "9876543210#9876543211",
            "9876543210\x00",
            "9876543210 9876543211",
            "9876543210\u066c9876543211",
        ]
        result = line.collector.one(line.producer.send([*hostile, "9812345678"], "hostile"))
        assert {"accepted": 1, "invalid": len(hostile)} == result.body["counts"]
        (call,) = line.gateway.recent("sendSMS")
        assert ("919812345678", None) == (call["to"], call.get("sender"))
        assert 0 == line.gateway.state()["repeated_parameters"]
        (dnd,) = line.gateway.recent("check_DNDnumber")
        assert "9812345678" == dnd["phoneNumbers"][-10:]
        assert "," not in dnd["phoneNumbers"]


class TestSenderAndParams:
    """``sender`` and ``params`` reach the gateway as they are."""

    def test_the_sender_is_passed_on(self, line: Line) -> None:
        """And is absent where the job had none."""
        line.collector.one(line.producer.send([ONE], "with", sender="MY SHOP & CO"))
        line.collector.one(line.producer.send([ONE], "without"))
        assert ["MY SHOP & CO", None] == [call.get("sender") for call in line.gateway.recent("sendSMS")]

    @pytest.mark.parametrize("sender", ["", "x" * 21])
    def test_a_sender_of_a_wrong_length_is_rejected(self, line: Line, sender: str) -> None:
        """1 to 20 characters."""
        result = line.collector.one(line.producer.send([ONE], "x", sender=sender))
        assert ("send.rejected", ["sender"]) == (result.key, result.body["errors"][0]["loc"])

    def test_allowed_params_are_passed_on(self, line: Line) -> None:
        """As they are."""
        params = {"template_id": "1007 & 1008", "entity_id": "a=b,c"}
        line.collector.one(line.producer.send([ONE], "params", params=params))
        (send,) = line.gateway.sends("params")
        assert params == send["params"]

    @pytest.mark.parametrize("name", ["to", "message", "username", "cmd", "other"])
    def test_a_name_that_is_not_allowed_is_rejected(self, line: Line, name: str) -> None:
        """ITON_ALLOWED_PARAMS decides; nothing can shadow a parameter of ours."""
        result = line.collector.one(line.producer.send([ONE], "params", params={name: "x"}))
        assert ("send.rejected", ["params", name]) == (result.key, result.body["errors"][0]["loc"])
        assert 0 == line.gateway.calls("sendSMS")
