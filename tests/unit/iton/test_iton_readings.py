"""Successful replies in every form that the document shows or leaves open."""

import json
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.recipients import NumberingPlan
from worker.iton.bodies import decoded
from worker.iton.readings import Reading, read_account, read_dnd, read_status
from worker.iton.sent import read_send
from worker.ports import RecipientStatus

SAMPLES = Path(__file__).parents[2] / "samples" / "iton"
INDIA = ZoneInfo("Asia/Kolkata")
PLAN = NumberingPlan("IN", frozenset({"IN"}))
ANIL, BINA, CHRIS = "919876543210", "919032728149", "919000000001"
FIRST, SECOND = "532073f7e4b05199d2c3d812", "532073f7e4b05199d2c3d813"
HELLO = "5320729be4b05199d2c3d80f"
LARGE = "12345678901234567890123"
ODD = {ANIL: ("aGVsbG8=",), BINA: ("b/c+1:2",)}


def sample(command: str, name: str) -> bytes:
    """Return a reply of the gateway."""
    return (SAMPLES / command / name).read_bytes()


SENDS = {
    "text.txt": Reading({ANIL: (FIRST,), BINA: (FIRST,)}),
    "text-line-break.txt": Reading({ANIL: (FIRST,), BINA: (FIRST,)}),
    "text-as-json-string.json": Reading({ANIL: (FIRST,), BINA: (FIRST,)}),
    "one-id.json": Reading({ANIL: (FIRST,), BINA: (FIRST,)}),
    "map.json": Reading({ANIL: (FIRST,), BINA: (SECOND,)}),
    "map-short-numbers.json": Reading({ANIL: (FIRST,), BINA: (SECOND,)}),
    "bare-map.json": Reading({ANIL: (FIRST,), BINA: (SECOND,)}),
    "bare-map-of-numbers.json": Reading({ANIL: ("8624389",), BINA: ("8624390",)}),
    "list.json": Reading({ANIL: (FIRST,), BINA: (FIRST,)}),
    "bare-list.json": Reading({ANIL: (FIRST,), BINA: (FIRST,)}),
    "joined.json": Reading({ANIL: (FIRST,), BINA: (FIRST,)}),
    "bare-joined.json": Reading({ANIL: (FIRST,), BINA: (FIRST,)}),
    "one-missing.json": Reading({ANIL: (FIRST,)}),
    "strangers.json": Reading({ANIL: (FIRST,), BINA: (FIRST,)}, unasked=1),
    "two-ids.json": Reading({ANIL: (FIRST, "532073f7e4b05199d2c3d815"), BINA: (FIRST,)}),
    "java-doubles.json": Reading({ANIL: ("N1",), BINA: ("N2",)}),
    "repeated-key.json": Reading({ANIL: (FIRST,), BINA: (FIRST,)}),
    "odd-ids.json": Reading({ANIL: ("aGVsbG8=",), BINA: ("{6F9619FF-8B86-D011-B42D-00CF4FC964FF}",)}),
    "single-quotes.txt": Reading({ANIL: (FIRST,), BINA: (FIRST,)}),
    "map-beside-error.json": Reading({ANIL: (FIRST,)}),
}
ACCOUNTS = {
    "text.txt": "417",
    "json.json": "417",
    "json-string.json": "1234.50",
    "fraction.txt": "416.75",
    "thousands.txt": "1234567",
    "lakh.txt": "1234567.5",
    "zero.txt": "0",
    "overdrawn.json": "-3",
}
LISTED = {
    "document.json": Reading({BINA: True}),
    "spellings.json": Reading({ANIL: False, BINA: True, CHRIS: False}),
    "other-words.json": Reading({CHRIS: True}),
    "both-answers.json": Reading({ANIL: True}, unasked=1),
    "contradictions.json": Reading({ANIL: True}, unasked=2),
}


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("sendSMS", set(SENDS)),
        ("account", set(ACCOUNTS)),
        ("check_DNDnumber", set(LISTED)),
        ("message_status", {"document.json", "narrow-space.json", "nothing-known.json"}),
    ],
)
def test_no_sample_is_left_out(command: str, names: set[str]) -> None:
    """Each file of a command has what it must be read as."""
    assert {path.name for path in (SAMPLES / command).iterdir()} == names


