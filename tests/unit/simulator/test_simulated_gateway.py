"""The stand-in's four commands, without a socket."""

import json
from collections.abc import Callable

import pytest

from worker.simulator.gateway import SimulatedGateway
from worker.simulator.options import ReplyForm, SimulatorOptions, Spelling
from worker.simulator.wire import Call, Reply

PHONE = "919876543210"
OTHER = "919876543211"


class Watch:
    """A clock that tests turn."""

    def __init__(self, at: float = 1_363_099_419.0) -> None:
        self.at = at

    def __call__(self) -> float:
        """Return seconds since the epoch."""
        return self.at


def _a_gateway(watch: Watch | None = None, **options: object) -> SimulatedGateway:
    return SimulatedGateway(SimulatorOptions.model_validate(options), watch or Watch())


def _ask(gateway: SimulatedGateway, cmd: str, authorization: str | None = None, **params: str) -> Reply:
    credentials = {"username": "demo", "password": "demo"}
    return gateway.answer(Call({"cmd": cmd, **credentials, **params}, authorization))


def _send(gateway: SimulatedGateway, *to: str, **params: str) -> Reply:
    return _ask(gateway, "sendSMS", **{"to": ",".join(to or (PHONE,)), "message": "Hello", **params})


def _said(reply: Reply) -> str:
    return reply.body.decode()


def _ids_of(gateway: SimulatedGateway) -> tuple[str, ...]:
    return next(gateway.log.after(gateway.sent_calls - 1, 1)).ids


class TestCredentials:
    """Who may call."""

    @pytest.mark.parametrize("wrong", [{"password": "x"}, {"username": "x"}, {"password": ""}])
    def test_a_wrong_name_or_password_is_refused_in_words_with_status_200(
        self, wrong: dict[str, str]
    ) -> None:
        """Similar gateways answer so; nothing is carried out."""
        gateway = _a_gateway()

        reply = _send(gateway, **wrong)

        assert (200, "Invalid Username and Password") == (reply.status, _said(reply))
        assert 0 == gateway.sent_calls

    def test_a_configured_token_must_be_in_the_header(self) -> None:
        """The page asks for ``Authorization: ITON <token>``."""
        gateway = _a_gateway(token="t0k")

        without = _ask(gateway, "account")
        wrong = _ask(gateway, "account", authorization="Bearer t0k")
        right = _ask(gateway, "account", authorization="ITON t0k")

        assert ["Invalid Username and Password"] * 2 == [_said(without), _said(wrong)]
        assert "Remaining_Credits: 1000000" == _said(right)

    def test_the_options_do_not_show_password_and_token(self) -> None:
        """A repr ends in logs."""
        shown = repr(SimulatorOptions(password="hush-1", token="hush-2"))

        assert "hush" not in shown


