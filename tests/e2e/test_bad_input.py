"""Whatever is published as a job: a rejected result that names field and remedy, and a dead letter."""

import json
from typing import Any

import pika
import pytest

from tests.support.line import Line
from tests.support.results_side import Letter, Result, new_job_id

ONE = "919876543210"
GOOD: dict[str, Any] = {"recipients": [ONE], "text": "Hello"}
DEEP = 20_000

BODIES: dict[str, tuple[bytes, list[object]]] = {
    "nothing": (b"", []),
    "not JSON": (b"{recipients: 1}", []),
    "cut off": (b'{"job_id": "x", "recipients": ["98', []),
    "two values": (b"{} {}", []),
    "an array": (b"[]", []),
    "a string": (b'"send it"', []),
    "null": (b"null", []),
    "not UTF-8": (b'{"text": "\xff\xfe"}', []),
    "UTF-16": ('{"text": "x"}'.encode("utf-16"), []),
    "NaN": (b'{"recipients": ["9876543210"], "text": "x", "metadata": {"a": NaN}}', []),
    "Infinity": (b'{"recipients": ["9876543210"], "text": "x", "metadata": {"a": -Infinity}}', []),
    "a number without end": (b'{"text": ' + b"9" * 100_000 + b"}", []),
    "deep arrays": (b"[" * DEEP + b"]" * DEEP, []),
    "deep metadata": (b'{"metadata": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}", []),
    "a key twice": (b'{"recipients": ["9876543210"], "text": "x", "text": "y"}', []),
    "a lone surrogate": (b'{"recipients": ["9876543210"], "text": "\\ud800"}', ["text"]),
}
FIELDS: list[tuple[dict[str, object], list[object]]] = [
    ({"recipients": None}, ["recipients"]),
    ({"recipients": []}, ["recipients"]),
    ({"recipients": ONE}, ["recipients"]),
    ({"recipients": [919876543210]}, ["recipients", 0]),
    ({"recipients": [ONE, None]}, ["recipients", 1]),
    ({"recipients": [[ONE]]}, ["recipients", 0]),
    ({"recipients": ["1"] * 100_001}, ["recipients"]),
    ({"recipents": [ONE]}, ["recipents"]),
    ({"text": None}, ["text"]),
    ({"text": 4711}, ["text"]),
    ({"sender": 5}, ["sender"]),
    ({"unicode": 1}, ["unicode"]),
    ({"unicode": "true"}, ["unicode"]),
    ({"category": "marketing"}, ["category"]),
    ({"category": 1}, ["category"]),
    ({"dnd": True}, ["dnd"]),
    ({"on_uncertain": "retry"}, ["on_uncertain"]),
    ({"track": 0}, ["track"]),
    ({"params": {"template_id": 1007}}, ["params", "template_id"]),
    ({"params": []}, ["params"]),
    ({"metadata": []}, ["metadata"]),
    ({"metadata": {"big": "x" * 4096}}, ["metadata"]),
    ({"job_id": ""}, ["job_id"]),
    ({"job_id": "a" * 129}, ["job_id"]),
    ({"job_id": "a b"}, ["job_id"]),
    ({"job_id": "a/b"}, ["job_id"]),
    ({"job_id": "bücher"}, ["job_id"]),
    ({"job_id": 7}, ["job_id"]),
    ({"job_id": "line\n"}, ["job_id"]),
]


def refused(
    line: Line,
    body: bytes,
    key: str = "send",
    **properties: Any,  # noqa: ANN401 - as pika has them
) -> tuple[Result, Letter]:
    """Publish *body* and return its result and its dead letter, which is exactly one each."""
    mark = new_job_id()
    line.producer.publish(body, key, correlation_id=mark, **properties)
    (result,) = line.collector.wait_for(
        lambda one: one.properties.correlation_id == mark, f"of {body[:60]!r}"
    )
    letter = line.queues.wait_dead(lambda found, _body: found.correlation_id == mark)
    return result, letter


def lives_on(line: Line) -> None:
    """Assert that the next job is served."""
    assert "send.accepted" == line.collector.one(line.producer.send([ONE], "the next")).key


class TestBodies:
    """Bodies that are no job at all."""

    @pytest.mark.parametrize("name", BODIES)
    def test_each_is_rejected_and_kept(self, line: Line, name: str) -> None:
        """The dead letter holds the body byte for byte; the consumer lives on."""
        body, loc = BODIES[name]
        result, letter = refused(line, body)
        assert ("send.rejected", "rejected", []) == (
            result.key,
            result.body["status"],
            result.body["recipients"],
        )
        assert not loc or loc == result.body["errors"][0]["loc"]
        assert {"loc", "msg", "type"} == set(result.body["errors"][0])
        assert result.body["errors"][0]["msg"]
        assert body == letter[2]
        assert 0 == line.gateway.calls("sendSMS")
        lives_on(line)

    @pytest.mark.parametrize("key", ["send", "send.urgent", "status", "account"])
    def test_over_8_mib_is_rejected_and_kept(self, line: Line, key: str) -> None:
        """Whatever is in it."""
        body = json.dumps({**GOOD, "job_id": "too-big", "metadata": {"x": "y" * (8 << 20)}}).encode()
        result, letter = refused(line, body, key)
        assert "rejected" == result.body["status"]
        assert "8" in result.body["errors"][0]["msg"]
        assert body == letter[2]

    def test_a_key_twice_is_named(self, line: Line) -> None:
        """Which of the two was meant cannot be known."""
        result, _ = refused(line, b'{"recipients": ["9876543210"], "text": "x", "text": "y"}')
        assert "`text`" in result.body["errors"][0]["msg"]


class TestFields:
    """JSON objects that are no job."""

    @pytest.mark.parametrize(("change", "loc"), FIELDS, ids=lambda value: str(value)[:40])
    def test_the_error_names_the_field(
        self, line: Line, change: dict[str, object], loc: list[object]
    ) -> None:
        """Types are strict, unknown fields refused; the letter says so too."""
        result, letter = refused(line, json.dumps({**GOOD, "job_id": new_job_id(), **change}).encode())
        assert "send.rejected" == result.key
        assert loc in [error["loc"] for error in result.body["errors"]]
        assert letter[1].headers["x-iton-reason"]
        assert 0 == line.gateway.calls("sendSMS")

    @pytest.mark.parametrize("missing", ["recipients", "text"])
    def test_a_missing_field_is_named(self, line: Line, missing: str) -> None:
        """By name."""
        job = {name: value for name, value in GOOD.items() if name != missing} | {"job_id": new_job_id()}
        result, _ = refused(line, json.dumps(job).encode())
        assert [missing] == result.body["errors"][0]["loc"]
        assert job["job_id"] == result.job_id

    def test_no_value_of_the_job_is_quoted(self, line: Line) -> None:
        """Neither number nor text gets into the errors, the headers or the log."""
        job = {"job_id": new_job_id(), "recipients": [{"n": "9123454321"}], "text": ["my secret words"]}
        result, letter = refused(line, json.dumps(job).encode())
        shown = result.raw.decode() + str(letter[1].headers) + line.worker.output()
        assert "9123454321" not in shown
        assert "my secret words" not in shown


class TestIds:
    """Jobs without a usable identity."""

    def test_no_id_at_all_is_rejected_with_a_null_job_id(self, line: Line) -> None:
        """The message_id of the result is rejected/HASH, the same on every repeat."""
        body = json.dumps(GOOD).encode()
        results = [refused(line, body)[0] for _ in range(2)]
        assert [None, None] == [result.job_id for result in results]
        first, second = (str(result.properties.message_id) for result in results)
        assert first == second
        assert first.startswith("rejected/")

    def test_a_rejection_of_a_named_job_carries_its_name(self, line: Line) -> None:
        """The message_id is JOB_ID/rejected/HASH."""
        job_id = new_job_id()
        result, _ = refused(line, json.dumps({**GOOD, "job_id": job_id, "text": ""}).encode())
        assert job_id == result.job_id
        assert result.properties.message_id.startswith(f"{job_id}/rejected/")

    @pytest.mark.parametrize("message_id", ["with space", "a" * 200, "é"])
    def test_a_message_id_that_cannot_be_a_job_id_is_rejected(self, line: Line, message_id: str) -> None:
        """Where it would have to stand in."""
        result, letter = refused(line, json.dumps(GOOD).encode(), message_id=message_id)
        assert "send.rejected" == result.key
        assert message_id == letter[1].message_id


class TestOtherKinds:
    """Status and account jobs are read as strictly."""

    @pytest.mark.parametrize(
        ("key", "job", "loc"),
        [
            ("status", {}, ["message_ids"]),
            ("status", {"message_ids": []}, ["message_ids"]),
            ("status", {"message_ids": "x"}, ["message_ids"]),
            ("status", {"message_ids": [1]}, ["message_ids", 0]),
            ("status", {"message_ids": ["a"] * 10_001}, ["message_ids"]),
            ("status", {"message_ids": ["a"], "text": "x"}, ["text"]),
            ("account", {"recipients": []}, ["recipients"]),
            ("account", {"metadata": 1}, ["metadata"]),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_the_error_names_the_field(
        self, line: Line, key: str, job: dict[str, object], loc: list[object]
    ) -> None:
        """On the exchange of its kind."""
        body = json.dumps({"job_id": new_job_id(), **job}).encode()
        result, letter = refused(line, body, key)
        expected = {"status": "delivery.rejected", "account": "account.rejected"}[key]
        assert (expected, f"results.{expected.split('.')[0]}") == (result.key, result.exchange)
        assert loc in [error["loc"] for error in result.body["errors"]]
        assert (key, body) == (letter[0], letter[2])


class TestOddProperties:
    """AMQP properties that nobody should send."""

    @pytest.mark.parametrize(
        "properties",
        [
            {"content_type": "text/plain"},
            {"content_type": "application/xml; charset=latin-1"},
            {"headers": {"traceparent": "nonsense"}},
            {"headers": {"traceparent": 5}},
            {"headers": {"x-iton-attempts": "many", "x-death": "none", "x-delivery-count": -1}},
            {"headers": {"a": {"b": [1, None, {"c": b"\xff"}]}, "": "empty", "big": "x" * 10_000}},
            {"priority": 9, "type": "other", "app_id": "shop", "expiration": "600000"},
            {"timestamp": 2**63 - 1},
            {"timestamp": 0},
            {"reply_to": "no queue / of this name"},
            {"delivery_mode": 1},
        ],
        ids=str,
    )
    def test_a_good_job_is_served_all_the_same(self, line: Line, properties: dict[str, Any]) -> None:
        """They are not the job."""
        job_id = new_job_id()
        line.producer.publish({**GOOD, "job_id": job_id}, **properties)
        assert "send.accepted" == line.collector.one(job_id).key

    def test_a_packed_body_is_rejected(self, line: Line) -> None:
        """The error says what to do about content_encoding."""
        result, letter = refused(line, b"\x1f\x8b\x08\x00packed", content_encoding="gzip")
        assert "send.rejected" == result.key
        assert "gzip" == letter[1].content_encoding


class TestDeadLetters:
    """What ``<prefix>.dead`` keeps."""

    def test_body_and_properties_are_untouched_and_headers_say_why(self, line: Line) -> None:
        """Also the headers that the job came with; the routing key is the job's."""
        given = {
            "content_type": "text/weird",
            "message_id": "keep me",
            "correlation_id": new_job_id(),
            "reply_to": "nobody.home",
            "headers": {"mine": "kept", "number": 7, "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},
            "type": "a type",
            "app_id": "shop",
            "timestamp": 1_700_000_000,
            "priority": 4,
        }
        body = b"\x00 not a job \xff"
        line.producer.publish(body, "send.urgent", **given)
        key, properties, kept = line.queues.wait_dead(
            lambda found, _body: found.correlation_id == given["correlation_id"]
        )
        assert ("send.urgent", body) == (key, kept)
        headers = dict(properties.headers)
        ours = {name: headers.pop(name) for name in list(headers) if name.startswith("x-iton-")}
        headers.pop(
            "x-delivery-count", None
        )  # some versions of the broker add it to what a quorum queue gives
        assert given["headers"] == headers
        assert {
            "x-iton-reason",
            "x-iton-detail",
            "x-iton-attempts",
            "x-iton-queue",
            "x-iton-time",
        } <= set(ours)
        assert f"{line.producer.prefix}.send.urgent" == ours["x-iton-queue"]
        same = {name: getattr(properties, name) for name in given if name != "headers"}
        assert {name: value for name, value in given.items() if name != "headers"} == same
        assert pika.DeliveryMode.Persistent.value == properties.delivery_mode