class TestReadSend:
    """Message ids by recipient."""

    @pytest.mark.parametrize("name", SENDS)
    def test_the_right_id_goes_to_the_right_recipient(self, name: str) -> None:
        """In every form."""
        assert read_send(decoded(sample("sendSMS", name)), [ANIL, BINA]) == SENDS[name]

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"Success",
            b"Success Your MessageId is null",
            b"Failure Your MessageId is 532073f7e4b05199d2c3d812",
            b"<p>The manual: Success, your message id is shown here</p>",
            b'{"message_id": null}',
            b'{"message_id": true}',
            b'{"message_id": []}',
            b'{"message_id": "see, 17"}',
            b'{"error": "Invalid mobile numbers", "number": "919876543210"}',
            b'{"code": 402, "mobile": "919876543210"}',
            b"{}",
            b"[]",
            b"417",
            b"null",
        ],
    )
    def test_what_names_no_id_is_no_such_reply(self, body: bytes) -> None:
        """An error that quotes a number is not a message id for it."""
        assert read_send(decoded(body), [ANIL, BINA]) is None

    @pytest.mark.parametrize(
        ("body", "ids"),
        [
            ('{"message_id": {"N1": 9.1987654321E11}}', {ANIL: ("N1",)}),
            (
                '{"message_id": {"N1": 919876543210.0, "N2": [9.03272814900E+9]}}',
                {ANIL: ("N1",), BINA: ("N2",)},
            ),
            ('{"message_id": {"N1": "9.1987654321E11,919032728149.0"}}', {ANIL: ("N1",), BINA: ("N1",)}),
            ('{"message_id": 8.624389E6}', {ANIL: ("8624389",), BINA: ("8624389",)}),
            ('{"message_id": 12345678901234567890123}', {ANIL: (LARGE,), BINA: (LARGE,)}),
            ('{"message_id": 1.2345678901234567890123E22}', {ANIL: (LARGE,), BINA: (LARGE,)}),
            ('{"8.624389E6": "919876543210"}', {ANIL: ("8624389",)}),
            ('{"message_id": {"N1": "919876543210", "N1": "919032728149"}}', {ANIL: ("N1",), BINA: ("N1",)}),
            ('{"N1": "919876543210", "N1": "919032728149"}', {ANIL: ("N1",), BINA: ("N1",)}),
            (
                '{"message_id": {"N1": "919876543210"}, "message_id": {"N2": "9876543210"}}',
                {ANIL: ("N1", "N2")},
            ),
            ('{"message_id": "N1", "message_id": "N2"}', {ANIL: ("N1", "N2"), BINA: ("N1", "N2")}),
            ('{"message_id": "0", "message_id": "N2"}', {ANIL: ("N2",), BINA: ("N2",)}),
            ('{"message_id": {"N1": "919876543210", "N2": "+91 98765 43210"}}', {ANIL: ("N1", "N2")}),
            ('{"message_id": {"aGVsbG8=": "919876543210", "b/c+1:2": "919032728149"}}', ODD),
            ('{"aGVsbG8=": "919876543210", "b/c+1:2": "919032728149"}', ODD),
            ('{"message_id": "{6F9619FF-8B86}"}', {ANIL: ("{6F9619FF-8B86}",), BINA: ("{6F9619FF-8B86}",)}),
            ("Success Your MessageId is aGVsbG8=.", {ANIL: ("aGVsbG8=",), BINA: ("aGVsbG8=",)}),
            ('Success Your MessageId is "a/b+1"', {ANIL: ("a/b+1",), BINA: ("a/b+1",)}),
            ('{"message_id": {"N1": "919876543210", "n": NaN}, "cost": Infinity}', {ANIL: ("N1",)}),
            ("{'message_id': {'N1': '919876543210',}}", {ANIL: ("N1",)}),
        ],
    )
    def test_ids_and_numbers_are_read_however_they_are_printed(
        self, body: str, ids: dict[str, tuple[str, ...]]
    ) -> None:
        """Repeated keys keep all their values, whole numbers all their digits."""
        reading = read_send(decoded(body.encode()), [ANIL, BINA])
        assert reading is not None
        assert reading.value == ids

    @pytest.mark.parametrize("ids", ['["N1", "N2"]', '["N1", null, "N2", "N1"]'])
    def test_a_list_of_ids_belongs_to_the_only_number_of_the_call(self, ids: str) -> None:
        """Of several, nobody can say whose; they are told all the same."""
        body = decoded(f'{{"message_id": {ids}}}'.encode())
        assert read_send(body, [ANIL]) == Reading({ANIL: ("N1", "N2")})
        assert read_send(body, [ANIL, BINA]) == Reading({}, doubtful=("N1", "N2"))

    @pytest.mark.parametrize(
        "name", ['"0"', '""', '"-1"', "null", '"null"', '"NA"', "0", '"FAILED"', "false"]
    )
    def test_no_id_is_made_of_what_stands_for_none(self, name: str) -> None:
        """As a value for all, and as a key of a number."""
        for recipients in ([ANIL], [ANIL, BINA]):
            assert read_send(decoded(f'{{"status": "x", "message_id": {name}}}'.encode()), recipients) is None
        key = name if name.startswith('"') else f'"{name}"'
        reading = read_send(decoded(f'{{"message_id": {{{key}: "{ANIL}"}}}}'.encode()), [ANIL])
        assert reading == Reading({})

    @pytest.mark.parametrize(
        "said", ['"status": "error"', '"success": false', '"error": "Invalid Sender ID"']
    )
    def test_an_id_for_the_whole_call_is_doubtful_where_the_reply_says_that_it_failed(
        self, said: str
    ) -> None:
        """One that a map gives to a number is not: it was issued for that number's message."""
        body = decoded(f'{{{said}, "message_id": "{FIRST}"}}'.encode())
        assert read_send(body, [ANIL, BINA]) == Reading({}, doubtful=(FIRST,))
        body = decoded(f'{{{said}, "message_id": {{"{FIRST}": "{ANIL}"}}}}'.encode())
        assert read_send(body, [ANIL, BINA]) == Reading({ANIL: (FIRST,)})

    def test_a_map_about_strangers_alone_says_nothing(self) -> None:
        """It is a reply all the same, and its ids are counted."""
        body = decoded(b'{"532073f7e4b05199d2c3d812": "919000000001"}')
        assert read_send(body, [ANIL]) == Reading({}, unasked=1)

    @given(st.dictionaries(st.sampled_from([ANIL, BINA, CHRIS]), st.from_regex(r"\A[0-9a-f]{23}[0-9]\Z")))
    def test_every_id_for_an_asked_number_is_kept(self, ids: dict[str, str]) -> None:
        """None can be asked for again."""
        body = "{" + ",".join(f'"{name}": "{number}"' for number, name in ids.items()) + "}"
        reading = read_send(decoded(f'{{"message_id": {body}}}'.encode()), [ANIL, BINA, CHRIS])
        assert reading is not None
        # The same id for two numbers is one key in a map: its last number is the one that JSON keeps.
        assert reading.value.items() <= {number: (name,) for number, name in ids.items()}.items()
        assert {name for names in reading.value.values() for name in names} == set(ids.values())


