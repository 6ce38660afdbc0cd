"""When a message may be published again that the broker did not take.

A refused publish need not be without effect: where a full queue is bound beside others, each of the others
gets a copy every time. So the pauses grow, for each message by itself, and whoever comes back with the same
message goes on where it stopped.
"""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, NamedTuple

# Seconds. Five publishes in the first half minute; the election of a queue's new leader takes one to five.
PAUSES: Final = (0.5, 3.0, 6.0, 10.0, 15.0, 25.0, 40.0, 60.0)
# Of a pause. The broker closes a channel over one message, and all that were under way on it count as
# refused: with the same pauses they would come back with that one, each time, and be refused with it again.
SPREAD: Final = 0.25
_MOST = 20_000  # messages that are remembered, several times what is in hand
_FORGET = 900.0  # seconds after which a message that nobody came back with is a new one


class _Refused(NamedTuple):
    times: int
    due: float
    target: str


class Backoff:
    """Remembers what was refused, and where. Holds no message, only a digest of each.

    Args:
        dice: from 0 to 1; of that share of `SPREAD` a pause is longer.

    Attributes:
        remembered: by digest, in the order of the refusals.
    """

    def __init__(self, dice: Callable[[], float] = lambda: 0.0) -> None:
        self._dice = dice
        self.remembered: OrderedDict[bytes, _Refused] = OrderedDict()
        self._targets: dict[str, int] = {}

    def wait(self, key: bytes, now: float) -> float:
        """Return the seconds until *key* may be published; 0 for what was not refused."""
        self._forget_the_old(now)
        refused = self.remembered.get(key)
        return max(refused.due - now, 0.0) if refused is not None else 0.0

    def refused(self, key: bytes, target: str, now: float) -> bool:
        """Note that it was; tell whether it is the first for *target* since that last took everything."""
        self._forget_the_old(now)
        before = self._forget(key)
        times = before.times + 1 if before is not None else 1
        pause = PAUSES[min(times, len(PAUSES)) - 1] * (1 + SPREAD * self._dice())
        self.remembered[key] = _Refused(times, now + pause, target)
        self._targets[target] = self._targets.get(target, 0) + 1
        while len(self.remembered) > _MOST:
            self._forget(next(iter(self.remembered)))
        return before is None and self._targets[target] == 1

    def taken(self, key: bytes) -> str | None:
        """Note that it was taken; return the target that takes everything again, if one does now."""
        before = self._forget(key)
        return before.target if before is not None and before.target not in self._targets else None

    def times(self, key: bytes) -> int:
        """Return how often *key* was refused."""
        refused = self.remembered.get(key)
        return refused.times if refused is not None else 0

    def _forget_the_old(self, now: float) -> None:
        """Forget those that nobody came back with: another worker has published them since."""
        while self.remembered:
            key, oldest = next(iter(self.remembered.items()))
            if now <= oldest.due + _FORGET:
                return
            self._forget(key)

    def _forget(self, key: bytes) -> _Refused | None:
        before = self.remembered.pop(key, None)
        if before is not None:
            left = self._targets[before.target] - 1
            if left:
                self._targets[before.target] = left
            else:
                del self._targets[before.target]
        return before


def digest(*pieces: bytes) -> bytes:
    """Return what *pieces* are remembered by."""
    whole = blake2b(digest_size=16)
    for piece in pieces:
        whole.update(len(piece).to_bytes(8, "big"))
        whole.update(piece)
    return whole.digest()
