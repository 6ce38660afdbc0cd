"""The ``Gateway`` port over HTTP: one request a call, every outcome a value or one of our errors."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import TypeVar

import httpx
import structlog

from worker.domain.errors import (
    AccountError,
    OutcomeUncertainError,
    PermanentError,
    TransientError,
    WorkerError,
)
from worker.iton.bodies import Body, decoded
from worker.iton.dialect import Credentials, Dialect
from worker.iton.exchange import asked_to_wait, exchange_of, lost
from worker.iton.http_logs import quiet_http_logs
from worker.iton.operators import has_a_suffix
from worker.iton.plain import plain_dnd, plain_ids, plain_status
from worker.iton.protocol import Request, Requests, nameable_ids
from worker.iton.readings import Reading, read_account, read_dnd, read_status
from worker.iton.received import received
from worker.iton.replies import CONTRADICTORY, error_of, rule_for, seconds_of
from worker.iton.rules import Rule, Verdict
from worker.iton.sent import read_send
from worker.iton.statuses import StatusWords
from worker.iton.told_ids import name_ids, name_ids_of
from worker.iton.transport import AiohttpTransport, Incoming, Patience, Pool
from worker.iton.unknown_words import UnknownWords
from worker.iton.words import Quotes
from worker.ports import Command, MessageReport, TextMessage

log = structlog.get_logger(__name__)

T = TypeVar("T")

_MOST_SUFFIXED = 100  # headers; a producer may make them up

_OUTCOMES: tuple[tuple[type[WorkerError], str], ...] = (
    (PermanentError, "permanent"),
    (TransientError, "transient"),
    (OutcomeUncertainError, "uncertain"),
    (AccountError, "account"),
)


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds that a call may take.

    Attributes:
        call: all of it, from waiting for a connection to the last byte of the reply.
        connect: waiting for a free connection, name resolution, TCP and TLS together. Cut to a third of the
            call: it may not use up the time in which the reply would come.
    """

    call: float = 30.0
    connect: float = 5.0

    def patience(self) -> Patience:
        """Return them as the transport wants them."""
        return Patience(connect=min(self.connect, self.call / 3), call=self.call)


def _ignore(*_: object) -> None:
    """Observe nothing."""


@dataclass(frozen=True, slots=True)
class Observers:
    """Who hears of calls; they must not raise.

    Attributes:
        on_call: after each call, with the command, the outcome (``ok``, ``permanent``, ``transient``,
            ``uncertain``, ``account``, ``cancelled``), the seconds it took, and how many numbers or ids it
            was for.
        on_unasked: with the command, and how many ids or numbers of its reply nobody had asked about.
        on_dnd: with how many numbers were asked about, and the answers.
        on_unknown_status: of each word for a status that is in no table, with its form.
        on_charge: after a sendSMS, with the credits that its accepted recipients should cost.
        on_doubt: the same of those who may have been sent to.
    """

    on_call: Callable[[str, str, float, int], None] = _ignore
    on_unasked: Callable[[str, int], None] = _ignore
    on_dnd: Callable[[int, Mapping[str, bool]], None] = _ignore
    on_unknown_status: Callable[[str], None] = _ignore
    on_charge: Callable[[int], None] = _ignore
    on_doubt: Callable[[int], None] = _ignore