class TestReadAccount:
    """The remaining credits."""

    @pytest.mark.parametrize("name", ACCOUNTS)
    def test_credits_are_exact(self, name: str) -> None:
        """No float is in between."""
        reading = read_account(decoded(sample("account", name)))
        assert reading == Reading(Decimal(ACCOUNTS[name]))

    @pytest.mark.parametrize(
        ("body", "credits"),
        [
            (b"Remaining_Credits: 1.0E7", "10000000"),
            (b'{"Remaining_Credits": 4.17E2}', "417"),
            (b'{"Remaining_Credits": 417.0}', "417"),
            (b'{"Remaining_Credits": "1.2345E3"}', "1234.5"),
            (b'{"Remaining_Credits": 7, "Remaining_Credits": 5}', "5"),
            (b'{"Remaining_Credits": 7, "remaining-credits": "many"}', "7"),
            (b'[{"Remaining_Credits": 7}]', "7"),
            (b"Remaining_Credits: 417.", "417"),
            (b"\xef\xbb\xbf\xef\xbb\xbfRemaining_Credits: 417\0", "417"),
        ],
    )
    def test_credits_in_any_notation(self, body: bytes, credits: str) -> None:  # noqa: A002 - what it is called
        """A whole number is printed as one; of two answers the smaller one counts."""
        reading = read_account(decoded(body))
        assert reading is not None
        assert str(reading.value) == credits

    @pytest.mark.parametrize(
        "body",
        [
            b"417",
            b"Remaining_Credits:",
            b"Remaining_Credits: many",
            b"Remaining_Credits: 1.234,50",
            b"Remaining_Credits: 1,2,3",
            b"Remaining_Credits: 12345678901234567890123",
            b'{"Remaining_Credits": true}',
            b'{"status": "error", "Remaining_Credits": 0, "error": "Invalid Username"}',
            b'{"Remaining_Credits": NaN}',
            b'{"Remaining_Credits": 1e999999999}',
            b'{"Remaining_Credits": 1e-999999999}',
            b'{"Remaining_Credits": {"sms": 4}}',
            b'["Remaining_Credits"]',
        ],
    )
    def test_what_names_no_credits_is_no_such_reply(self, body: bytes) -> None:
        """A guess would stop the work, or let it run into a wall."""
        assert read_account(decoded(body)) is None


