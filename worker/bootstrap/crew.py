"""The handlers and their collaborators."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, partial
from itertools import count
from random import Random
from typing import TypeVar

from worker.bootstrap.rules import acceptance_of, numbering_of
from worker.bootstrap.tracing import Tracing
from worker.domain.disposition import RetryPolicy
from worker.domain.messages import Lane
from worker.handlers.account import AccountHandler
from worker.handlers.completion import Completion
from worker.handlers.credits_watch import CreditsWatch
from worker.handlers.dispatch import Dispatch
from worker.handlers.joint_sends import JointSends
from worker.handlers.large_jobs import LargeJobs
from worker.handlers.ledger_book import LedgerBook
from worker.handlers.lookups import BATCH, Ask, Lookups
from worker.handlers.parts import PartHandler
from worker.handlers.renewal import Renewal
from worker.handlers.send import SendHandler
from worker.handlers.send_tools import SendTools
from worker.handlers.status import StatusHandler
from worker.ports import CallGate, Clock, Command, Gateway, Ledger, Observer, Publisher
from worker.resilience.batcher import Batcher
from worker.resilience.keyed_lock import KeyedLock
from worker.resilience.number_memory import NumberMemory
from worker.resilience.retry import RetryAttempts
from worker.settings import Settings

V = TypeVar("V")

_LONGEST_ASIDE = 8  # seconds; an outage's end must be noticed within ten

# A send waits for its lookup, so a few go out without company while the gateway has room for them. A status
# check is in no hurry: fewer, fuller calls are worth more there.
_SOON = {Command.DND: 4}
# A call must be settled within its time limit and this; then another worker may take it over.
LEASE_MARGIN = 5.0


@dataclass(frozen=True)
class Crew:
    """Builds the handlers from their collaborators."""

    settings: Settings
    clock: Clock
    observer: Observer
    gateway: Gateway
    ledger: Ledger
    gate: CallGate
    publisher: Publisher
    random: Random
    tracing: Tracing = field(default_factory=Tracing)

    def dispatch(self) -> Dispatch:
        """Return the one entrance for deliveries."""
        locks, completion = KeyedLock(), self._completion()
        large = LargeJobs(completion, locks, self.settings.sending.share_above)
        numbering = numbering_of(self.settings)
        send = SendHandler(acceptance_of(self.settings), numbering, self._lookups, completion, large, locks)
        parts = PartHandler(completion, locks)
        return Dispatch(
            handlers={
                Lane.SEND: send,
                Lane.SEND_URGENT: send,
                Lane.SEND_PARTS: parts,
                Lane.SEND_URGENT_PARTS: parts,
                Lane.STATUS: self._status(),
                Lane.ACCOUNT: self._account(),
            },
            publisher=self.publisher,
            gate=self.gate,
            observer=self.observer,
            clock=self.clock,
            renewal=Renewal(acceptance_of(self.settings), self._book),
            aside=self._aside(),
        )

    def _aside(self) -> int:
        """Return for how long a job makes way: not for longer than work may stand still after an outage."""
        shortest = self.settings.retry.delays[0]
        return shortest if shortest <= _LONGEST_ASIDE else 0

    def credits_watch(self) -> CreditsWatch:
        """Return the watch over the balance, which also finds a refused account at the start."""
        return CreditsWatch(
            self._lookups,
            self.publisher,
            self.observer,
            self.clock,
            threshold=Decimal(str(self.settings.credits.low)),
            interval=self.settings.credits.interval,
            draw_id=partial(_drawn, self.random),
        )

    def _completion(self) -> Completion:
        tools = SendTools(
            book=self._book,
            gateway=self.gateway,
            gate=self.gate,
            retry=self.tracing.sending(self._retry(Command.SEND)),
            clock=self.clock,
            observer=self.observer,
            lease=self.settings.gateway.timeout + LEASE_MARGIN,
            margin=LEASE_MARGIN,
            joint=self._joint,
        )
        return Completion(tools, self.publisher, self._policy(), self.settings.retry.resend_attempts)

    @cached_property
    def _joint(self) -> JointSends | None:
        """The one place in which jobs meet that send the same."""
        if not self.settings.gateway.coalesce_sends:
            return None
        return JointSends(self.gateway, self.gate, self.observer, self._book)

    @cached_property
    def _book(self) -> LedgerBook:
        return LedgerBook(self.ledger, _tokens(self.random))

    @cached_property
    def _lookups(self) -> Lookups:
        """The one place through which all jobs ask, so that they can ask together."""
        retry = {command: self._retry(command) for command in Command}
        return self.tracing.lookups(
            self.gateway, self.gate, retry, memory=self._memory(), pooling=self._pooled
        )

    def _memory(self) -> NumberMemory:
        def recalled(known: int, unknown: int) -> None:
            self.observer.dnd_cached(hits=known, misses=unknown)

        return NumberMemory(self.settings.gateway.dnd_memory, self.clock, on_recall=recalled)

    def _pooled(self, command: Command, ask: Ask[V]) -> Ask[V]:
        return Batcher(
            ask,
            size=BATCH,
            while_room=_SOON.get(command, 0),
            has_room=partial(self.gate.has_room, urgent=False),
            on_question=partial(self.observer.call_shared, command),
        ).get

    def _retry(self, command: Command) -> RetryAttempts:
        return RetryAttempts(
            self.settings.retry.attempts,
            self.clock,
            self.random,
            on_retry=lambda: self.observer.retried(command),
        )

    def _policy(self) -> RetryPolicy:
        return RetryPolicy(self.settings.retry.delays, self.settings.retry.max_age)

    def _status(self) -> StatusHandler:
        max_bytes = self.settings.broker.max_body_bytes
        return StatusHandler(self._lookups, self.publisher, self._policy(), self.clock, max_bytes)

    def _account(self) -> AccountHandler:
        max_bytes = self.settings.broker.max_body_bytes
        return AccountHandler(
            self._lookups, self.publisher, self._policy(), self.clock, self.observer, max_bytes
        )


def _drawn(random: Random) -> str:
    """Return 16 characters that nobody else draws."""
    return f"{random.getrandbits(64):016x}"


def _tokens(random: Random) -> Callable[[], str]:
    """Return a source of tokens that no other process draws: one random start, then counted."""
    start, numbers = _drawn(random), count()
    return lambda: f"{start}{next(numbers):x}"