class TestSendReply:
    """The forms of the reply to sendSMS."""

    def test_text_has_one_id_for_the_whole_call(self) -> None:
        """``Success Your MessageId is 532073f7e4b05199d2c3d812``."""
        gateway = _a_gateway(reply_form="text")

        reply = _send(gateway, PHONE, OTHER)

        assert f"Success Your MessageId is {_ids_of(gateway)[0]}" == _said(reply)
        assert 1 == len(set(_ids_of(gateway)))
        assert reply.content_type.startswith("text/")

    @pytest.mark.parametrize(
        ("form", "wrapped", "shape"),
        [
            (ReplyForm.MAP, True, lambda ids: {ids[0]: "9876543210", ids[1]: OTHER, ids[2]: "919876543212"}),
            (
                ReplyForm.BARE,
                False,
                lambda ids: {ids[0]: "9876543210", ids[1]: OTHER, ids[2]: "919876543212"},
            ),
            (ReplyForm.LISTS, True, lambda ids: {ids[0]: ["9876543210", OTHER], ids[2]: ["919876543212"]}),
            (
                ReplyForm.BARE_LISTS,
                False,
                lambda ids: {ids[0]: ["9876543210", OTHER], ids[2]: ["919876543212"]},
            ),
            (ReplyForm.JOINED, True, lambda ids: {ids[0]: f"9876543210,{OTHER}", ids[2]: "919876543212"}),
            (
                ReplyForm.BARE_JOINED,
                False,
                lambda ids: {ids[0]: f"9876543210,{OTHER}", ids[2]: "919876543212"},
            ),
        ],
    )
    def test_json_maps_ids_to_numbers(
        self,
        form: ReplyForm,
        wrapped: bool,  # noqa: FBT001 - a column of the table
        shape: Callable[[tuple[str, ...]], object],
    ) -> None:
        """Numbers as given, ids of 24 hexadecimal digits."""
        gateway = _a_gateway(reply_form=form)

        reply = json.loads(_send(gateway, "9876543210", OTHER, "919876543212").body)

        ids = _ids_of(gateway)
        assert shape(ids) == (reply["message_id"] if wrapped else reply)
        assert all(24 == len(message_id) and int(message_id, 16) for message_id in ids)

    @pytest.mark.parametrize(
        ("spelling", "expected"),
        [
            (Spelling.GIVEN, ["09876543210", "447911123456"]),
            (Spelling.NATIONAL, ["9876543210", "447911123456"]),
            (Spelling.COUNTRY, ["919876543210", "447911123456"]),
            (Spelling.PLUS, ["+919876543210", "+447911123456"]),
        ],
    )
    def test_numbers_are_spelt_as_chosen(self, spelling: Spelling, expected: list[str]) -> None:
        """A foreign number has no national spelling here."""
        gateway = _a_gateway(spelling=spelling)

        reply = json.loads(_send(gateway, "09876543210", "447911123456").body)

        assert expected == list(reply["message_id"].values())

    def test_chosen_endings_are_missing_although_they_were_sent_to(self) -> None:
        """What the reply does not name is uncertain to the caller."""
        gateway = _a_gateway(missing_endings=("11",))

        reply = json.loads(_send(gateway, PHONE, OTHER).body)

        assert [PHONE] == list(reply["message_id"].values())
        assert 2 == gateway.sent_messages

    def test_an_id_is_never_given_out_twice(self) -> None:
        """Over calls and forms."""
        gateway = _a_gateway()

        for form in ReplyForm:
            gateway.options = SimulatorOptions(reply_form=form)
            _send(gateway, PHONE, OTHER)

        all_ids = [set(sent.ids) for sent in gateway.log.after(0, 100)]
        assert len(set.union(*all_ids)) == sum(len(ids) for ids in all_ids)


class TestSendRefusals:
    """What is not sent, and in which words."""

    @pytest.mark.parametrize(
        ("params", "words"),
        [
            ({"message": ""}, "Message is blank"),
            ({"message": " \n"}, "Message is blank"),
            ({"to": "12,abc"}, "Invalid mobile numbers"),
            ({"to": ""}, "Invalid mobile numbers"),
            ({"to": "911234567890"}, "Invalid mobile numbers"),
            ({"to": ",".join([PHONE] * 101)}, "Maximum 100 mobile numbers allowed per request"),
            ({"sender": "X" * 21}, "Invalid Sender ID"),
            ({"uniCode": "1"}, "Invalid uniCode"),
            ({"message": "x" * 1531}, "Message size exceeds"),
        ],
    )
    def test_a_bad_call_is_refused_and_costs_nothing(self, params: dict[str, str], words: str) -> None:
        """A line of text, HTTP 200, nothing recorded."""
        gateway = _a_gateway()

        reply = _send(gateway, **params)

        assert (200, words) == (reply.status, _said(reply))
        assert (0, 1_000_000) == (gateway.sent_calls, gateway.balance)

    def test_a_sender_must_be_among_the_allowed_ones(self) -> None:
        """Where a list of them is configured."""
        gateway = _a_gateway(senders=("SHOPNG",))

        assert "Invalid Sender ID" == _said(_send(gateway, sender="OTHERS"))
        assert "message_id" in _said(_send(gateway, sender="SHOPNG"))

    def test_a_hundred_numbers_are_allowed(self) -> None:
        """The limit itself is within the limit."""
        gateway = _a_gateway()

        _send(gateway, *(str(919876543000 + index) for index in range(100)))

        assert 100 == gateway.sent_messages

    def test_an_invalid_number_among_valid_ones_is_left_out(self) -> None:
        """Of the reply, the charge and the record of recipients."""
        gateway = _a_gateway()

        reply = json.loads(_send(gateway, "12", PHONE).body)

        sent = next(gateway.log.after(0, 1))
        assert [PHONE] == list(reply["message_id"].values())
        assert ((PHONE,), ("12",), 999_999) == (sent.to, sent.invalid, gateway.balance)

    @pytest.mark.parametrize("cmd", ["", "sendsms", "delete"])
    def test_an_unknown_command_is_refused(self, cmd: str) -> None:
        """Commands are spelt as the page spells them."""
        assert "Invalid command" == _said(_ask(_a_gateway(), cmd))

    def test_an_empty_account_sends_nothing(self) -> None:
        """A call that the balance does not cover is refused whole."""
        gateway = _a_gateway(balance=3)

        _send(gateway, PHONE, OTHER)
        refused = _send(gateway, PHONE, OTHER)

        assert ("Insufficient credits", 1, 2) == (_said(refused), gateway.balance, gateway.sent_messages)