class TestReadDnd:
    """Who is on the DND list."""

    @pytest.mark.parametrize("name", LISTED)
    def test_only_true_and_false_are_answers(self, name: str) -> None:
        """A number without one is missing; of two answers, *listed* is the safe one."""
        assert read_dnd(decoded(sample("check_DNDnumber", name)), [ANIL, BINA, CHRIS]) == LISTED[name]

    @pytest.mark.parametrize(
        ("body", "listed"),
        [
            ('{"919876543210": false, "9876543210": true}', {ANIL: True}),
            ('{"919876543210": true, "919876543210": false}', {ANIL: True}),
            ('{"919876543210": false, "919876543210": true}', {ANIL: True}),
            ('{"919876543210": false, "9.1987654321E11": "true"}', {ANIL: True}),
            ('{"919876543210": false, "919876543210.0": false}', {ANIL: False}),
            ('{"919876543210": false, "9876543210": null}', {}),
            ('{"919876543210": "maybe", "9876543210": false, "9032728149": false}', {BINA: False}),
            ("{'919876543210': True, '9032728149': False,}", {ANIL: True, BINA: False}),
            ('{"919876543210": false, "919876543210,9032728149": true}', {ANIL: True, BINA: True}),
            ('{"9876543210|9032728149": false}', {ANIL: False, BINA: False}),
            (
                '[{"919876543210": false, "9032728149": false}, {"9876543210": true}]',
                {ANIL: True, BINA: False},
            ),
            ('{"919876543210": false, "(+91) 98765-43210": true}', {ANIL: True}),
        ],
    )
    def test_where_answers_contradict_each_other_the_safe_one_counts(
        self, body: str, listed: dict[str, bool]
    ) -> None:
        """Listed before not listed, unknown before not listed; in whatever spelling and order."""
        reading = read_dnd(decoded(body.encode()), [ANIL, BINA])
        assert reading is not None
        assert reading.value == listed

    @pytest.mark.parametrize("said", ['"status": "error"', '"error": "list not loaded"', '"success": false'])
    def test_a_reply_that_says_that_it_failed_allows_nobody(self, said: str) -> None:
        """Whom it lists is listed all the same."""
        body = decoded(f'{{{said}, "{ANIL}": false, "9032728149": true}}'.encode())
        reading = read_dnd(body, [ANIL, BINA])
        assert reading is not None
        assert reading.value == {BINA: True}
        assert read_dnd(decoded(f'{{"{ANIL}": false, {said}}}'.encode()), [ANIL]) is None

    @pytest.mark.parametrize(
        "body", [b"", b"true", b'{"status": "down"}', b'{"error": true}', b"[]", b"<html>"]
    )
    def test_what_is_about_no_number_is_no_such_reply(self, body: bytes) -> None:
        """Then nobody is verified, and the call failed."""
        assert read_dnd(decoded(body), [ANIL]) is None

    @pytest.mark.parametrize(("body", "unasked"), [(b"{}", 0), (b'{"9000000001": false}', 1)])
    def test_a_reply_about_others_leaves_everybody_unverified(self, body: bytes, unasked: int) -> None:
        """It is a reply all the same."""
        assert read_dnd(decoded(body), [ANIL]) == Reading({}, unasked)


