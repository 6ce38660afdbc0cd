"""Questions to the gateway, each asked once for all who doubt."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from worker.ports import Clock, Command, ProbeAnswer

log = structlog.get_logger(__name__)

Ask = Callable[[Command, str | None], Awaitable[ProbeAnswer]]


@dataclass(slots=True)
class _Question:
    """The gateway is asked; whoever doubts meanwhile waits for the same answer."""

    asked_at: float
    answer: asyncio.Task[ProbeAnswer]


class Questions:
    """Asks whether commands work.

    Args:
        ask: the gateway whether a command works, with a key that was answered before where there is one.
            Ends soon, whatever the gateway does.
        clock: time.
    """

    def __init__(self, ask: Ask, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._open: dict[Command, _Question] = {}

    async def answer(self, command: Command, since: float, good: str | None) -> ProbeAnswer:
        """Return the answer to a question that was asked at *since* or later."""
        while True:
            question = self._open.get(command)
            if question is None or question.answer.done():
                answer = asyncio.create_task(self._answer(command, good))
                question = self._open[command] = _Question(self._clock.elapsed(), answer)
            # Nobody's cancellation takes the answer from the others.
            answered = await asyncio.shield(question.answer)
            if question.asked_at >= since:
                return answered

    async def _answer(self, command: Command, good: str | None) -> ProbeAnswer:
        try:
            return await self._ask(command, good)
        except Exception as error:  # noqa: BLE001 - an outage whose question died would never end
            log.error("probe.crashed", command=command.value, error=type(error).__name__)  # noqa: TRY400 - no values
            return ProbeAnswer(answered=False)

    def close(self) -> None:
        """Stop all of them."""
        for question in self._open.values():
            question.answer.cancel()
