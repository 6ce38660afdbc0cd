"""Where exactly a worker dies: every call that a job's walk makes of the outside world is a step.

Runs inside the worker's process. The adapters' methods are wrapped there, so the program itself has no
hook for it.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from signal import SIGKILL, Signals
from typing import Any, Literal

from worker.amqp.consume.deliveries import Received
from worker.amqp.consume.in_hand import InHand
from worker.amqp.publish.publisher import BrokerPublisher
from worker.handlers.balance_book import BalanceBook
from worker.iton.client import ItonGateway
from worker.ledger import SqliteLedger
from worker.ledger.postgresql.store import PostgresqlLedger
from worker.ledger.redis import RedisLedger

Side = Literal["before", "after"]

STEPS: tuple[tuple[type, str, str], ...] = (
    (SqliteLedger, "swap", "swap"),
    (RedisLedger, "swap", "swap"),
    (PostgresqlLedger, "swap", "swap"),
    (SqliteLedger, "swap_many", "swap"),
    (RedisLedger, "swap_many", "swap"),
    (PostgresqlLedger, "swap_many", "swap"),
    (ItonGateway, "check_dnd", "dnd"),
    (ItonGateway, "send", "call"),
    (ItonGateway, "message_status", "status"),
    (ItonGateway, "account", "account"),
    (BrokerPublisher, "publish_result", "result"),
    (BrokerPublisher, "publish_part", "part"),
    (BrokerPublisher, "publish_dead", "dead"),
    (BrokerPublisher, "publish_delay", "delay"),
    (BrokerPublisher, "publish_waiting", "wait"),
    (BrokerPublisher, "publish_follow_up", "follow"),
)
"""Class, method, and what the guarantees call it; and `Received.ack`, which is no coroutine, as "ack".
Loads only read: nothing changes between them."""

ASIDE: tuple[tuple[type, str], ...] = ((BalanceBook, "_written"),)
"""What goes on beside all jobs, and is no step of theirs."""

_ON_ITS_WAY = 0.1  # seconds; an event loop writes to its sockets at the end of its round
_in_step: ContextVar[bool] = ContextVar("in_step", default=False)  # what a step does within is that step
_INTO_LINE = 0.1  # seconds; a job that was just taken needs a few rounds of the event loop


@dataclass(frozen=True, slots=True)
class Moment:
    """A point of a walk: just before or just after the *nth* (1-based) step of a name.

    Attributes:
        signal: what the process does to itself there: SIGKILL dies, SIGSTOP freezes.
    """

    step: str
    nth: int = 1
    side: Side = "before"
    signal: Signals = SIGKILL

    def __str__(self) -> str:
        return f"{self.side}-{self.step}-{self.nth}"


class Walk:
    """Writes down each step of this process as it begins, and strikes at the moment.

    Args:
        moment: None never strikes.
        track: gets a line a step; a step is in it before anything happens.
        gathers: deliveries that must have come before the worker's first question ends. Where there is room
            for one call at a time, theirs waits for that, and they meet in it.
    """

    def __init__(self, moment: Moment | None, track: Path, *, gathers: int = 0) -> None:
        self._moment = moment
        self._track = track
        self._gathers = gathers
        self._gathered = asyncio.Event()
        self._seen: Counter[str] = Counter()

    def install(self) -> None:
        """Wrap the adapters' methods."""
        if self._gathers:
            self._gather()
        for owner, method, name in STEPS:
            setattr(owner, method, self._wrapped(getattr(owner, method), name))
        for owner, method in ASIDE:
            setattr(owner, method, _aside(getattr(owner, method)))
        self._note_acknowledgements()
        self._note_redeliveries()

    def _gather(self) -> None:
        account, take = ItonGateway.account, InHand.take
        taken: list[Received] = []

        async def held(gateway: ItonGateway) -> Decimal:
            answer = await account(gateway)
            await self._gathered.wait()
            await asyncio.sleep(_INTO_LINE)
            return answer

        def counted(in_hand: InHand, received: Received) -> None:
            take(in_hand, received)
            taken.append(received)
            if len(taken) == self._gathers:
                self._gathered.set()

        setattr(ItonGateway, "account", held)  # noqa: B010 - mypy refuses to have methods assigned
        setattr(InHand, "take", counted)  # noqa: B010 - mypy refuses to have methods assigned

    def _note_acknowledgements(self) -> None:
        """The step is over when the socket has it, not when it was written for the socket."""
        ack = Received.ack

        def noted(received: Received) -> None:
            nth = self._begun("ack")
            ack(received)
            asyncio.get_running_loop().call_later(_ON_ITS_WAY, self._strike, "ack", nth, "after")

        setattr(Received, "ack", noted)  # noqa: B010 - mypy refuses to have methods assigned

    def _note_redeliveries(self) -> None:
        take = InHand.take

        def noted(in_hand: InHand, received: Received) -> None:
            if received.delivery.redelivered:
                self._note("redelivered")
            take(in_hand, received)

        setattr(InHand, "take", noted)  # noqa: B010 - mypy refuses to have methods assigned

    def _note(self, name: str) -> None:
        with self._track.open("a") as track:
            track.write(f"{name}\n")

    def _wrapped(self, call: Callable[..., Awaitable[Any]], name: str) -> Callable[..., Awaitable[Any]]:
        async def step(*args: object, **kwargs: object) -> Any:  # noqa: ANN401 - whatever the method returns
            if _in_step.get():
                return await call(*args, **kwargs)
            nth = self._begun(name)
            token = _in_step.set(True)
            try:
                answer = await call(*args, **kwargs)
            finally:
                _in_step.reset(token)
            self._strike(name, nth, "after")
            return answer

        return step

    def _begun(self, name: str) -> int:
        self._seen[name] += 1
        nth = self._seen[name]
        self._strike(name, nth, "before")
        self._note(name)
        return nth

    def _strike(self, name: str, nth: int, side: Side) -> None:
        moment = self._moment
        if moment is not None and (name, nth, side) == (moment.step, moment.nth, moment.side):
            os.kill(os.getpid(), moment.signal)


def _aside(call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def aside(*args: object, **kwargs: object) -> Any:  # noqa: ANN401 - whatever the method returns
        token = _in_step.set(True)
        try:
            return await call(*args, **kwargs)
        finally:
            _in_step.reset(token)

    return aside
