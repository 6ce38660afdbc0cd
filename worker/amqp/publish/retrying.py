"""Publishes a message again until the broker has it, without flooding those who have it already."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final, NamedTuple

import structlog

from worker.amqp.backoff import Backoff, digest
from worker.amqp.connection.calls import describe
from worker.amqp.connection.library import AMQPError, ChannelAccessRefused
from worker.amqp.connection.supervisor import Supervisor
from worker.amqp.publish.confirms import ConfirmChannel
from worker.amqp.publish.observer import PublishObserver
from worker.amqp.publish.outgoing import Outgoing
from worker.amqp.publish.window import RefusedError, UnroutableError
from worker.domain.errors import BrokerUnavailableError

log = structlog.get_logger(__name__)

_REPEAT_PAUSE: Final = 0.25  # seconds, where nothing was refused and only the connection was lost
_REPAIR_EVERY: Final = 5.0  # seconds; two hundred messages that come back want one repair
# RabbitMQ, "topic authorisation": rights of a user by routing key, beside those to the exchange.
_OF_A_TOPIC: Final = "access to topic"
_FULL = "the broker refused it: a queue that is bound there is full (reject-publish) or has no leader"


class _Trouble(NamedTuple):
    """Why a publish has no confirm.

    Attributes:
        refused: the broker had the message and did not take it, or did not say so; others may have a copy.
    """

    code: str
    words: str
    refused: bool


class RetriedPublishing:
    """Repeats what was not confirmed: soon after a lost connection, with growing pauses after a refusal.

    A message that is refused waits here, in the hands of its job, and holds up no other: given back to its
    queue it would come again at once, here or to a worker that knows nothing of the pauses.

    Args:
        supervisor: of the connection.
        backoff: remembers what was refused.
        repair: declares again what somebody deleted.
        confirm_within: seconds for one publish, repeats over a lost connection included.
        hold: seconds that a refused message is kept here.
        observer: learns of each message.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        backoff: Backoff,
        repair: Callable[[], Awaitable[None]],
        *,
        confirm_within: float,
        hold: float,
        observer: PublishObserver,
    ) -> None:
        self._supervisor = supervisor
        self._repair = repair
        self._confirm_within = confirm_within
        self._hold = hold
        self._observer = observer
        self._backoff = backoff
        self._repairing = asyncio.Lock()
        self._repaired = float("-inf")

    async def deliver(
        self,
        channel: ConfirmChannel,
        message: Outgoing,
        error: BrokerUnavailableError | AMQPError | None,
        pointless: Callable[[], bool],
    ) -> None:
        """Return when the broker has confirmed *message*.

        Args:
            channel: to publish on.
            message: what to publish.
            error: that it met when it was published first; None: it could not be published at once.
            pointless: whether a repeat has become so.

        Raises:
            BrokerUnavailableError: it was not confirmed in time, or is still refused after the hold; or a
                repeat would be pointless.
        """
        try:
            trouble = await self._trouble_of(error) if error is not None else None
            await self._keep_trying(channel, message, trouble, pointless)
        except BrokerUnavailableError as given_up:
            how = "returned" if given_up.code == "unroutable" else "failed"
            self._observer.given_up(kind_of(message.exchange), how)
            raise

    async def _keep_trying(
        self,
        channel: ConfirmChannel,
        message: Outgoing,
        trouble: _Trouble | None,
        pointless: Callable[[], bool],
    ) -> None:
        now = asyncio.get_running_loop().time
        key, held_until = _key(message), now() + self._hold
        until = now() + self._confirm_within
        while True:
            if trouble is not None:
                self._note(key, message, trouble)
                if trouble.refused and now() >= held_until:
                    raise BrokerUnavailableError(trouble.code, trouble.words)
            if wait := self._backoff.wait(key, now()):
                await asyncio.sleep(wait)
                until = now() + self._confirm_within
            elif trouble is not None:
                await asyncio.sleep(_REPEAT_PAUSE)
            if pointless():
                raise BrokerUnavailableError("connection_lost", "the delivery was lost meanwhile")
            trouble = await self._tried_until(until, channel, message)
            if trouble is None:
                self._taken(key)
                return

    async def _tried_until(self, until: float, channel: ConfirmChannel, message: Outgoing) -> _Trouble | None:
        trouble: _Trouble | None = None
        try:
            async with asyncio.timeout_at(until):
                await self._supervisor.wait_up()
                trouble = await self._tried(channel, message)
        except TimeoutError:
            words = self._supervisor.state.reason or "the broker did not confirm it"
            raise BrokerUnavailableError("not_confirmed", words) from None
        return trouble

    async def _tried(self, channel: ConfirmChannel, message: Outgoing) -> _Trouble | None:
        """Publish once; None when it is confirmed."""
        try:
            await channel.publish(message)
        except (BrokerUnavailableError, AMQPError) as error:
            return await self._trouble_of(error)
        return None

    async def _trouble_of(self, error: BrokerUnavailableError | AMQPError) -> _Trouble:
        """Mend what can be, and say what *error* means for the message."""
        match error:
            case UnroutableError():
                await self._repair_once()
                return _Trouble(error.code, error.detail, refused=True)
            case BrokerUnavailableError():
                return _Trouble(error.code, error.detail, refused=error.code == "timeout")
            case RefusedError():
                return _Trouble("not_confirmed", _FULL, refused=True)
            case ChannelAccessRefused() if _OF_A_TOPIC in str(error):
                pass  # It is about this key alone, and nobody can ask for it but by publishing.
            case ChannelAccessRefused():
                # A new connection finds out which right is missing, and says so until it is there.
                self._supervisor.fail(describe(error))
            case _:
                await self._repair_once()
        return _Trouble("not_confirmed", describe(error), refused=True)

    async def _repair_once(self) -> None:
        """Declare what somebody deleted; many messages that came back together have it done once."""
        async with self._repairing:
            now = asyncio.get_running_loop().time()
            if now - self._repaired < _REPAIR_EVERY:
                return
            self._repaired = now
            await self._repair()

    def _note(self, key: bytes, message: Outgoing, trouble: _Trouble) -> None:
        if not trouble.refused:
            return
        target = message.exchange or message.routing_key
        first = self._backoff.refused(key, target, asyncio.get_running_loop().time())
        self._observer.refused(
            kind_of(message.exchange), "returned" if trouble.code == "unroutable" else "failed"
        )
        if first:
            log.warning("publish.refused", exchange=target, reason=trouble.words)

    def _taken(self, key: bytes) -> None:
        target = self._backoff.taken(key)
        if target is not None:
            log.info("publish.taken", exchange=target)


@lru_cache(maxsize=64)
def kind_of(exchange: str) -> str:
    """What observers call the messages of *exchange*."""
    return exchange.rpartition(".")[2] or "parts"


def _key(message: Outgoing) -> bytes:
    """What is the same of a message whenever it comes again: a copy's own id is not."""
    names = (message.exchange, message.routing_key, message.properties.text("message_id") or "")
    return digest(*(name.encode() for name in names), message.body)