class TestSendRecord:
    """What the state remembers of a send."""

    def test_balance_goes_down_by_segments_times_recipients(self) -> None:
        """161 characters are two segments."""
        gateway = _a_gateway(balance=10)

        _send(gateway, PHONE, OTHER, message="x" * 161)

        assert (6, 4) == (gateway.balance, gateway.segments)

    def test_a_text_that_lacks_unicode_is_garbled(self) -> None:
        """A phone shows question marks; the log keeps what was asked."""
        gateway = _a_gateway()

        _send(gateway, message="नमस्ते!", uniCode="0")

        sent = next(gateway.log.after(0, 1))
        assert ("नमस्ते!", "??????!", True) == (sent.message, sent.delivered_text, sent.garbled)
        assert 1 == gateway.garbled

    def test_a_text_with_unicode_arrives_whole(self) -> None:
        """``uniCode=2``."""
        gateway = _a_gateway()

        _send(gateway, message="नमस्ते!", uniCode="2")

        assert 0 == gateway.garbled

    def test_parameters_that_the_page_does_not_name_are_kept(self) -> None:
        """Template and entity ids, say; never the credentials."""
        gateway = _a_gateway()

        _send(gateway, template_id="1007", sender="SHOPNG")

        sent = next(gateway.log.after(0, 1))
        assert ({"template_id": "1007"}, "SHOPNG") == (dict(sent.params), sent.sender)

    def test_the_text_parameter_can_have_another_name(self) -> None:
        """The page forgot to name it."""
        gateway = _a_gateway(text_parameter="msg")

        assert "Message is blank" == _said(_send(gateway))
        assert "message_id" in _said(_send(gateway, msg="Hello"))

    def test_the_same_text_to_the_same_phone_counts_as_a_repeat(self) -> None:
        """However the number is spelt; another text is none."""
        gateway = _a_gateway()

        _send(gateway, PHONE)
        _send(gateway, "+919876543210", OTHER)
        _send(gateway, PHONE, message="Another")

        assert 1 == gateway.tally.repeats
        assert [(PHONE, "Hello", 2)] == list(gateway.tally.items(at_least=2))


class TestAccount:
    """The balance."""

    def test_text_and_json(self) -> None:
        """``Remaining_Credits: 417``."""
        text, as_json = _a_gateway(balance=417), _a_gateway(balance=417, account_form="json")

        assert "Remaining_Credits: 417" == _said(_ask(text, "account"))
        assert {"Remaining_Credits": 417} == json.loads(_ask(as_json, "account").body)


