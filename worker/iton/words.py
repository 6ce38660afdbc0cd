"""What of a reply may be quoted in a result or a dead letter, and what a log line says of it."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from worker.iton.bodies import Body
from worker.iton.dialect import Credentials
from worker.iton.numbers import AskedNumbers
from worker.logs import Redaction
from worker.ports import MessageReport

LONGEST_QUOTE = 200
"""Characters."""

_HIDDEN = "***"
_NUMBER = re.compile(r"(?<![0-9A-Za-z])\+?[0-9](?:[ ()-]{0,2}[0-9]){6,14}(?![0-9A-Za-z])", re.ASCII)
_SHORTEST_HIDDEN = 4


class Quotes:
    """Quotes replies without the account's credentials, whole phone numbers and the text that was sent.

    Args:
        credentials: hidden in every spelling: raw, escaped, in Base64; the user name as a whole word.
    """

    def __init__(self, credentials: Credentials) -> None:
        secrets = [secret for secret in (credentials.password, credentials.token) if secret]
        self._redaction = Redaction(secrets=secrets, names=[credentials.username])

    def __repr__(self) -> str:
        return "Quotes()"

    def detail(self, status: int, body: Body, hidden: Iterable[str], *, shown: Sequence[str] = ()) -> str:
        """Say what came back, in one line that ends within about 200 characters of the gateway's words.

        Args:
            status: HTTP status code.
            body: the reply's; markup is named, not quoted.
            hidden: what the request held and nobody else should read.
            shown: numbers that stay readable, however they are spelt; all others are masked.
        """
        if body.is_page or not (words := self.clean(body.words or body.text, hidden, shown=shown)):
            return self.outline(status, body)
        return f"HTTP {status}: {words}"

    @staticmethod
    def outline(status: int, body: Body) -> str:
        """Say what came back without a word of it: a reply may repeat texts and numbers in any spelling."""
        if body.is_page:
            return f"HTTP {status} with a page instead of a reply"
        length = len(body.text)
        return (
            f"HTTP {status} with a reply of {length} characters"
            if length
            else f"HTTP {status} with an empty body"
        )

    def reports(self, reports: Mapping[str, MessageReport]) -> dict[str, MessageReport]:
        """Return *reports* without credentials in the gateway's words."""
        words = "\n".join(_words(reports.values()))
        if self._without_credentials(words) == words:
            return dict(reports)  # as nearly always; a line break is neither part of a word nor an escape
        return {name: self.report(report) for name, report in reports.items()}

    def report(self, report: MessageReport) -> MessageReport:
        """Return *report* without credentials in the gateway's words; numbers and texts are its subject."""
        return replace(
            report,
            sender=report.sender and self._without_credentials(report.sender),
            text=report.text and self._without_credentials(report.text),
            recipients=tuple(
                replace(
                    one,
                    recipient=self._without_credentials(one.recipient),
                    raw_status=self._without_credentials(one.raw_status),
                )
                for one in report.recipients
            ),
        )

    def without_credentials(self, words: str) -> str:
        """Return *words* as they are, but for the account's credentials."""
        return self._without_credentials(words)

    def clean(self, words: str, hidden: Iterable[str], *, shown: Sequence[str] = ()) -> str:
        """Return *words* in one line, cut short after everything secret was taken out."""
        for secret in sorted(hidden, key=len, reverse=True):
            # A text of three letters would be found inside the gateway's own words.
            if len(secret) >= _SHORTEST_HIDDEN:
                for form in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
                    words = words.replace(form, _HIDDEN)
        # Before spaces are folded, of which a password may hold any number.
        words = self._without_credentials(words)
        line = " ".join("".join(char if char.isprintable() else " " for char in words).split())
        line = self._without_numbers(line, AskedNumbers(shown)) if shown else self._redaction.text(line)
        return line if len(line) <= LONGEST_QUOTE else line[: LONGEST_QUOTE - 1] + "…"

    def _without_credentials(self, words: str) -> str:
        return self._redaction.text(words, numbers=False)

    def _without_numbers(self, line: str, but: AskedNumbers) -> str:
        pieces: list[str] = []
        end = 0
        for match in _NUMBER.finditer(line):
            if but.find(match[0]) is not None:
                pieces += [self._redaction.text(line[end : match.start()]), match[0]]
                end = match.end()
        return "".join([*pieces, self._redaction.text(line[end:])])


def _words(reports: Iterable[MessageReport]) -> list[str]:
    words: list[str] = []
    for report in reports:
        words += (report.sender or "", report.text or "")
        for one in report.recipients:
            words += (one.recipient, one.raw_status)
    return words