class TestReadStatus:
    """What became of messages."""

    def test_the_document_s_example(self) -> None:
        """As printed, typing error and hidden digits included."""
        reading = read_status(decoded(sample("message_status", "document.json")), [HELLO], INDIA, PLAN)
        assert reading is not None
        report = reading.value[HELLO]
        assert (report.sender, report.text) == ("itonXXXX", "Hello")
        assert report.sent_at is not None
        assert report.sent_at.isoformat() == "2013-03-12T20:13:39+05:30"
        assert report.recipients == (RecipientStatus("91XXXXXXXXXX", "delivered", "DELIVIRED"),)

    def test_a_reply_of_a_newer_java(self) -> None:
        """With a narrow no-break space, and an id that nobody asked about."""
        reading = read_status(
            decoded(sample("message_status", "narrow-space.json")), [HELLO, FIRST], INDIA, PLAN
        )
        assert reading is not None
        assert (set(reading.value), reading.unasked) == ({HELLO}, 1)
        report = reading.value[HELLO]
        assert report.text == "नमस्ते"
        assert report.sent_at is not None
        assert report.recipients == (
            RecipientStatus("919876543210", "delivered", "Delivrd"),
            RecipientStatus("919032728149", "pending", "AWAITED DLR"),
        )

    def test_an_empty_map_knows_none_of_the_ids(self) -> None:
        """All of them are missing."""
        body = decoded(sample("message_status", "nothing-known.json"))
        assert read_status(body, [HELLO], INDIA, PLAN) == Reading({})

    def test_details_may_be_absent_or_odd(self) -> None:
        """What cannot be read is left out, the rest stays."""
        body = decoded(
            f'{{"{HELLO}": {{"message": 5, "sending_Date": 5, '
            f'"phoneNumberWithRespectiveStatus": {{"1": 5}}}},'
            f'"{FIRST}": {{}}, "{SECOND}": null}}'.encode()
        )
        reading = read_status(body, [HELLO, FIRST, SECOND], INDIA, PLAN)
        assert reading is not None
        assert set(reading.value) == {HELLO, FIRST}
        assert (reading.value[HELLO].text, reading.value[HELLO].sent_at) == (None, None)
        assert reading.value[HELLO].recipients == (RecipientStatus("1", "unknown", "5"),)
        assert reading.value[FIRST].recipients == ()

    @pytest.mark.parametrize(
        ("spelling", "recipient"),
        [
            ("9876543210", ANIL),
            ("919876543210", ANIL),
            ("+91 98765 43210", ANIL),
            ("09876543210", ANIL),
            ("+6591234567", "6591234567"),
            ("14155550123", "14155550123"),
            ("12345", "12345"),
            ("91XXXXXXXXXX", "91XXXXXXXXXX"),
        ],
    )
    def test_a_recipient_is_named_as_in_send_results(self, spelling: str, recipient: str) -> None:
        """A national number gets its country code; what is none stays as it is."""
        (found,) = self.recipients({spelling: "DELIVRD"})
        assert RecipientStatus(recipient, "delivered", "DELIVRD") == found

    @pytest.mark.parametrize(
        ("statuses", "status", "raw"),
        [
            ('{"919876543210": "DELIVRD", "9876543210": "DELIVERED"}', "delivered", "DELIVRD / DELIVERED"),
            ('{"919876543210": "DELIVRD", "919876543210": "FAILED"}', "pending", "DELIVRD / FAILED"),
            ('{"919876543210": "DELIVRD", "9.1987654321E11": "SENT"}', "pending", "DELIVRD / SENT"),
            ('{"919876543210": "DELIVRD", "+919876543210": "ODD"}', "pending", "DELIVRD / ODD"),
            ('{"919876543210.0": "DELIVRD", "919876543210": "DELIVRD"}', "delivered", "DELIVRD"),
        ],
    )
    def test_contradicting_statuses_of_one_recipient_are_not_final(
        self, statuses: str, status: str, raw: str
    ) -> None:
        """It stands in the report once, with all of the gateway's words."""
        content = f'{{"{HELLO}": {{"phoneNumberWithRespectiveStatus": {statuses}}}}}'
        reading = read_status(decoded(content.encode()), [HELLO], INDIA, PLAN)
        assert reading is not None
        assert reading.value[HELLO].recipients == (RecipientStatus(ANIL, status, raw),)

    def test_an_id_that_is_named_twice_has_the_recipients_of_both(self) -> None:
        """Also where Java prints it as a floating-point number."""
        content = (
            '{"8624389": {"phoneNumberWithRespectiveStatus": {"919876543210": "DELIVRD"}, "message": "Hi"},'
            ' "8624389": {"phoneNumberWithRespectiveStatus": {"919032728149": "SENT"}},'
            ' "8.624389E6": {"phoneNumberWithRespectiveStatus": {"919876543210": "FAILED"}}}'
        )
        reading = read_status(decoded(content.encode()), ["8624389"], INDIA, PLAN)
        assert reading is not None
        assert (reading.value["8624389"].text, reading.unasked) == ("Hi", 0)
        assert reading.value["8624389"].recipients == (
            RecipientStatus(ANIL, "pending", "DELIVRD / FAILED"),
            RecipientStatus(BINA, "pending", "SENT"),
        )

    @pytest.mark.parametrize(
        "form",
        [
            "[{{{id}: {{{map}: {{{one}}}}}}}]",
            "{{{id}: [{{{map}: {{{one}}}}}]}}",
            "{{{id}: {{{map}: [{{{one}}}]}}}}",
        ],
    )
    def test_a_list_of_maps_is_one(self, form: str) -> None:
        """At any level."""
        names = {
            "id": f'"{HELLO}"',
            "map": '"phoneNumberWithRespectiveStatus"',
            "one": f'"{ANIL}": "DELIVRD"',
        }
        reading = read_status(decoded(form.format(**names).encode()), [HELLO], INDIA, PLAN)
        assert reading is not None
        assert reading.value[HELLO].recipients == (RecipientStatus(ANIL, "delivered", "DELIVRD"),)

    @pytest.mark.parametrize(
        ("word", "raw"), [(None, "null"), (True, "true"), (5, "5"), (1.5, "1.5"), (["x"], '["x"]'), ("", "")]
    )
    def test_what_is_no_word_is_unknown(self, word: object, raw: str) -> None:
        """And is shown as it stands in the reply."""
        (found,) = self.recipients({ANIL: word})
        assert RecipientStatus(ANIL, "unknown", raw) == found

    def test_lists_without_end_in_place_of_a_word_are_survived(self) -> None:
        """As deep as JSON can be read at all, and then some."""
        for depth in range(600, 1_000):
            content = (
                f'{{"{HELLO}":{{"phoneNumberWithRespectiveStatus":{{"1":{"[" * depth}{"]" * depth}}}}}}}'
            )
            reading = read_status(decoded(content.encode()), [HELLO], INDIA, PLAN)
            if reading is None:
                return
            (found,) = reading.value[HELLO].recipients
            assert ("unknown", True) == (found.status, found.raw_status in {"[" * 100, "..."})

    def recipients(self, statuses: dict[str, object]) -> tuple[RecipientStatus, ...]:
        """What is read of the statuses of one message."""
        details = {HELLO: {"phoneNumberWithRespectiveStatus": statuses}}
        reading = read_status(decoded(json.dumps(details).encode()), [HELLO], INDIA, PLAN)
        assert reading is not None
        return reading.value[HELLO].recipients

    @pytest.mark.parametrize("body", [b"", b"[]", b'{"error": "no such id"}', b'{"status": "failed"}'])
    def test_what_is_about_no_message_is_no_such_reply(self, body: bytes) -> None:
        """The call failed."""
        assert read_status(decoded(body), [HELLO], INDIA, PLAN) is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([ANIL, HELLO, "message_id"]),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from([ANIL, HELLO, "message_id"]), inner)
    ),
)


