"""What a reply means that is no success."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.errors import (
    AccountError,
    AccountTrouble,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.iton.bodies import decoded
from worker.iton.replies import error_of, rule_for, seconds_of
from worker.iton.rules import Verdict, rules_from
from worker.iton.transport import Incoming
from worker.ports import Command

SAMPLES = Path(__file__).parents[2] / "samples" / "iton" / "errors"
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

# Code by the first word of a sample's name.
CODES = {
    "credentials": "credentials_refused",
    "credits": "credits_exhausted",
    "sender": "sender_refused",
    "number": "number_refused",
    "text": "text_refused",
    "unreadable": "reply_unreadable",
    "rejected": "rejected_by_gateway",
}


def code(content: bytes, status: int = 200, command: Command = Command.SEND, *, sent: str = "") -> str:
    """Return the code of the built-in rule that holds."""
    return rule_for((), command, status, decoded(content), sent=sent).code


def sample_names() -> list[str]:
    """Return the names of all error replies."""
    return sorted(path.name for path in SAMPLES.iterdir())


class TestWords:
    """Refusals that come with HTTP 200, as they were seen at similar gateways."""

    @pytest.mark.parametrize("name", sample_names())
    def test_each_sample_has_the_code_of_its_name(self, name: str) -> None:
        """As text and as JSON."""
        assert code((SAMPLES / name).read_bytes()) == CODES[name.replace(".", "-").split("-")[0]]

    @pytest.mark.parametrize("name", [name for name in sample_names() if name.startswith("cred")])
    @pytest.mark.parametrize("status", [200, 400, 403, 500])
    def test_the_account_s_trouble_shows_with_any_status(self, name: str, status: int) -> None:
        """Where the words are clear, an HTTP 500 does not hide them."""
        assert code((SAMPLES / name).read_bytes(), status) == CODES[name.replace(".", "-").split("-")[0]]

    @pytest.mark.parametrize("status", [200, 500])
    def test_a_page_or_a_novel_is_no_clear_word(self, status: int) -> None:
        """A login form names passwords, too."""
        page = (SAMPLES / "unreadable-2.html").read_bytes()
        novel = b"x" * 1_000 + b" Invalid Username and Password"
        assert {code(page, status), code(novel, status)} <= {"reply_unreadable", "gateway_error"}

    def test_a_refusal_in_an_error_500_proves_nothing(self) -> None:
        """It may have failed half-way through the numbers."""
        assert code(b"Invalid mobile numbers", 500) == "gateway_error"

    @pytest.mark.parametrize(
        "body",
        [
            b"Success, message template not checked",
            b'{"status": "Success", "note": "invalid number"}',
            b"Message sent. Invalid mobile numbers: 1",
        ],
    )
    def test_a_success_that_cannot_be_read_is_no_refusal(self, body: bytes) -> None:
        """Whatever else it says: the message may have been sent."""
        assert code(body) == "reply_unreadable"

    @pytest.mark.parametrize(
        "start", ["Unsuccessful", "Not successful", "Not sent", "Message cannot be sent"]
    )
    def test_a_denied_success_is_one(self, start: str) -> None:
        """The words behind it count."""
        assert code(f"{start}: Insufficient credits".encode()) == "credits_exhausted"

    def test_our_own_text_does_not_speak_for_the_gateway(self) -> None:
        """A message about credits must not stop the work because a refusal quotes it."""
        text = "Insufficient credits on your card"
        assert code(f"template mismatch: {text}".encode(), sent=text) == "text_refused"
        assert code(f"Rejected ({text})".encode(), sent=text) == "reply_unreadable"
        assert code(text.encode(), sent=text) == "credits_exhausted"

    @pytest.mark.parametrize(
        ("reply", "text", "in_200", "in_400"),
        [
            (
                "Invalid text: your account is suspended",
                "Dear Ann,  Your ACCOUNT\nis suspended. Call us.",
                "reply_unreadable",
                "rejected_by_gateway",
            ),
            (
                'Bad content near "password is wrong"',
                "That password is wrong, try again",
                "reply_unreadable",
                "rejected_by_gateway",
            ),
            (
                "Template mismatch for account 7: your account is blocked",
                "Your account is blocked",
                "text_refused",
                "text_refused",
            ),
            ("Rejected: no balance", "You have no balance", "reply_unreadable", "rejected_by_gateway"),
        ],
    )
    def test_nor_does_a_fragment_of_it(self, reply: str, text: str, in_200: str, in_400: str) -> None:
        """Words that occur in the text, in whatever case and spacing, are no trouble with the account."""
        assert (code(reply.encode(), sent=text), code(reply.encode(), 400, sent=text)) == (in_200, in_400)

    @pytest.mark.parametrize(
        ("reply", "text"),
        [
            ("Your account is suspended", "Log in to your account"),
            ("Username or password is wrong", "Your password expires today"),
            ('Bad content "password is wrong". Account inactive', "The password is wrong"),
        ],
    )
    def test_what_the_text_does_not_say_is_the_gateway_s_word(self, reply: str, text: str) -> None:
        """A text that shares some words with a refusal does not hide it."""
        assert code(reply.encode(), sent=text) == "credentials_refused"

    def test_a_fragment_does_not_hide_an_http_status(self) -> None:
        """401 is about the account, whatever is quoted."""
        assert code(b"no: your account is suspended", 401, sent="your account is suspended!") == (
            "credentials_refused"
        )

    def test_an_operator_s_rule_about_the_account_heeds_it_too(self) -> None:
        """Its other rules look at all words: they stop no work."""
        rules = rules_from(
            [
                {"error": "account.credits", "pattern": "recharge now"},
                {"error": "permanent", "code": "odd_text", "pattern": "recharge now"},
            ]
        )
        body = decoded(b"Refused: Recharge now")
        assert rule_for(rules, Command.SEND, 200, body, sent="Please recharge now!").code == "odd_text"
        assert rule_for(rules, Command.SEND, 200, body, sent="Hello").code == "credits_exhausted"

    def test_other_commands_know_nothing_of_senders(self) -> None:
        """Their words are about something else."""
        assert code(b"Invalid Sender ID", command=Command.ACCOUNT) == "reply_unreadable"


class TestOperators:
    """India's operators refuse by codes of their own."""

    @pytest.mark.parametrize("status", [200, 400, 403])
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("651 EC_INVALID_PROMO_TIME", "rejected_by_gateway"),
            ("605 ENTITY_ID_NOT_ALLOWED_FOR_TM", "rejected_by_gateway"),
            ("603 ENTITY_BLACKLISTED", "rejected_by_gateway"),
            ("613 TELEMARKETER_NOT_ALLOWED_FOR_ENTITY", "rejected_by_gateway"),
            ("624 HEADER_SUSPENDED_DUE_TO_VALIDITY", "sender_refused"),
            ("625: HEADER_SUSPENDED_DUE_TO_USAGE", "sender_refused"),
            ("623 PEID_NOT_MATCHED_WITH_HEADER", "sender_refused"),
            ("660 CONSENT_FAILED", "rejected_by_gateway"),
            ("Error: DLT Rejected", "rejected_by_gateway"),
            ("Message rejected by DLT", "rejected_by_gateway"),
            ("FAILED_DND", "number_refused"),
            ("FAILED_SPAM", "text_refused"),
            ("FAILED_DLT_SCRUBBING", "rejected_by_gateway"),
            ("FAILED_DLT_ENTITY", "rejected_by_gateway"),
            ("FAILED_DLT_TEMPLATE", "text_refused"),
            ("630 TEMPLATE_NOT_FOUND", "text_refused"),
            ("Header ITONXX is not authorised", "sender_refused"),
            ("Unauthorized header", "sender_refused"),
        ],
    )
    def test_their_codes_are_the_job_s_own_trouble(self, words: str, expected: str, status: int) -> None:
        """Never the account's, as text and as JSON."""
        for body in (words, f'{{"status": "error", "message_id": "0", "reason": "{words}"}}'):
            rule = rule_for((), Command.SEND, status, decoded(body.encode()))
            assert (rule.verdict, rule.code) == (Verdict.PERMANENT, expected)

    @pytest.mark.parametrize("words", ["Missing Authorization header", "Authorization header not found"])
    def test_a_header_of_http_is_no_sender(self, words: str) -> None:
        """The token is not there."""
        assert code(words.encode(), 401) == "credentials_refused"

    @pytest.mark.parametrize("words", ["entity", "DLT scrubbing timeout", "template_"])
    def test_half_a_code_says_nothing(self, words: str) -> None:
        """The message may have been sent."""
        assert code(words.encode()) == "reply_unreadable"


