"""Who is in the shop: calls counted by command, calls in flight, and the limit on those served at once."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from worker.simulator.wire import Call, Command

_RECENT_CALLS = 1000
_SECRET = frozenset({"username", "password"})


class Traffic:
    """Counts of calls, and the queue before a gateway that serves only so many at once.

    Attributes:
        calls: every call that arrived, by command.
        recent: the newest calls with their parameters, without the credentials.
        in_flight: calls that have no complete reply yet, the queueing ones included.
        max_in_flight: the highest value of that.
        repeated_parameters: calls that gave a parameter more than once.
    """

    def __init__(self) -> None:
        self.calls: Counter[Command] = Counter()
        self.recent: deque[dict[str, Any]] = deque(maxlen=_RECENT_CALLS)
        self.in_flight = 0
        self.max_in_flight = 0
        self.repeated_parameters = 0
        self._served = 0
        self._queue: deque[asyncio.Future[None]] = deque()

    @contextmanager
    def arrival(self, call: Call, at: float) -> Iterator[None]:
        """Count *call*, and hold it in flight until the block ends."""
        self.calls[call.command] += 1
        self.repeated_parameters += bool(call.repeated)
        self.recent.append(
            {
                "at": at,
                "method": call.method,
                "command": call.command.value,
                "params": {name: value for name, value in call.params.items() if name not in _SECRET},
                "repeated": list(call.repeated),
                "token": call.authorization is not None,
            }
        )
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    async def admit(self, limit: int, *, queue: bool) -> bool:
        """Take one of *limit* places (0: no limit), waiting for it if *queue*; tell if it was had.

        Whoever was let in must call ``release``.
        """
        if not limit or self._served < limit:
            self._served += 1
            return True
        if not queue:
            return False
        place = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        await place
        return True

    def release(self) -> None:
        """Hand the place to the first in the queue, or free it."""
        while self._queue:
            place = self._queue.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._served -= 1
