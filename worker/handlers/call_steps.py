"""How far a call has got, and what a cancellation may still cut off."""

import asyncio
from collections.abc import Coroutine
from enum import Enum, auto

from worker.handlers.finishing import LAST_STEP, ended

# Seconds that a call under way has left at a cancellation: what has arrived is read.
_SAME_TURN = 0.1


class Step(Enum):
    """Where a call is."""

    WAITING = auto()  # for leave to be made
    WRITING = auto()  # the claim, or what became of the call
    CALLING = auto()


class CallSteps:
    """Keeps a call out of reach of a cancellation that comes with its reply.

    Attributes:
        at: the step that it is in; whoever makes the call says so.
        stopped: the job was cancelled: no call may begin any more.
    """

    def __init__(self) -> None:
        self.at = Step.WAITING
        self.stopped = False

    async def uncut(self, call: Coroutine[None, None, None]) -> None:
        """Await *call* in a task of its own.

        At a cancellation a call that waits is dropped at once. What is being written is finished, and of a
        call under way what has arrived is read and recorded; that may take `LAST_STEP`.
        """
        self.at = Step.WAITING
        task = asyncio.create_task(call)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            self.stopped = True
            if self.at is Step.CALLING:
                await ended(task, _SAME_TURN)
            if self.at is Step.WRITING:
                await ended(task, LAST_STEP)
            if not task.done():
                task.cancel()
                await ended(task, LAST_STEP)
            raise
