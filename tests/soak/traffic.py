"""Jobs that keep coming, and what is wanted of each."""

import threading
from contextlib import suppress
from random import Random

import pika.exceptions

from tests.soak.mix import Asked, Mix
from tests.support.chaos_scene import Scene


class Traffic:
    """Publishes jobs from a thread of its own until told to stop.

    Args:
        text: of all jobs; empty: each job's text is its id.

    Attributes:
        asked: the jobs whose publish was confirmed.
    """

    def __init__(self, scene: Scene, dice: Random, pause: float, text: str = "") -> None:
        self._scene = scene
        self._dice = dice
        self._pause = pause
        self._mix = Mix(dice, text)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="traffic")
        self.asked: list[Asked] = []

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
            for job in self._mix.turn(number):
                self._publish(job)

    def _publish(self, job: Asked) -> None:
        # Without a confirm nobody knows whether it arrived: the same job once more does no harm.
        while True:
            # ValueError: what the library says where the socket has ended while it asks who is there.
            with suppress(pika.exceptions.AMQPError, OSError, ValueError):
                self._scene.publish(job.body, job.key)
                self.asked.append(job)
                return
            self._stop.wait(0.2)
