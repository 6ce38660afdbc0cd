"""The ``WebApi`` port over HTTP: one request a call, its reply cleaned of credentials."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus

import httpx

from worker.domain.errors import TransientError, WorkerError
from worker.domain.web_verdict import WebReply
from worker.iton.bodies import decoded
from worker.iton.client import TimeLimits
from worker.iton.dialect import Credentials
from worker.iton.exchange import asked_to_wait, exchange_of, lost
from worker.iton.http_logs import quiet_http_logs
from worker.iton.protocol import Headers, Request
from worker.iton.replies import seconds_of
from worker.iton.transport import AiohttpTransport, Incoming
from worker.iton.web_replies import published
from worker.iton.words import Quotes
from worker.ports import Command, WebCall

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})

OnCall = Callable[[str, str, float], None]


class ItonWebApi:
    """ITON's Web API (Credentials, Channels, Media); an implementation of :class:`worker.ports.WebApi`.

    Args:
        address: below which all paths lie, without query and fragment.
        credentials: whose token is sent, and which no reply shows.
        limits: of each call.
        transport: never sends a request twice, and follows no redirect.
        on_call: after each call, with the command, the outcome and the seconds it took; must not raise.
    """

    def __init__(
        self,
        address: str,
        credentials: Credentials,
        *,
        limits: TimeLimits,
        transport: AiohttpTransport | httpx.AsyncBaseTransport,
        on_call: OnCall = lambda _command, _outcome, _seconds: None,
    ) -> None:
        quiet_http_logs()
        self._address = f"{address.rstrip('/')}/"
        self._headers: Headers = (
            ("Accept-Encoding", "gzip"),
            ("User-Agent", "iton-worker"),
            ("Authorization", f"ITON {credentials.token}"),
        )
        self._quotes = Quotes(credentials)
        self._patience = limits.patience()
        self._transport = transport
        self._exchange = exchange_of(transport)
        self._on_call = on_call

    def __repr__(self) -> str:
        return f"ItonWebApi({self._address!r})"

    async def call(self, call: WebCall) -> WebReply:
        """Make one HTTP request and return the reply; see the port."""
        now = asyncio.get_running_loop().time
        started = now()
        reply: Incoming | WorkerError | None = None
        try:
            reply = await self._replied(self._request(call))
        finally:
            self._on_call(Command.API.value, _outcome(reply), now() - started)
        if isinstance(reply, WorkerError):
            # Out of every except clause: httpx's error, which knows the URL, is not in its chain.
            raise reply
        return self._read(reply)

    async def is_there(self) -> bool:
        """Tell whether it answers a GET of its own address, with whatever it likes but a fault of its own."""
        reply = await self._replied(Request(Command.API, "GET", self._address, self._headers, None))
        if isinstance(reply, WorkerError):
            return False
        return reply.status not in _BUSY and reply.status < HTTPStatus.INTERNAL_SERVER_ERROR

    async def aclose(self) -> None:
        """Close all connections; a call under way ends as uncertain."""
        await self._transport.aclose()

    def _request(self, call: WebCall) -> Request:
        path, question, query = call.path.partition("?")
        headers = self._headers
        content = call.content
        if call.content_type is not None:
            headers = (*headers, ("Content-Type", call.content_type))
        if content is None and call.method in _WITH_BODY:
            content = b""  # or some servers wait for a length (411)
        address = self._address + path
        url = f"{address}?{query}" if question else address
        return Request(Command.API, call.method, url, headers, content)

    async def _replied(self, request: Request) -> Incoming | WorkerError:
        try:
            return await self._exchange(request, self._patience)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the request may be out
            return lost(exc, "the Web API")

    def _read(self, reply: Incoming) -> WebReply:
        body = decoded(reply.content)
        value, truncated = published(reply.content, self._quotes.without_credentials)
        return WebReply(
            reply.status,
            value,
            truncated,
            self._quotes.detail(reply.status, body, ()),
            self._quotes.outline(reply.status, body),
            seconds_of(asked_to_wait(reply.headers), datetime.now(UTC)),
        )


def _outcome(reply: Incoming | WorkerError | None) -> str:
    """Return the outcome's name for metrics; None means that nothing came of the call."""
    if reply is None:
        return "cancelled"
    if isinstance(reply, TransientError) or (isinstance(reply, Incoming) and reply.status in _BUSY):
        return "transient"
    if isinstance(reply, Incoming):
        if reply.successful:
            return "ok"
        if HTTPStatus.MULTIPLE_CHOICES <= reply.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return "permanent"
    return "uncertain"


def _kind(exc: Exception) -> str:
    return type(exc).__name__
