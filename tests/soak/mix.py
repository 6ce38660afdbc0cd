"""The jobs of a soak, drawn one after the other: every kind, and every feature of a send job."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Any

_PLAIN = tuple(f"91987{number:07d}" for number in range(1_000_000) if 20 <= number % 100 < 99)
_LARGE = (150, 230)  # recipients of every twentieth job, in turn: two parts and three
SHARE_ABOVE = 200  # for the workers: one sort is sent where it was taken, the other is handed out
_CATEGORIES = ("service",) * 12 + ("promotional",) * 5 + ("service_explicit",) * 3
HELD = frozenset({"promotional", "service_explicit"})
"""The categories to which hours apply."""
_AHEAD = (1.0, 6.0)  # seconds from now to a `send_after`
_REMEMBERED = 20  # jobs of which one may be cancelled after all


@dataclass(frozen=True)
class Asked:
    """One job as it is published.

    Attributes:
        key: the routing key.
    """

    key: str
    body: Mapping[str, Any]

    @property
    def job_id(self) -> str:
        """Its own."""
        return str(self.body["job_id"])

    @property
    def is_send(self) -> bool:
        """Whether it sends."""
        return self.key.startswith("send")

    @property
    def due(self) -> float:
        """Seconds since the epoch, of one that is scheduled."""
        return datetime.fromisoformat(self.body["send_after"]).timestamp()


class Mix:
    """Draws jobs by dice.

    Args:
        text: of all jobs; empty: each job's text is its id.
    """

    def __init__(self, dice: Random, text: str = "") -> None:
        self._dice = dice
        self._text = text
        # Nobody is in two jobs: with one text for all of them that would look like a double.
        self._numbers = iter(dice.sample(_PLAIN, len(_PLAIN)))
        self._lately: deque[str] = deque(maxlen=_REMEMBERED)

    def turn(self, number: int) -> Iterator[Asked]:
        """Return the send job of a turn, and what goes with it, in the order in which to publish."""
        job = self._send(number)
        cancelled = self._dice.random() < (0.3 if self._is_large(number) else 0.08)
        in_front = self._dice.random() < 0.4
        if cancelled and in_front:
            yield self._cancel(number, job.job_id)
        yield job
        if cancelled and not in_front:
            # Right behind it, or where most have been sent meanwhile.
            yield self._cancel(number, self._dice.choice((job.job_id, job.job_id, *self._lately)))
        else:
            self._lately.append(job.job_id)
        if self._dice.random() < 0.1:
            yield self._api(number)

    @staticmethod
    def _is_large(number: int) -> bool:
        return number % 20 == 0

    def _send(self, number: int) -> Asked:
        job_id = f"soak-{number}"
        size = _LARGE[number // 20 % len(_LARGE)] if self._is_large(number) else self._dice.randint(1, 3)
        body: dict[str, Any] = {
            "job_id": job_id,
            "recipients": list(islice(self._numbers, size)),
            "text": self._text or job_id,
            "category": self._dice.choice(_CATEGORIES),
        }
        if self._dice.random() < 0.3:
            body["track"] = True
        if self._dice.random() < 0.15:
            due = datetime.now(UTC) + timedelta(seconds=self._dice.uniform(*_AHEAD))
            body["send_after"] = due.isoformat()
        return Asked(self._dice.choice(("send", "send", "send.urgent")), body)

    @staticmethod
    def _cancel(number: int, target: str) -> Asked:
        return Asked("cancel", {"job_id": f"stop-{number}", "target": target})

    @staticmethod
    def _api(number: int) -> Asked:
        job_id = f"key-{number}"
        return Asked(
            "api", {"job_id": job_id, "method": "POST", "path": f"credentials/{job_id}", "json": {"key": "x"}}
        )
