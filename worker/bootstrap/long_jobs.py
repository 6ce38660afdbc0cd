"""Jobs that stay in hand for long have their entries live on.

A result that finds no room is waited for where it is, however long: longer, it may be, than the ledger keeps
what nobody writes. Then the same job, published or delivered again, would be sent again.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from schemas import JobKind
from worker.domain.messages import Delivery
from worker.ports import Clock

_CALLED_ONCE = frozenset({JobKind.SEND, JobKind.API})
_EVERY = 60.0  # seconds; the shortest retention is an hour


@dataclass(frozen=True, slots=True)
class LongJobs:
    """Renews the entries of what has been in hand from one look to the next.

    Attributes:
        held: returns the deliveries in hand.
        renew: the entries of one of them; raises nothing for what the ledger does.
    """

    held: Callable[[], Iterable[Delivery]]
    renew: Callable[[Delivery], Awaitable[None]]
    clock: Clock

    async def run(self) -> None:
        """Look, until cancelled."""
        before: dict[int, Delivery] = {}
        while True:
            await self.clock.sleep(_EVERY)
            held = {id(one): one for one in self.held() if one.lane.kind in _CALLED_ONCE}
            for number in held.keys() & before.keys():
                await self.renew(held[number])
            before = held