class TestStatus:
    """Delivery statuses."""

    def test_the_report_looks_as_documented(self) -> None:
        """Indian time, the page's own spelling of delivered."""
        watch = Watch()
        gateway = _a_gateway(watch)
        _send(gateway, sender="itonXXXX")
        message_id = _ids_of(gateway)[0]
        watch.at += 2

        reply = json.loads(_ask(gateway, "message_status", ids=message_id).body)

        expected = {
            "phoneNumberWithRespectiveStatus": {PHONE: "DELIVIRED"},
            "message": "Hello",
            "sender_Id": "itonXXXX",
            "user_Id": "demo",
            "sending_Date": "Mar 12, 2013 8:13:39 PM",
        }
        assert {message_id: expected} == reply

    def test_newer_java_prints_a_narrow_space(self) -> None:
        """U+202F before AM and PM."""
        gateway = _a_gateway(narrow_space=True)
        _send(gateway)

        reply = json.loads(_ask(gateway, "message_status", ids=_ids_of(gateway)[0]).body)

        assert "Mar 12, 2013 8:13:39\u202fPM" == reply[_ids_of(gateway)[0]]["sending_Date"]

    @pytest.mark.parametrize(
        ("ending", "final"),
        [
            ("10", "DELIVIRED"),
            ("13", "UNDELIV"),
            ("14", "EXPIRED"),
            ("15", "REJECTD"),
            ("16", "NCPR"),
            ("17", "SUBMITTED"),
            ("18", "PARKED"),
        ],
    )
    def test_statuses_ripen_by_the_end_of_the_number(self, ending: str, final: str) -> None:
        """SUBMITTED until then; 17 for ever."""
        watch = Watch()
        gateway = _a_gateway(watch, ripen_after=5)
        phone = "9198765432" + ending
        _send(gateway, phone)
        message_id = _ids_of(gateway)[0]

        watch.at += 4.9
        before = json.loads(_ask(gateway, "message_status", ids=message_id).body)
        watch.at += 0.2
        after = json.loads(_ask(gateway, "message_status", ids=message_id).body)

        assert {phone: "SUBMITTED"} == before[message_id]["phoneNumberWithRespectiveStatus"]
        assert {phone: final} == after[message_id]["phoneNumberWithRespectiveStatus"]

    def test_some_ripen_early_and_some_late(self) -> None:
        """By chance, and each stays as it is once it is final."""
        watch = Watch()
        gateway = _a_gateway(watch, ripen_after=5, ripen_spread=10)
        _send(gateway, *(f"9198765432{number}" for number in range(20, 60)))
        ids = _ids_of(gateway)
        ripe = []
        for _ in range(16):
            watch.at += 1
            said = json.loads(_ask(gateway, "message_status", ids=",".join(ids)).body)
            words = [next(iter(one["phoneNumberWithRespectiveStatus"].values())) for one in said.values()]
            ripe.append(words.count("DELIVIRED"))
        assert [0, 40] == [ripe[3], ripe[-1]]
        assert sorted(ripe) == ripe
        assert 5 < ripe[9] < 35

    def test_an_id_of_many_numbers_reports_each_of_them(self) -> None:
        """And of those only, where ids are shared in pairs."""
        gateway = _a_gateway(reply_form="lists")
        _send(gateway, PHONE, OTHER, "919876543212")

        reply = json.loads(_ask(gateway, "message_status", ids=_ids_of(gateway)[0]).body)

        statuses = reply[_ids_of(gateway)[0]]["phoneNumberWithRespectiveStatus"]
        assert [PHONE, OTHER] == list(statuses)

    def test_an_unknown_id_is_missing(self) -> None:
        """Not an error."""
        assert {} == json.loads(_ask(_a_gateway(), "message_status", ids="f" * 24).body)

    @pytest.mark.parametrize(
        ("ids", "words"),
        [("", "Invalid message ids"), (",".join("a" * 101), "Maximum 100 message ids allowed per request")],
    )
    def test_no_id_and_too_many_are_refused(self, ids: str, words: str) -> None:
        """Up to 100 ids."""
        assert words == _said(_ask(_a_gateway(), "message_status", ids=ids))


class TestDnd:
    """The DND register."""

    @pytest.mark.parametrize("cmd", ["check_DNDnumber", "Check_DNDnumber"])
    def test_endings_decide(self, cmd: str) -> None:
        """00 is listed, 99 is missing from the reply; keys are spelt as given."""
        reply = _ask(_a_gateway(), cmd, phoneNumbers="9032728100,9032728199,919032728149")

        assert {"9032728100": True, "919032728149": False} == json.loads(reply.body)

    def test_too_many_numbers_are_refused(self) -> None:
        """The limit of sendSMS holds here too."""
        reply = _ask(_a_gateway(), "check_DNDnumber", phoneNumbers=",".join([PHONE] * 101))

        assert "Maximum 100 mobile numbers allowed per request" == _said(reply)
