"""The handlers and their collaborators."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, partial
from hashlib import sha256
from random import Random
from typing import TypeVar

from schemas import JobKind
from worker.bootstrap.rules import acceptance_of, api_acceptance_of, hours_of, numbering_of, waiting_of
from worker.bootstrap.tokens import drawn, tokens
from worker.bootstrap.tracing import Tracing
from worker.bootstrap.track_wiring import TrackWiring
from worker.bootstrap.web_side import ApiWiring, WebSide
from worker.domain import api_entry
from worker.domain.cancel_request import CancelRequest, decode_request
from worker.domain.disposition import RetryPolicy
from worker.domain.limits import MOST_PER_CALL
from worker.domain.messages import Lane
from worker.handlers.account import AccountHandler
from worker.handlers.balance_book import BalanceBook
from worker.handlers.cancel.handler import CancelHandler
from worker.handlers.cancel.marking import Marking
from worker.handlers.cancel.requests import Requests
from worker.handlers.credits_watch import CreditsWatch
from worker.handlers.dispatch import Dispatch, Handler
from worker.handlers.entries import Store
from worker.handlers.lookups import Ask, Lookups
from worker.handlers.send.calls import Calls
from worker.handlers.send.completion import Completion
from worker.handlers.send.entries import EntryStore
from worker.handlers.send.handler import SendHandler
from worker.handlers.send.large_jobs import LargeJobs
from worker.handlers.send.part_work import PartWork
from worker.handlers.send.parts import PartHandler, PartSender
from worker.handlers.send.planning import Planning
from worker.handlers.send.ports import SendPorts
from worker.handlers.send.renewal import Renewal
from worker.handlers.send.shared_calls import SharedCalls
from worker.handlers.send.timing import Timing
from worker.handlers.status import StatusHandler
from worker.handlers.track.handler import TrackHandler
from worker.ports import CallGate, Clock, Command, Gateway, Ledger, Locks, Observer, Publisher
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
class HandlerWiring:
    """Builds the handlers from their collaborators."""

    settings: Settings
    clock: Clock
    observer: Observer
    gateway: Gateway
    ledger: Ledger
    gate: CallGate
    publisher: Publisher
    random: Random
    store_time: Callable[[], float]
    tracing: Tracing = field(default_factory=Tracing)
    web: WebSide | None = None

    def dispatch(self) -> Dispatch:
        """Return the one entrance for deliveries."""
        locks, ports, timing = KeyedLock(), self._ports(), Timing(self.clock, hours_of(self.settings))
        resends, following = self.settings.retry.resend_attempts, self._tracking.following
        completion = Completion(ports, self._make(ports), self._policy(), resends, following, timing)
        sender = PartSender(completion, ports.entries, self.clock, locks)
        send = SendHandler(
            acceptance_of(self.settings, self.clock.now),
            Planning(numbering_of(self.settings), self._lookups, self.gateway, self.clock, timing),
            completion,
            LargeJobs(completion, sender, ports, self.settings.sending.share_above),
            ports.entries,
            self.gate,
            self.clock,
            locks,
            timing,
        )
        parts = PartHandler(sender)
        whole: dict[JobKind, Handler] = {
            JobKind.SEND: send,
            JobKind.STATUS: self._status(),
            JobKind.ACCOUNT: self._account(),
            JobKind.API: self._api(locks),
            JobKind.CANCEL: self._cancel(),
        }
        return Dispatch(
            handlers={
                **{lane: parts if lane.holds_parts else whole[lane.kind] for lane in Lane},
                Lane.TRACK: TrackHandler(self._lookups, self._tracking.following, KeyedLock()),
            },
            publisher=self.publisher,
            gate=self.gate,
            observer=self.observer,
            clock=self.clock,
            renewal=self.renewal,
            waiting=waiting_of(self.settings),
            aside=self._aside(),
        )

    @cached_property
    def renewal(self) -> Renewal:
        """What has the entries of jobs live on that are not done yet."""
        sends = acceptance_of(self.settings, self.clock.now)
        return Renewal(sends, self._entries, api_acceptance_of(self.settings))

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
            book=BalanceBook(self.ledger, self._balance_key(), self._entries.draw_token, self.store_time),
            draw_id=partial(drawn, self.random),
        )

    def _balance_key(self) -> str:
        """Name the balance's entry. No job id has a slash, and another account has another balance."""
        gateway = self.settings.gateway
        account = f"{gateway.base_url}\0{gateway.username.get_secret_value()}"
        return f"balance/{sha256(account.encode()).hexdigest()[:16]}"

    def _ports(self) -> SendPorts:
        return SendPorts(
            entries=self._entries,
            gateway=self.gateway,
            gate=self.gate,
            retry=self.tracing.sending(self._retry(Command.SEND)),
            publisher=self.publisher,
            clock=self.clock,
            observer=self.observer,
            store_time=self.store_time,
            lease=self.settings.gateway.timeout + LEASE_MARGIN,
            margin=LEASE_MARGIN,
        )

    def _make(self, ports: SendPorts) -> Callable[[PartWork], Awaitable[object]]:
        """Return what makes calls: for each job alone, or for those together that send the same."""
        if not self.settings.gateway.coalesce_sends:
            return Calls(self.gateway, self.gate, ports.entries).alone
        on_call = partial(self.observer.call_shared, Command.SEND)
        return SharedCalls(Calls(self.gateway, self.gate, ports.entries, on_call)).make

    @cached_property
    def _entries(self) -> EntryStore:
        return EntryStore(self.ledger, tokens(self.random))

    @cached_property
    def _tracking(self) -> TrackWiring:
        return TrackWiring(self.settings, self.ledger, self.publisher, self.clock, self.observer, self.random)

    def stop_looks(self) -> None:
        """Have looks that wait for company go back to their queue."""
        self._tracking.stop()

    @cached_property
    def _lookups(self) -> Lookups:
        """The one place through which all jobs ask, so that they can ask together."""
        retry = {command: self._retry(command) for command in Command}
        return self.tracing.lookups(
            self.gateway,
            self.gate,
            retry,
            memory=self._memory(),
            pooling=self._pooled,
            patiently=self._tracking.pooled,
        )

    def _memory(self) -> NumberMemory:
        def recalled(known: int, unknown: int) -> None:
            self.observer.dnd_cached(hits=known, misses=unknown)

        return NumberMemory(self.settings.gateway.dnd_memory, self.clock, on_recall=recalled)

    def _pooled(self, command: Command, ask: Ask[V]) -> Ask[V]:
        return Batcher(
            ask,
            size=MOST_PER_CALL,
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

    def _api(self, locks: Locks) -> Handler:
        wiring = ApiWiring(
            self.web,
            api_acceptance_of(self.settings),
            Store(self.ledger, self._entries.draw_token, api_entry.encode, api_entry.decode),
            self._retry(Command.API),
            self.publisher,
            self._policy(),
            self.clock,
            self.observer,
            self.store_time,
        )
        return wiring.handler(locks, lease=self.settings.gateway.timeout + LEASE_MARGIN, margin=LEASE_MARGIN)

    def _account(self) -> AccountHandler:
        max_bytes = self.settings.broker.max_body_bytes
        return AccountHandler(
            self._lookups, self.publisher, self._policy(), self.clock, self.observer, max_bytes
        )

    def _cancel(self) -> CancelHandler:
        entries = self._entries
        return CancelHandler(
            Requests(Store(entries.ledger, entries.draw_token, CancelRequest.encode, decode_request)),
            Marking(entries, self.clock, self.store_time, LEASE_MARGIN),
            self.publisher,
            self._policy(),
            self.clock,
            KeyedLock(),
            self.settings.broker.max_body_bytes,
        )
