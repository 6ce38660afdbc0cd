"""Jobs flow while workers are killed: afterwards everything must add up."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pika.exceptions

from tests.soak import entry_history
from tests.soak.bill import Bill, Planted, bill
from tests.soak.calls_under_way import calls_under_way
from tests.soak.features import Seen, features, unfinished
from tests.soak.hours import Break
from tests.soak.mix import SHARE_ABOVE, Asked
from tests.soak.planted import plant
from tests.soak.standing import what_stands_still
from tests.soak.tally import (
    Tally,
    changed_results,
    last_words,
    lost_calls,
    lost_recipients,
    send_results,
)
from tests.soak.traffic import Traffic
from tests.support.chaos_process import ForkedWorker
from tests.support.chaos_scene import Arrived, Scene
from tests.support.checked_ledger import Changes
from tests.support.credit_notes import READING
from tests.support.worker_process import wait_until

Say = Callable[[str], None]
Strike = Callable[["Soak"], None]
_HALF = 0.5
_KEPT = Path(".local/soak").resolve()
_WARM = 20.0  # seconds until a worker has loaded and cached what it ever will


@dataclass(frozen=True)
class Plan:
    """How a soak goes.

    Attributes:
        strikes: how many.
        kinds: names and weights of what is done to the workers and their world.
        others: what may be done beside killing, freezing and stopping a worker, by name.
        pause: mean seconds between two strikes.
        job_every: mean seconds between two jobs.
        settings: environment of every worker.
        text: of all jobs; empty: each job has its own.
        witness: one more worker runs through it all.
        hours: when texts under hours wait.
        plant: whether a text is sent a second time, half way, behind the workers' backs.
        history: whether the store keeps one of all changes, over a failover as well.
        queues: what the broker says of its queues.
        say: told the progress.
    """

    strikes: int
    settings: Mapping[str, object]
    kinds: Mapping[str, float] = field(default_factory=lambda: {"kill": 1.0})
    others: Mapping[str, Strike] = field(default_factory=dict)
    pause: float = 0.8
    job_every: float = 0.1
    text: str = ""
    witness: bool = False
    hours: Break = field(default_factory=Break)
    plant: bool = False
    history: bool = True
    seed: int = 0
    minutes: float = 0.0
    queues: Callable[[], str] = lambda: ""
    say: Say = print


class Soak:
    """Two workers that are struck at random and replaced at once."""

    def __init__(self, scene: Scene, plan: Plan) -> None:
        self.scene = scene
        self.plan = plan
        self.dice = Random(plan.seed or None)  # noqa: S311 - chance, no secret
        self._ledger = str(plan.settings.get("LEDGER_URL", f"sqlite:///{scene.folder}/ledger.db"))
        self._under_way: list[set[str]] = []
        self._struck: Counter[str] = Counter()
        self._memory: list[float] = []
        self._planted: Planted | None = None
        self._began = time.monotonic()
        self._balance = int(scene.gateway.state()["balance"])

    def run(self) -> Tally:
        """Strike, let the rest finish, add up."""
        traffic = Traffic(self.scene, self.dice, self.plan.job_every, self.plan.text)
        victims = [self._worker(), self._worker()]
        witness = self._worker() if self.plan.witness else None
        for worker in self.scene.workers:
            worker.wait_ready()
        if self.plan.history:
            entry_history.begin(self._ledger)
        traffic.start()
        while self._goes_on():
            time.sleep(self.dice.uniform(0.2, 1.8) * self.plan.pause)
            self._strike(victims)
            self._watch(witness)
            if self.plan.plant and self._planted is None and self._passed() > _HALF:
                self._planted = plant(traffic.asked, self.scene)
        traffic.stop()
        self._finish(traffic.asked)
        return self._tally(traffic.asked)

    def _goes_on(self) -> bool:
        return self._passed() < 1

    def _passed(self) -> float:
        """The share of it that is over."""
        if self.plan.minutes:
            return (time.monotonic() - self._began) / (self.plan.minutes * 60)
        return self._struck.total() / self.plan.strikes

    def _worker(self) -> ForkedWorker:
        settings: dict[str, Any] = {
            "LOG_LEVEL": "info",
            "WORKER_SHARE_ABOVE": SHARE_ABOVE,
            "WORKER_SEND_AFTER_LIMIT": 3600,
            "WORKER_TRACK_DELAYS": "1,2",
            "ITON_WEB_API_URL": self.scene.gateway.web_api_url,
            "ITON_WEB_API_PATHS": "credentials",
            "ITON_API_TOKEN": "any",
            "WORKER_CREDITS_INTERVAL": 1,
            **self.plan.hours.settings(),
            **self.plan.settings,
        }
        return self.scene.worker(**settings)

    def _strike(self, victims: list[ForkedWorker]) -> None:
        kind = self.dice.choices(tuple(self.plan.kinds), tuple(self.plan.kinds.values()))[0]
        self._struck[kind] += 1
        which = self.dice.randrange(len(victims))
        if kind in self.plan.others:
            self.plan.others[kind](self)
        elif kind == "freeze":
            victims[which].freeze()
            self._note_calls()
            time.sleep(self.dice.uniform(0.5, 12))
            victims[which].thaw()
        else:
            if kind == "kill":
                victims[which].kill()
                self._note_calls()
            else:
                victims[which].terminate()
                victims[which].wait_dead(40)
            victims[which] = self._worker()
        with suppress(pika.exceptions.AMQPError, OSError):
            self.scene.results()
        self.plan.say(f"{self._struck.total()} {kind}; {len(self.scene.results())} results")

    def _note_calls(self) -> None:
        self._under_way.append(calls_under_way(self._ledger, self.scene.prefix))

    def _watch(self, witness: ForkedWorker | None) -> None:
        if witness and time.monotonic() - self._began > _WARM:
            self._memory.append(witness.memory)

    def _finish(self, asked: list[Asked]) -> None:
        """Wait until everybody and everything has an outcome, and nothing is left in a queue."""
        wanted = _wanted(asked)

        def finished() -> bool:
            with suppress(pika.exceptions.AMQPError, OSError):
                results = self.scene.results()
                missing = lost_recipients(wanted, results) + unfinished(asked, results)
                return not missing and not self.scene.waiting()
            return False

        try:
            wait_until(finished, "every outcome", 90 + self.plan.hours.left(), every=0.2)
            wait_until(self._is_read, "the balance is read", 15, every=0.2)
        except AssertionError as late:  # what is missing is counted as well
            told = what_stands_still(self.scene, wanted, _KEPT / self.scene.prefix)
            print(late, self.plan.queues(), *told, sep="\n")  # noqa: T201 - as the figures
        for worker in self.scene.workers:
            if worker.exit_code is None:
                worker.terminate()
        for worker in self.scene.workers:
            worker.wait_dead(40)

    def _is_read(self) -> bool:
        """Whether a worker has seen what is left in the end."""
        notes = (note for worker in self.scene.workers for note in worker.credits)
        left = self.scene.gateway.state()["balance"]
        return any(note.name == READING and note.amount == left for note in notes)

    def _bill(self, words: Mapping[str, Arrived]) -> Bill:
        return bill(
            self.scene.gateway.sends(),
            words.values(),
            [worker.credits for worker in self.scene.workers],
            initial=self._balance,
            deaths=self._struck.total(),
            planted=self._planted,
        )

    def _tally(self, asked: list[Asked]) -> Tally:
        results, wanted, gateway = self.scene.results(), _wanted(asked), self.scene.gateway
        seen = Seen(asked, results, gateway.arrivals(), gateway.state()["web_api"]["carried_out"])
        words = last_words(results)
        lost = lost_calls(words)
        known: set[str] = set().union(*self._under_way)
        return Tally(
            jobs=len(wanted),
            recipients=sum(map(len, wanted.values())),
            strikes=dict(self._struck),
            redeliveries=sum(worker.steps.count("redelivered") for worker in self.scene.workers),
            under_way=len(known),
            doubles=self.scene.repeats(),
            lost=lost_recipients(wanted, results),
            changed=changed_results(results),
            entries=self._changes(),
            features=features(seen, self.plan.hours),
            bill=self._bill(words),
            unpublished=self._unpublished(words),
            uncertain=len(lost),
            unexplained=len(lost - known),
            dead=len(self.scene.dead()),
            memory=(self._memory[0], self._memory[-1]) if self._memory else (),
        )

    def _changes(self) -> Changes:
        return entry_history.changes(self._ledger, self.scene.prefix) if self.plan.history else Changes()

    def _unpublished(self, words: Mapping[str, Arrived]) -> int:
        """Count accepted outcomes whose id the gateway did not give for that text and number."""
        drawn = self.scene.gateway.ids_by_text()
        return sum(
            message_id not in drawn.get((self.plan.text or one.job_id, name), ())
            for one in send_results(words.values())
            for name, message_id in one.ids.items()
        )


def _wanted(asked: list[Asked]) -> dict[str, set[str]]:
    """Return the recipients (digits with country code) by job id."""
    return {job.job_id: set(job.body["recipients"]) for job in asked if job.is_send}
