"""What follows messages, and its collaborators."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from random import Random
from typing import TypeVar

from worker.bootstrap.tokens import tokens
from worker.domain.errors import UnavailableError, WorkerError
from worker.domain.limits import MOST_PER_CALL
from worker.domain.tracking import decode_unit, encode_unit
from worker.handlers.entries import Store
from worker.handlers.lookups import Ask, PatientAsk
from worker.handlers.track.following import Following
from worker.handlers.track.verdict import Judge
from worker.ports import Clock, Command, Ledger, Observer, Publisher
from worker.resilience.patient_batcher import PatientBatcher
from worker.settings import Settings

V = TypeVar("V")

_AT_ONCE = 8  # calls for tracked messages under way; those of users find room beside them
_LONGEST_PATIENCE = 5.0  # seconds


@dataclass(frozen=True)
class TrackWiring:
    """Builds what follows messages."""

    settings: Settings
    ledger: Ledger
    publisher: Publisher
    clock: Clock
    observer: Observer
    random: Random
    _stops: list[Callable[[Exception], None]] = field(default_factory=list)

    @cached_property
    def following(self) -> Following:
        """What begins to follow, and goes on."""
        track = self.settings.track
        return Following(
            units=Store(self.ledger, tokens(self.random), encode_unit, decode_unit),
            publisher=self.publisher,
            clock=self.clock,
            observer=self.observer,
            judge=Judge(track.limit),
            delays=track.delays,
            draw_nonce=tokens(self.random),
        )

    def pooled(self, ask: Ask[V]) -> PatientAsk[V]:
        """Return a question that waits for company."""
        batcher: PatientBatcher[str, V | WorkerError] = PatientBatcher(
            ask,
            size=MOST_PER_CALL,
            at_once=_AT_ONCE,
            on_question=partial(self.observer.call_shared, Command.STATUS),
        )
        self._stops.append(batcher.stop)

        async def asked(keys: Sequence[str], patience: float) -> Mapping[str, V | WorkerError]:
            return await batcher.get(keys, patience=min(patience, _LONGEST_PATIENCE))

        return asked

    def stop(self) -> None:
        """Have nobody wait for company any more."""
        for stop in self._stops:
            stop(UnavailableError("worker_stopping", "the worker stops and gives the job back"))