class TestAnyBytes:
    """The gateway may send what it likes."""

    @given(st.binary() | JSON.map(lambda value: repr(value).encode()) | st.from_type(str).map(str.encode))
    def test_any_bytes_are_read_or_refused(self, content: bytes) -> None:
        """Never an exception."""
        self.read(content)

    @given(JSON)
    def test_any_json_is_read_or_refused(self, value: object) -> None:
        """Never an exception, and never an id for a stranger."""
        self.read(json.dumps(value).encode())

    @pytest.mark.parametrize(
        "content",
        [b"[" * 100_000, b"1" * 5_000, b'{"a":' * 50_000, b"\xff\xfe", b'"\\ud800"', b"1e" + b"9" * 400],
        ids=["deep", "long", "deep objects", "utf-16", "half a pair", "huge"],
    )
    def test_absurd_bytes_are_refused(self, content: bytes) -> None:
        """Without running out of stack or time."""
        self.read(content)

    def read(self, content: bytes) -> None:
        """Read *content* as a reply to each command."""
        body = decoded(content)
        sent = read_send(body, [ANIL, BINA])
        assert sent is None or sent.value.keys() <= {ANIL, BINA}
        listed = read_dnd(body, [ANIL, BINA])
        assert listed is None or listed.value.keys() <= {ANIL, BINA}
        reports = read_status(body, [HELLO], INDIA, PLAN)
        assert reports is None or reports.value.keys() <= {HELLO}
        read_account(body)
        assert isinstance(body.words, str)