class ItonGateway:
    """One ITON account; an implementation of :class:`worker.ports.Gateway`.

    Nothing is opened before the first call; the event loop of that call is the one it belongs to.

    Args:
        base_url: of the API, without credentials, query and fragment.
        credentials: of the account.
        dialect: how requests are written and replies read.
        limits: of each call.
        observers: for metrics.
        transport: None for connections of its own, as :class:`Pool` describes them by default. Any transport
            of httpx will do, as long as it never sends a request twice.

    Raises:
        ValueError: *base_url* is no address of a gateway.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        dialect: Dialect | None = None,
        *,
        limits: TimeLimits | None = None,
        observers: Observers | None = None,
        transport: AiohttpTransport | httpx.AsyncBaseTransport | None = None,
    ) -> None:
        quiet_http_logs()
        self._dialect = dialect or Dialect()
        self._limits = limits or TimeLimits()
        self._observers = observers or Observers()
        self._requests = Requests(base_url, credentials, self._dialect)
        self._quotes = Quotes(credentials)
        # No AsyncClient around it: cookies, redirects, .netrc and the proxies of the environment are what a
        # gateway must not have, and merging them costs four times what the request itself does (0.27 ms).
        self._transport = transport or AiohttpTransport(Pool())
        self._exchange = exchange_of(self._transport)
        self._patience = self._limits.patience()
        zone, numbering = self._dialect.zone, self._dialect.numbering
        words = StatusWords(self._dialect.status_words, UnknownWords(self._observers.on_unknown_status))
        self._plain_status = partial(plain_status, zone=zone, numbering=numbering, status=words.status_of)
        self._read_status = partial(read_status, zone=zone, numbering=numbering, status=words.status_of)
        self._suffixed: set[str] = set()

    def __repr__(self) -> str:
        return f"ItonGateway({self._requests!r})"

    def pack(self, message: TextMessage, recipients: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Cut *recipients*, in order, into the fewest calls; see :meth:`Requests.pack`."""
        return self._requests.pack(message, recipients)

    def pack_ids(self, message_ids: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Cut *message_ids*, in order, into the fewest calls; see :meth:`Requests.pack_ids`."""
        return self._requests.pack_ids(message_ids)

    async def send(self, message: TextMessage, recipients: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Send to 1 to 100 numbers and return message ids by recipient."""
        request = self._requests.send(message, recipients)
        if sender := message.sender or self._dialect.default_sender:
            self._warn_of_suffix(sender)
        observers, segments = self._observers, message.segments
        try:
            ids = await self._call(request, recipients, plain_ids, read_send, message.text)
        except (OutcomeUncertainError, asyncio.CancelledError):
            observers.on_doubt(segments * len(recipients))
            raise
        observers.on_charge(segments * len(ids))
        if len(ids) < len(recipients):
            observers.on_doubt(segments * (len(recipients) - len(ids)))
        return ids

    async def check_dnd(self, recipients: Sequence[str]) -> dict[str, bool]:
        """Tell of 1 to 100 numbers whether they are on the DND list."""
        request = self._requests.check_dnd(recipients)
        answers = await self._call(request, recipients, plain_dnd, read_dnd)
        self._observers.on_dnd(len(recipients), answers)
        return answers

    async def message_status(self, message_ids: Sequence[str]) -> dict[str, MessageReport]:
        """Report on at most 100 ids; where not one of them can be asked about, nobody is asked."""
        asked = nameable_ids(message_ids)
        if not asked:
            return {}
        request = self._requests.message_status(asked)
        reports = await self._call(request, asked, self._plain_status, self._read_status)
        return self._quotes.reports(reports)

    async def account(self) -> Decimal:
        """Return the remaining credits."""
        return await self._call(self._requests.account(), (), _nothing_plain, read_account)

    def _warn_of_suffix(self, sender: str) -> None:
        """Say once of each header that ends like an operator's own."""
        if not has_a_suffix(sender) or len(self._suffixed) >= _MOST_SUFFIXED:
            return
        if sender not in self._suffixed:
            self._suffixed.add(sender)
            log.warning("sender.suffixed", sender=sender)

    async def aclose(self) -> None:
        """Close all connections; a call under way ends as uncertain."""
        await self._transport.aclose()

    async def _call(
        self,
        request: Request,
        asked: Sequence[str],
        plain: Callable[[bytes, Sequence[str]], T | None],
        read: Callable[[Body, Sequence[str]], Reading[T] | None],
        text: str = "",
    ) -> T:
        """Make one HTTP request and return what the reply says of what was *asked* about.

        Args:
            request: to make.
            asked: numbers or ids.
            plain: reads a reply that is just as it should be, and returns None for any other.
            read: reads any; returns None for what is no successful reply.
            text: of a sendSMS.
        """
        command, observers = request.command, self._observers
        now = asyncio.get_running_loop().time
        started = now()
        outcome: Reading[T] | WorkerError | None = None
        try:
            try:
                reply: Incoming | WorkerError = await self._exchange(request, self._patience)
            except Exception as exc:  # noqa: BLE001 - whatever it is, the request may be out
                reply = lost(exc, "the gateway")
                if command is Command.SEND and (begun := received(exc)):
                    name_ids_of(reply, begun, request, self._quotes.without_credentials)
            if isinstance(reply, Incoming) and reply.status == HTTPStatus.OK:
                value = plain(reply.content, asked)
                outcome = None if value is None else Reading(value)
            if outcome is None:
                outcome = self._understood(reply, request, asked, read, text)
        finally:
            name = "ok" if isinstance(outcome, Reading) else _named(outcome)
            observers.on_call(command, name, now() - started, len(asked))
        if isinstance(outcome, WorkerError):
            # Out of every except clause: httpx's error, which knows the URL, is not in its chain.
            raise outcome
        if outcome.unasked:
            observers.on_unasked(command, outcome.unasked)
        return outcome.value

    def _understood(
        self,
        reply: Incoming | WorkerError,
        request: Request,
        asked: Sequence[str],
        read: Callable[[Body, Sequence[str]], Reading[T] | None],
        text: str,
    ) -> Reading[T] | WorkerError:
        """Return what the reply says; an error that it names goes before a success that says nothing.

        The ids of a sendSMS count with any status: they cannot be asked for again.
        """
        if isinstance(reply, WorkerError):
            return reply
        command, body, successful = request.command, decoded(reply.content), reply.successful
        reading = read(body, asked) if successful or command is Command.SEND else None
        if reading and reading.value != {}:
            return reading
        rule = rule_for(self._dialect.rules, command, reply.status, body, sent=text)
        doubtful = reading.doubtful if reading else ()
        if doubtful and rule.verdict not in {Verdict.PERMANENT, Verdict.UNCERTAIN}:
            rule = CONTRADICTORY
        elif reading and successful and rule.verdict is Verdict.UNCERTAIN and not doubtful:
            return reading
        error = self._refusal(reply, command, body, rule, asked=asked, text=text)
        if command is Command.SEND:
            name_ids(error, doubtful, body, request, self._quotes.without_credentials)
        return error

    def _refusal(
        self, reply: Incoming, command: Command, body: Body, rule: Rule, *, asked: Sequence[str], text: str
    ) -> WorkerError:
        """Return the error that *rule* stands for, in words that show nobody what they should not."""
        hidden = {Command.SEND: (text, *asked), Command.DND: asked}.get(command, ())
        detail = self._quotes.detail(reply.status, body, hidden)
        if command is Command.STATUS and rule.verdict is Verdict.UNCERTAIN:
            # What cannot be read may hold the texts of messages.
            detail = f"HTTP {reply.status} with no reply that can be read"
        error = error_of(rule, detail, seconds_of(asked_to_wait(reply.headers), self._dialect.now()))
        error.for_log = self._quotes.outline(reply.status, body)
        if command is Command.SEND:
            error.own_detail = self._quotes.detail(reply.status, body, (text,), shown=asked)
        return error


def _nothing_plain(_content: bytes, _asked: Sequence[str]) -> None:
    """Have every reply read with care."""


def _named(outcome: WorkerError | None) -> str:
    """Return the name of a failure for metrics; None means that nothing came of the call."""
    return next((name for kind, name in _OUTCOMES if isinstance(outcome, kind)), "cancelled")
