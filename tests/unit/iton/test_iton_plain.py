"""Replies that are read at a glance: what is found there is what care would find."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.recipients import NumberingPlan
from worker.iton.bodies import decoded
from worker.iton.plain import plain_dnd, plain_ids, plain_status
from worker.iton.readings import Reading, read_dnd, read_status
from worker.iton.sent import read_send
from worker.ports import MessageReport, RecipientStatus

NUMBERS = ["919876543210", "919032728149", "919812345678"]
IDS = ["532073f7e4b05199d2c3d812", "532073f7e4b05199d2c3d813", "532073f7e4b05199d2c3d814"]


def pairs(keys: list[str], values: list[str]) -> str:
    """Write an object."""
    return "{" + ", ".join(f"{key}: {value}" for key, value in zip(keys, values, strict=False)) + "}"


QUOTED = st.sampled_from([json.dumps(one) for one in (*NUMBERS, *IDS)])
ODD = st.sampled_from(
    ['"+91 98765 43210"', "919876543210", '"a:b"', '"\\u0039"', '"ERR-102"', '"null"', "null", "[]", "{}"]
)
MAPS = st.builds(
    pairs,
    st.lists(QUOTED | ODD, max_size=4),
    st.lists(QUOTED | ODD | st.sampled_from(["true", "1", "0.0"]), max_size=4),
)
REPLIES = st.one_of(
    MAPS,
    MAPS.map('{{"message_id":{}}}'.format),
    MAPS.map('{{"message_id": {}, "error": "x"}}'.format),
    st.tuples(MAPS, MAPS).map(lambda two: f'{{"message_id":{two[0]},"message_id":{two[1]}}}'),
    st.tuples(MAPS, MAPS).map(lambda two: f'{{"message_id":{two[0]},"message_id" :{two[1]}}}'),
).map(str.encode) | st.binary(max_size=40)
SENTENCES = st.text("aA0 1", max_size=20).map(lambda name: f"Success Your MessageId is 53207{name}".encode())
ASKED = st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3)


class TestIds:
    """Of a sendSMS."""

    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_an_id_to_each_number_is_read(self, count: int) -> None:
        """As the document has it, in any order and with any spaces."""
        ids = dict(zip(IDS[:count], NUMBERS[:count], strict=True))
        wanted = {number: (one,) for one, number in ids.items()}
        for indent in (None, 2):
            body = json.dumps({"message_id": ids}, indent=indent).replace('{\n  "m', '{"m').encode()
            assert wanted == plain_ids(body, NUMBERS[:count][::-1])

    def test_one_sentence_names_an_id_for_all(self) -> None:
        """The document's example."""
        wanted = dict.fromkeys(NUMBERS, (IDS[0],))
        assert wanted == plain_ids(f"Success Your MessageId is {IDS[0]}".encode(), NUMBERS)

    @pytest.mark.parametrize(
        "body",
        [
            b'{"message_id":{"%b":"%b"}}' % (IDS[0].encode(), NUMBERS[1].encode()),
            b'{"message_id":{"%b":["%b"]}}' % (IDS[0].encode(), NUMBERS[0].encode()),
            b'{"message_id":{"short":"%b"}}' % NUMBERS[0].encode(),
            b'{"message_id":{"averylongword%b":"%b"}}' % (b"a" * 16, NUMBERS[0].encode()),
            b'{"message_id":{"%b":"%b"},"status":"ok"}' % (IDS[0].encode(), NUMBERS[0].encode()),
            b'{"message_id":{"%b":"%b"}' % (IDS[0].encode(), NUMBERS[0].encode()),
            b'{"message_id":["%b"],"a":1}' % IDS[0].encode(),
            b'{"message_id":{"%b":"%b"}}' % (b"1" * 201, NUMBERS[0].encode()),
            b'{"message_id":' + b"[" * 100_000 + b":",
            b"Success Your MessageId is 5320",
            b"Success Your MessageId is abcdefabcdefabcdefabcdef",
            b"Success Your MessageId is 000000000000000000000000",
            b"success, message id: 532073f7e4b05199d2c3d812",
            b"",
        ],
    )
    def test_anything_else_is_left_to_care(self, body: bytes) -> None:
        """Strangers, lists, words, other members, what is cut."""
        assert plain_ids(body, NUMBERS[:1]) is None

    @given(REPLIES | SENTENCES, ASKED)
    def test_care_would_find_the_same(self, content: bytes, asked: list[str]) -> None:
        """Whatever the reply."""
        found = plain_ids(content, asked)
        assert found is None or Reading(found) == read_send(decoded(content), asked)


