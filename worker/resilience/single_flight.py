"""Work that several want done at the same time, done once."""

import asyncio
from collections.abc import Awaitable, Callable


class SingleFlight:
    """One does the work; whoever comes meanwhile waits for it and has nothing left to do.

    What fails or is cancelled counts for nobody else: the next of those who wait does it.
    """

    def __init__(self) -> None:
        self._under_way: asyncio.Future[bool] | None = None

    async def do(self, work: Callable[[], Awaitable[None]]) -> None:
        """See that *work* is done between now and the end of this call.

        Raises:
            Exception: what *work* raises, where this call did it.
        """
        while self._under_way is not None:
            # Shielded: who waits and is cancelled ends nothing but their own waiting.
            if await asyncio.shield(self._under_way):
                return
        self._under_way = end = asyncio.get_running_loop().create_future()
        done = False
        try:
            await work()
            done = True
        finally:
            self._under_way = None
            end.set_result(done)
