"""The log of sends: which message went to whom, under which id."""

import secrets
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice


@dataclass(frozen=True, slots=True)
class Send:
    """One sendSMS call that was carried out.

    Attributes:
        seq: 1-based number of the call among those carried out.
        at: seconds since the epoch.
        to: valid numbers, spelt as given.
        message: the text as received.
        delivered_text: the text as a phone shows it: garbled when Unicode was needed and not asked for.
        ids: one for each of *to*; numbers may share one.
        invalid: what else stood in ``to``.
        params: parameters that the gateway's page does not name.
    """

    seq: int
    at: float
    to: tuple[str, ...]
    message: str
    delivered_text: str
    unicode: bool
    segments: int
    sender: str
    ids: tuple[str, ...]
    invalid: tuple[str, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def garbled(self) -> bool:
        """Tell whether characters were lost because ``uniCode`` was 0."""
        return self.delivered_text != self.message


class SendLog:
    """The newest sends, at most *room* messages (one a number) and always the latest call."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.messages = 0
        self.forgotten = 0
        self._prefix = secrets.token_hex(8)
        self._serial = 0
        self._calls: deque[Send] = deque()
        self._by_id: dict[str, Send] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def draw_ids(self, count: int, numbers_per_id: int) -> tuple[str, ...]:
        """Return an id for each of *count* numbers: 24 hexadecimal digits, never given out before."""
        first = self._serial
        self._serial += -(-count // numbers_per_id)
        if numbers_per_id == count:
            return (f"{self._prefix}{first:08x}",) * count
        return tuple([f"{self._prefix}{first + index // numbers_per_id:08x}" for index in range(count)])

    def add(self, send: Send) -> None:
        """Remember *send*, and forget the oldest ones that no longer fit."""
        self._calls.append(send)
        self._by_id.update(dict.fromkeys(send.ids, send))
        self.messages += len(send.to)
        while self.messages > self.room and len(self._calls) > 1:
            self._forget_oldest()

    def find(self, message_id: str) -> Send | None:
        """Return the send that gave out *message_id*, if it is remembered."""
        return self._by_id.get(message_id)

    def after(self, seq: int, limit: int) -> Iterator[Send]:
        """Yield at most *limit* remembered sends whose number is over *seq*, oldest first."""
        start = max(0, seq + 1 - self._calls[0].seq) if self._calls else 0
        return islice(self._calls, start, start + limit)

    def _forget_oldest(self) -> None:
        oldest = self._calls.popleft()
        self.messages -= len(oldest.to)
        self.forgotten += len(oldest.to)
        for message_id in set(oldest.ids):
            del self._by_id[message_id]