class TestDnd:
    """Of a check_DNDnumber."""

    @pytest.mark.parametrize(("yes", "no"), [("true", "false"), ('"true"', '"false"')])
    def test_an_answer_about_each_number_is_read(self, yes: str, no: str) -> None:
        """Words are flags as well."""
        body = f'{{"{NUMBERS[0]}": {yes}, "{NUMBERS[1]}": {no}}}'.encode()
        assert {NUMBERS[1]: False, NUMBERS[0]: True} == plain_dnd(body, NUMBERS[1::-1])

    @pytest.mark.parametrize(
        "body",
        [
            b'{"9876543210":true}',
            b'{"919876543210":null}',
            b'{"919876543210":"yes"}',
            b'{"919876543210":1}',
            b'{"919876543210":true,"919032728149":true}',
            b'{"919876543210":true,"919876543210":false}',
            b'{"919876543210":true',
            b"[]",
            b"",
        ],
    )
    def test_anything_else_is_left_to_care(self, body: bytes) -> None:
        """National numbers, other flags, strangers, repetitions."""
        assert plain_dnd(body, NUMBERS[:1]) is None

    @given(REPLIES, ASKED)
    def test_care_would_find_the_same(self, content: bytes, asked: list[str]) -> None:
        """Whatever the reply."""
        found = plain_dnd(content, asked)
        assert found is None or Reading(found) == read_dnd(decoded(content), asked)


INDIA = NumberingPlan("IN", frozenset({"IN"}))
DETAILS: dict[str, Any] = {
    "phoneNumberWithRespectiveStatus": {NUMBERS[0]: "DELIVIRED", "9032728149": "NCPR"},
    "message": 'Code: "4711" \u0926',
    "sender_Id": "ITONXX",
    "user_Id": "me",
    "sending_Date": "Mar 12, 2013 8:13:39 PM",
}
ODDITIES = st.sampled_from(
    [
        {},
        {"message": 5},
        {"message": None},
        {"sending_Date": "x" * 99},
        {"sending_Date": "yesterday"},
        {"senderId": "OTHER"},
        {"sender-id": "OTHER"},
        {"phoneNumberWithRespectiveStatus": {}},
        {"phoneNumberWithRespectiveStatus": {NUMBERS[0]: None}},
        {"phoneNumberWithRespectiveStatus": {NUMBERS[0]: "SENT", NUMBERS[0][2:]: "FAILED"}},
        {"phoneNumberWithRespectiveStatus": {"+" + NUMBERS[0]: "SENT", "DM-X": "what is that"}},
        {"phoneNumberWithRespectiveStatus": [NUMBERS[0]]},
    ]
)
LEFT_OUT = st.sets(st.sampled_from(sorted(DETAILS)), max_size=2)
REPORTS = st.builds(
    lambda odd, without: {name: value for name, value in {**DETAILS, **odd}.items() if name not in without},
    ODDITIES,
    LEFT_OUT,
)


def twice(body: str) -> str:
    """Have a status repeat its number, with a space before the colon."""
    return body.replace(f'"{NUMBERS[0]}":', f'"{NUMBERS[0]}" : "FAILED", "{NUMBERS[0]}":', 1)


def again(body: str) -> str:
    """Have an object repeat a key."""
    return body.replace('"message":', '"message": "first", "message":', 1)


STATUS_BODIES = st.builds(
    lambda reports, change: change(json.dumps(reports)).encode(),
    st.dictionaries(st.sampled_from([*IDS, "stranger"]), REPORTS | st.just(DETAILS), max_size=4),
    st.sampled_from([str, twice, again, str.upper, lambda body: body[:-1]]),
)


def told(content: bytes, asked: list[str]) -> dict[str, MessageReport] | None:
    """Read *content* at a glance."""
    return plain_status(content, asked, UTC, INDIA)


class TestStatus:
    """Of a message_status."""

    def test_a_report_on_each_known_id_is_read(self) -> None:
        """Others are left out, as in the reply."""
        body = json.dumps({IDS[1]: DETAILS}).encode()
        report = MessageReport(
            "ITONXX",
            datetime(2013, 3, 12, 20, 13, 39, tzinfo=UTC),
            'Code: "4711" \u0926',
            (
                RecipientStatus(NUMBERS[0], "delivered", "DELIVIRED"),
                RecipientStatus(NUMBERS[1], "dnd", "NCPR"),
            ),
        )
        assert {IDS[1]: report} == told(body, IDS)

    @pytest.mark.parametrize(
        "body",
        [
            json.dumps({"stranger12345678": DETAILS}).encode(),
            json.dumps({IDS[0]: DETAILS | {"more": 1}}).encode(),
            json.dumps({IDS[0]: {"message": "x"}}).encode(),
            again(json.dumps({IDS[0]: DETAILS})).encode(),
            twice(json.dumps({IDS[0]: DETAILS})).encode(),
            b'{"status":"error"}',
            b"{}",
            b"",
        ],
    )
    def test_anything_else_is_left_to_care(self, body: bytes) -> None:
        """Strangers, other members, repetitions, errors."""
        assert told(body, IDS) is None

    @given(STATUS_BODIES, st.lists(st.sampled_from(IDS), min_size=1, unique=True))
    def test_care_would_find_the_same(self, content: bytes, asked: list[str]) -> None:
        """Whatever the reply."""
        found = told(content, asked)
        assert found is None or Reading(found) == read_status(decoded(content), asked, UTC, INDIA)