class TestStatuses:
    """HTTP's own words."""

    @pytest.mark.parametrize(
        ("statuses", "expected"),
        [
            ((401, 403), "credentials_refused"),
            ((402,), "credits_exhausted"),
            ((429, 503), "gateway_busy"),
            ((400, 405, 411, 413, 414, 415, 422, 431), "rejected_by_gateway"),
            ((500, 501, 502, 504, 599), "gateway_error"),
            ((200, 204, 301, 302, 303, 307, 308, 304, 404, 408, 410, 418), "reply_unreadable"),
        ],
    )
    @pytest.mark.parametrize("content", [b"", b"<html></html>", b'{"a": 1}'])
    def test_each_has_its_code(self, statuses: tuple[int, ...], expected: str, content: bytes) -> None:
        """For every command, where the body says nothing."""
        assert {code(content, status, command) for status in statuses for command in Command} == {expected}


class TestOperatorsRules:
    """They are tried first."""

    def test_a_rule_of_the_operator_goes_before_the_table(self) -> None:
        """Also in pages, which the table does not look into."""
        rules = rules_from([{"error": "transient", "pattern": "maintenance", "statuses": [200]}])
        page = decoded(b"<html>Down for maintenance</html>")
        assert rule_for(rules, Command.SEND, 200, page).code == "gateway_busy"
        assert rule_for(rules, Command.SEND, 502, page).code == "gateway_error"


