"""What a reply means that is no success: one table, tried from top to bottom, the first rule that holds.

The document names no errors. The words are those that similar gateways were seen to send, mostly with
HTTP 200; the classes follow what is safe: only what surely was not sent may be sent again.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain

from worker.domain.errors import (
    AccountError,
    AccountTrouble,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.iton.bodies import Body
from worker.iton.operators import NUMBER_WORDS, OTHER_WORDS, SENDER_WORDS, TEXT_WORDS
from worker.iton.rules import Rule, Verdict
from worker.ports import Command

LONGEST_RETRY_AFTER = 3_600.0
"""Seconds; what asks for more is cut, or a slip of the gateway would stop the work for a day."""

_LONGEST_REFUSAL = 1_000
_READ_UP_TO = 4_000
_SHORTEST_ECHO = 4
_SEND = frozenset({Command.SEND})

# 502 and 504 come from something in between, which knows nothing of the account; 503 and 429 have a rule.
_SPOKEN = frozenset(chain(range(200, 300), range(400, 500), (500,)))
# In a 500 a refusal of this one message proves nothing: it may have failed half-way through the numbers.
_REFUSED = frozenset(chain(range(200, 300), range(400, 500)))


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


BUILT_IN: tuple[Rule, ...] = (
    # RFC 6585, 4; RFC 9110, 15.6.4: the request was not worked on.
    Rule(Verdict.TRANSIENT, "gateway_busy", statuses=frozenset({429, 503})),
    # "Success" or "sent" in a text that could not be read is no refusal, whatever else it says; "not sent"
    # and "cannot be sent" may be one.
    Rule(
        Verdict.UNCERTAIN,
        "reply_unreadable",
        pattern=_words(r"(?<!not )(?<!no )\bsuccess|(?<!not )(?<!be )\bsent\b"),
        statuses=frozenset(range(200, 300)),
        commands=_SEND,
    ),
    # Before the account's rules: ENTITY_BLACKLISTED is about a registration, not about the account.
    Rule(
        Verdict.PERMANENT,
        "sender_refused",
        pattern=_words(SENDER_WORDS),
        statuses=_REFUSED,
        commands=_SEND,
    ),
    Rule(Verdict.PERMANENT, "text_refused", pattern=_words(TEXT_WORDS), statuses=_REFUSED, commands=_SEND),
    Rule(
        Verdict.PERMANENT,
        "number_refused",
        pattern=_words(NUMBER_WORDS),
        statuses=_REFUSED,
        commands=_SEND,
    ),
    Rule(
        Verdict.PERMANENT,
        "rejected_by_gateway",
        pattern=_words(OTHER_WORDS),
        statuses=_REFUSED,
        commands=_SEND,
    ),
    # "Insufficient credits", "Insufficient Balance! Zero Credit"
    Rule(
        Verdict.CREDITS,
        "credits_exhausted",
        pattern=_words(
            r"\b(?:insufficient|not enough|no|zero) (?:sms |account |more |available )?(?:credit|balance)"
            r"|\b(?:credits?|balance) (?:(?:is|are|has|have|been) ){0,3}"
            r"(?:insufficient|exhausted|over|zero)\b"
            r"|\bout of (?:sms )?(?:credit|balance)"
        ),
        statuses=_SPOKEN,
    ),
    Rule(Verdict.CREDITS, "credits_exhausted", statuses=frozenset({402})),
    # "Invalid Username and Password", "Username or password may be wrong", "Account inactive",
    # "api account got suspended"
    Rule(
        Verdict.CREDENTIALS,
        "credentials_refused",
        pattern=_words(
            r"\b(?:invalid|wrong|incorrect|bad|missing|unknown) (?:api |auth\w* )?"
            r"(?:user ?(?:name|id)?|login|password|credentials?|(?:api )?key|token)\b"
            r"|\b(?:user ?name|password|credentials?|api ?key|api token|token|login)\b[^.;]{0,30}"
            r"\b(?:wrong|invalid|incorrect|not valid|expired|not match|does not exist|failed)\b"
            r"|\baccount\b[^.;]{0,30}"
            r"\b(?:inactive|not active|suspended|disabled|deactivated|blocked|locked|expired)\b"
            r"|\b(?:inactive|suspended|disabled|blocked|locked|expired) (?:api |user )?account\b"
        ),
        statuses=_SPOKEN,
    ),
    # "Invalid Sender ID", "Your Sender ID is not verified", "Header is not authorised"; SNDRID-NOT-ALLOTED
    Rule(
        Verdict.PERMANENT,
        "sender_refused",
        pattern=_words(
            r"\b(?:invalid|wrong|unknown|unverified|unregistered|unapproved|unauthori[sz]ed|missing|blocked) "
            r"(?:sender|header)\b"
            r"|\bsender\b[^.;]{0,30}"
            r"\b(?:not|invalid|unverified|blocked|rejected|mismatch|missing|required|inactive)\b"
            r"|(?<!authorization )(?<!authorisation )\bheader\b[^.;]{0,30}"
            r"\b(?:not (?:registered|approved|authori[sz]ed|allowed|found|allotted)|unauthori[sz]ed"
            r"|unregistered|suspended|inactive|blacklisted|mismatch)\b"
            r"|\bsndrid\b"
        ),
        statuses=_REFUSED,
        commands=_SEND,
    ),
    # "Invalid mobile numbers"; INV-NUMBER
    Rule(
        Verdict.PERMANENT,
        "number_refused",
        pattern=_words(
            r"\b(?:invalid|wrong|bad|no valid|missing|blank) "
            r"(?:mobile|phone|cell|recipient|destination|receiver|msisdn|numbers?\b|to\b)"
            r"|\b(?:mobile|phone|recipient|destination)s? ?(?:numbers?|no\.?)?\b[^.;]{0,20}"
            r"\b(?:invalid|not valid|blank|empty|missing|required)\b"
            r"|\binv-number\b"
        ),
        statuses=_REFUSED,
    ),
    # "Message is blank", "Message size exceeds", "template mismatch"; INV-TEMPLATE-MATCH, TEMPLATE-NOT-FOUND
    Rule(
        Verdict.PERMANENT,
        "text_refused",
        pattern=_words(
            r"\b(?:message|text|content)\b[^.;]{0,30}"
            r"\b(?:blank|empty|too long|too large|exceed\w*|missing|required)\b"
            r"|\b(?:message|text) (?:size|length)\b"
            r"|\btemplate\b[^.;]{0,30}\b(?:mismatch|not|invalid|unregistered|unapproved|missing)\b"
            r"|\b(?:invalid|no|unknown|missing|unregistered) (?:\w+ )?template\b"
            r"|\b(?:inv-template|template-not|template-mis)"
        ),
        statuses=_REFUSED,
        commands=_SEND,
    ),
    # "Unauthorized IP address"; after the sender's rule: "Sender ID not authorised" is about the sender.
    Rule(
        Verdict.CREDENTIALS,
        "credentials_refused",
        pattern=_words(
            r"\bunauthori[sz]ed\b|\bnot authori[sz]ed\b|\bauthenticat\w+ (?:failed|failure|error|required)\b"
            r"|\baccess (?:is )?denied\b|\bip\b[^.;]{0,30}\b(?:not allowed|not whitelisted|blocked|denied)\b"
        ),
        statuses=_SPOKEN,
    ),
    Rule(Verdict.CREDENTIALS, "credentials_refused", statuses=frozenset({401, 403})),
    # Refused before anything was done with it: RFC 9110, 15.5.1, .6, .12, .14 to .16, .21; RFC 6585, 5.
    Rule(
        Verdict.PERMANENT, "rejected_by_gateway", statuses=frozenset({400, 405, 411, 413, 414, 415, 422, 431})
    ),
    Rule(Verdict.UNCERTAIN, "gateway_error", statuses=frozenset(range(500, 600))),
    # What is left. 404: a servlet may send first and then fail to find the page that says so. 3xx: a
    # redirect may follow a deed as well (303 does by definition), so it is not followed and means nothing.
    Rule(Verdict.UNCERTAIN, "reply_unreadable"),
)


# A sendSMS whose reply says that it failed, and names an id all the same.
CONTRADICTORY = Rule(Verdict.UNCERTAIN, "reply_unreadable")


def rule_for(rules: Sequence[Rule], command: Command, status: int, body: Body, *, sent: str = "") -> Rule:
    """Return the first of *rules* and the built-in ones that holds; there always is one.

    Args:
        rules: of the operator.
        command: that was called.
        status: HTTP status code.
        body: the reply's.
        sent: the text of a sendSMS. Where a reply repeats it, it is left out, and words of a fragment of it
            are no trouble with the account: a message that says "insufficient credits" must not stop the
            work because a refusal quotes it.
    """
    words = body.words
    if len(sent) >= _SHORTEST_ECHO:
        own = words.replace(sent, " ").strip()
        # A reply that is nothing but the text is no echo of it: the gateway says the same.
        words, sent = (own, sent) if own else (words, "")
    page = body.is_page or len(words) > _LONGEST_REFUSAL
    words = words[:_READ_UP_TO]
    return next(
        rule for rule in (*rules, *BUILT_IN) if rule.holds(command, status, words, page=page, sent=sent)
    )


def error_of(rule: Rule, detail: str, retry_after: float | None) -> WorkerError:
    """Return the error that *rule* stands for."""
    return _ERRORS[rule.verdict](rule.code, detail, retry_after)


def seconds_of(retry_after: str | None, now: datetime) -> float | None:
    """Read a ``Retry-After`` header (RFC 9110, 10.2.3): seconds or a date, cut to 0 to 3,600 seconds.

    None where there is none or it is neither.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:10]), LONGEST_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return min(max((aware - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)


_ERRORS: Mapping[Verdict, Callable[[str, str, float | None], WorkerError]] = {
    Verdict.PERMANENT: lambda code, detail, _: PermanentError(code, detail),
    Verdict.TRANSIENT: lambda code, detail, wait: TransientError(code, detail, retry_after=wait),
    Verdict.UNCERTAIN: lambda code, detail, _: OutcomeUncertainError(code, detail),
    Verdict.CREDENTIALS: lambda code, detail, _: AccountError(
        code, detail, trouble=AccountTrouble.CREDENTIALS
    ),
    Verdict.CREDITS: lambda code, detail, _: AccountError(code, detail, trouble=AccountTrouble.CREDITS),
}
