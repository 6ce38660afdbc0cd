"""Jobs that keep coming, and what is wanted of each."""

import threading
from contextlib import suppress
from itertools import islice
from random import Random

import pika.exceptions

from tests.support.chaos_scene import Scene

_PLAIN = tuple(f"91987{number:07d}" for number in range(1_000_000) if 20 <= number % 100 < 99)
_LARGE = (150, 230)  # recipients of every twentieth job, in turn: two parts and three
SHARE_ABOVE = 200  # for the workers: one sort is sent where it was taken, the other is handed out


class Traffic:
    """Publishes jobs from a thread of its own until told to stop.

    Args:
        text: of all jobs; empty: each job's text is its id.

    Attributes:
        wanted: recipients (digits with country code) by job id, of jobs whose publish was confirmed.
    """

    def __init__(self, scene: Scene, dice: Random, pause: float, text: str = "") -> None:
        self._scene = scene
        self._dice = dice
        self._pause = pause
        self._text = text
        # Nobody is in two jobs: with one text for all of them that would look like a double.
        self._numbers = iter(dice.sample(_PLAIN, len(_PLAIN)))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="traffic")
        self.wanted: dict[str, set[str]] = {}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Publish what is begun, and no more."""
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(self._dice.uniform(0, 2 * self._pause)):
            number += 1
            self._publish(f"soak-{number}", self._size(number))

    def _size(self, number: int) -> int:
        turn, rest = divmod(number, 20)
        return self._dice.randint(1, 3) if rest else _LARGE[turn % len(_LARGE)]

    def _publish(self, job_id: str, size: int) -> None:
        recipients = list(islice(self._numbers, size))
        fields = {"text": self._text, "key": self._dice.choice(("send", "send", "send.urgent"))}
        if self._dice.random() < 0.3:
            fields["category"] = "promotional"
        # Without a confirm nobody knows whether it arrived: the same job once more does no harm.
        while job_id not in self.wanted:
            with suppress(pika.exceptions.AMQPError, OSError):
                self._scene.send(*recipients, job_id=job_id, **fields)
                self.wanted[job_id] = set(recipients)
            if job_id not in self.wanted:
                self._stop.wait(0.2)