class TestErrors:
    """A rule becomes an error of ours."""

    @pytest.mark.parametrize(
        ("body", "kind", "trouble"),
        [
            (b"Invalid Sender ID", PermanentError, None),
            (b"?", OutcomeUncertainError, None),
            (b"Account inactive", AccountError, AccountTrouble.CREDENTIALS),
            (b"Insufficient credits", AccountError, AccountTrouble.CREDITS),
        ],
    )
    def test_each_verdict_has_its_class(
        self, body: bytes, kind: type[WorkerError], trouble: AccountTrouble | None
    ) -> None:
        """With the account's trouble named."""
        error = error_of(rule_for((), Command.SEND, 200, decoded(body)), "words", None)
        assert (type(error), error.detail) == (kind, "words")
        assert getattr(error, "trouble", None) == trouble

    def test_a_busy_gateway_says_how_long(self) -> None:
        """If it does."""
        error = error_of(rule_for((), Command.SEND, 503, decoded(b"")), "words", 7.0)
        assert isinstance(error, TransientError)
        assert error.retry_after == 7.0

    @given(st.binary(), st.integers(200, 599), st.sampled_from(list(Command)))
    def test_any_reply_has_a_rule(self, content: bytes, status: int, command: Command) -> None:
        """The last one holds for everything."""
        rule = rule_for((), command, status, decoded(content))
        assert isinstance(error_of(rule, "words", None), WorkerError)

    @pytest.mark.parametrize(
        ("status", "successful"), [(199, False), (200, True), (299, True), (300, False), (500, False)]
    )
    def test_only_2xx_can_be_an_answer(self, status: int, *, successful: bool) -> None:
        """But for the ids of a sendSMS, which count with any status."""
        assert Incoming(status, (), b"").successful is successful


class TestRetryAfter:
    """The header, in both of its forms."""

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("0", 0.0),
            ("7", 7.0),
            (" 120 ", 120.0),
            ("99999999999999999999", 3_600.0),
            ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
            ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
            ("Sun, 01 Mar 2026 11:59:30 GMT", 0.0),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 3_600.0),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
            (None, None),
        ],
    )
    def test_absurd_values_are_cut(self, header: str | None, seconds: float | None) -> None:
        """To between now and an hour."""
        assert seconds_of(header, NOW) == seconds

    @given(st.text())
    def test_any_header_is_survived(self, header: str) -> None:
        """None or seconds within the bounds."""
        seconds = seconds_of(header, NOW)
        assert seconds is None or 0 <= seconds <= 3_600
