"""How many bytes of messages are in memory at once, whatever their number."""

from collections import Counter
from typing import Final

from worker.domain.messages import Lane

ALL: Final = 67_108_864  # bytes, of all lanes
_LANE: Final = 16_777_216  # of one lane: ten jobs for 100,000, of which five are worked on
_LIGHT: Final = 65_536
_LIGHT_LANE: Final = 1_048_576  # of a lane; so much of light messages is taken however much others have


class Room:
    """Bounds the bytes of messages in hand.

    A prefetch counts messages, and RabbitMQ cannot be told of bytes: fifty messages of 20 MiB are a gibibyte
    before anybody has looked at the first. So room is asked for when a message's length is known, before
    its body is read. While there is any, it is taken: the bound is `ALL`, a little for light messages, and
    one message of the largest kind.

    Attributes:
        held: bytes in hand, by lane.
    """

    def __init__(self) -> None:
        self.held: Counter[Lane] = Counter()

    def take(self, lane: Lane, size: int) -> bool:
        """Hold *size* bytes for a message of *lane*, if there is room."""
        light = size <= _LIGHT and self.held[lane] < _LIGHT_LANE
        if not light and self.spare(lane) <= 0:
            return False
        self.held[lane] += size
        return True

    def give(self, lane: Lane, size: int) -> None:
        """Hold them no more."""
        self.held[lane] -= size

    def spare(self, lane: Lane) -> int:
        """Return how many bytes there is room for; none or fewer: no message is taken."""
        return min(_LANE - self.held[lane], ALL - self.held.total())
