"""A campaign that is stopped in the middle, while workers are killed: sent and cancelled are everybody."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tests.support.campaign import Reckoning
from tests.support.fleet import Fleet
from tests.support.results_side import Result, new_job_id
from tests.support.worker_process import wait_until

_SLOW = {"latency": 0.5, "jitter": 0.2}
_FIRST = 40  # calls; then it is found to be a mistake
NARROW = {
    "WORKER_MAX_CALLS": 8,
    "WORKER_URGENT_CALLS": 1,
    "WORKER_SHARE_ABOVE": 100,
    "WORKER_PREFETCH": 20,
    "ITON_TIMEOUT": 3,
}
"""Settings with which a campaign takes some seconds, and what a dead worker was at is settled soon."""


@dataclass(frozen=True)
class Stopped:
    """What became of it.

    Attributes:
        outcomes: recipients by outcome.
        both: who got the text and is told to be cancelled.
        late: calls that began after the answer.
        answered: seconds from the request to its answer.
        killed: workers.
        seconds: from the first publish to the last result.
    """

    outcomes: Mapping[str, int]
    both: int
    late: int
    answered: float
    killed: int
    seconds: float
    reckoning: Reckoning

    def __str__(self) -> str:
        told = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        return (
            f"{told}; answered after {self.answered:.2f} s, {self.late} calls began after that, "
            f"{self.both} both sent and cancelled; {self.killed} workers killed; {self.seconds:.0f} s"
        )


def stopped(fleet: Fleet, text: str, *, recipients: int) -> Stopped:
    """Publish a job for so many, kill a worker, stop the job, kill another right after the answer."""
    gateway, collector = fleet.stage.gateway, fleet.collector
    gateway.change(**_SLOW)
    campaign, started = fleet.campaign(text), time.monotonic()
    campaign.publish_large(recipients)
    target = f"{text}-large"
    wait_until(lambda: gateway.calls("sendSMS") >= _FIRST, "some of it is sent")
    fleet.kill(fleet.living[0])
    asked, request = time.monotonic(), new_job_id()
    fleet.producer.publish({"job_id": request, "target": target}, "cancel")
    answer = collector.one(request)
    assert answer.key == "cancel.recorded", answer.key
    answered, begun = time.monotonic() - asked, gateway.calls("sendSMS")
    fleet.kill(fleet.living[0])
    fleet.grow(2)
    parts = collector.whole(target, within=120)
    seconds = time.monotonic() - started
    found = _outcomes(parts)
    got = set(gateway.times(text))
    cancelled = {name for name, outcome in found.items() if outcome == "cancelled"}
    counts = {outcome: list(found.values()).count(outcome) for outcome in set(found.values())}
    late = gateway.calls("sendSMS") - begun
    reckoning = _judged(campaign.reckoning(fleet.queues), counts, len(got & cancelled), late)
    return Stopped(counts, len(got & cancelled), late, answered, 2, seconds, reckoning)


def _outcomes(parts: list[Result]) -> dict[str, str]:
    return {name: outcome for part in parts for name, outcome in part.outcomes.items()}


@dataclass(frozen=True)
class _Reckoning(Reckoning):
    """One for which it is no fault that not everybody is accepted, but that anybody is both, or late."""

    wrong: int = 0

    @property
    def faults(self) -> dict[str, int]:
        """As above."""
        told = sum(self.outcomes.get(one, 0) for one in ("accepted", "uncertain", "cancelled"))
        others = {name: count for name, count in super().faults.items() if name != "not accepted"}
        more = {"neither sent nor cancelled": self.recipients - told, "sent although cancelled": self.wrong}
        return {**others, **{name: count for name, count in more.items() if count}}


def _judged(found: Reckoning, counts: Mapping[str, int], both: int, late: int) -> Reckoning:
    plain = replace(found, outcomes=counts)
    return _Reckoning(
        **{name: getattr(plain, name) for name in plain.__dataclass_fields__}, wrong=both + late
    )
