"""What a rule about replies is, and how an operator writes more of them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from worker.ports import Command


class Verdict(StrEnum):
    """What a reply means, as a rule names it."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    UNCERTAIN = "uncertain"
    CREDENTIALS = "account.credentials"
    CREDITS = "account.credits"


_ABOUT_THE_ACCOUNT = frozenset({Verdict.CREDENTIALS, Verdict.CREDITS})


@dataclass(frozen=True, slots=True)
class Rule:
    """Which replies mean what; a condition that is None holds for every reply.

    Attributes:
        verdict: what may be done about it.
        code: of the error.
        pattern: found anywhere in the gateway's words.
        statuses: HTTP status codes.
        commands: that were called.
        pages: whether the pattern is looked for in markup and long texts too, where the same words may
            stand in a login form or a manual.
    """

    verdict: Verdict
    code: str
    pattern: re.Pattern[str] | None = None
    statuses: frozenset[int] | None = None
    commands: frozenset[Command] | None = None
    pages: bool = False

    def holds(self, command: Command, status: int, words: str, *, page: bool, sent: str = "") -> bool:
        """Tell whether the rule is about this reply.

        Trouble with the account stops all work, so words that may be quoted from *sent*, the text of the
        call, are no sign of it.
        """
        if self.commands is not None and command not in self.commands:
            return False
        if self.statuses is not None and status not in self.statuses:
            return False
        if self.pattern is None:
            return True
        if page and not self.pages:
            return False
        if sent and self.verdict in _ABOUT_THE_ACCOUNT:
            return _found_outside(self.pattern, words, folded(sent))
        return self.pattern.search(words) is not None


def folded(text: str) -> str:
    """Return *text* without what an echo may change of it: case and the width of spaces."""
    return " ".join(text.split()).casefold()


def _found_outside(pattern: re.Pattern[str], words: str, quotable: str) -> bool:
    """Tell whether *pattern* is found in *words* in a place that does not occur in *quotable*."""
    match = pattern.search(words)
    while match:
        # "account 7: your account is blocked" begins too early: what counts is the shortest with that end.
        while inner := pattern.search(words, match.start() + 1, match.end()):
            match = inner
        if folded(match[0]) not in quotable:
            return True
        match = pattern.search(words, match.end())
    return False


DEFAULT_CODES = {
    Verdict.PERMANENT: "rejected_by_gateway",
    Verdict.TRANSIENT: "gateway_busy",
    Verdict.UNCERTAIN: "reply_unreadable",
    Verdict.CREDENTIALS: "credentials_refused",
    Verdict.CREDITS: "credits_exhausted",
}

_KEYS = frozenset({"error", "code", "pattern", "statuses", "commands"})
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_RANGE = re.compile(r"([2-5])xx")
_LONGEST_PATTERN = 500


def rules_from(raw: Iterable[Mapping[str, object]]) -> tuple[Rule, ...]:
    """Read an operator's rules.

    Each is an object such as this one, with ``pattern`` or ``statuses`` or both, the rest as needed::

        {"error": "permanent", "code": "sender_refused", "pattern": "header .* not approved",
         "statuses": [200, "4xx"], "commands": ["sendSMS"]}

    ``error`` is a verdict; ``pattern`` is a regular expression that ignores case and also looks into HTML.

    Raises:
        ValueError: which rule is wrong, why, and what would be right.
    """
    return tuple(_rule(number, entry) for number, entry in enumerate(raw, start=1))


def _rule(number: int, entry: Mapping[str, object]) -> Rule:
    try:
        return _checked(entry)
    except ValueError as exc:
        raise ValueError(f"rule {number}: {exc}") from None


def _checked(entry: Mapping[str, object]) -> Rule:
    if unknown := sorted(entry.keys() - _KEYS):
        raise ValueError(f"does not know {unknown[0]!r}; the keys are {', '.join(sorted(_KEYS))}")
    if not entry.keys() & {"pattern", "statuses"}:
        raise ValueError("needs a pattern or statuses, or it would hold for every reply")
    verdict = _verdict(entry.get("error"))
    return Rule(
        verdict=verdict,
        code=_code(entry.get("code", DEFAULT_CODES[verdict])),
        pattern=_pattern(entry["pattern"]) if "pattern" in entry else None,
        statuses=_statuses(entry["statuses"]) if "statuses" in entry else None,
        commands=_commands(entry["commands"]) if "commands" in entry else None,
        pages=True,
    )


def _verdict(value: object) -> Verdict:
    if not isinstance(value, str) or value not in set(Verdict):
        raise ValueError(f"error must be one of {', '.join(Verdict)}")
    return Verdict(value)


def _code(value: object) -> str:
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise ValueError("code must be made of a-z, 0-9 and _, such as sender_refused")
    return value


def _pattern(value: object) -> re.Pattern[str]:
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_PATTERN:
        raise ValueError(f"pattern must be a string of 1 to {_LONGEST_PATTERN} characters")
    try:
        pattern = re.compile(value, re.IGNORECASE)
    except re.error as exc:
        raise ValueError(f"pattern is no regular expression: {exc}") from None
    if pattern.search(""):
        raise ValueError("pattern also matches nothing at all, so it would hold for every reply")
    return pattern


def _statuses(value: object) -> frozenset[int]:
    found: set[int] = set()
    for item in _list(value, "statuses"):
        if isinstance(item, str) and (match := _RANGE.fullmatch(item)):
            start = int(match[1]) * 100
            found.update(range(start, start + 100))
        elif isinstance(item, int) and not isinstance(item, bool) and 200 <= item <= 599:  # noqa: PLR2004 - HTTP's own
            found.add(item)
        else:
            raise ValueError('statuses must hold HTTP status codes from 200 to 599 or "2xx" to "5xx"')
    return frozenset(found)


def _commands(value: object) -> frozenset[Command]:
    items = _list(value, "commands")
    if not all(isinstance(item, str) and item in set(Command) for item in items):
        raise ValueError(f"commands must be among {', '.join(Command)}")
    return frozenset(Command(str(item)) for item in items)


def _list(value: object, name: str) -> Sequence[object]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"{name} must be a list of at least one")
    return value
