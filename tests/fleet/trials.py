"""What is tried with a fleet. Each trial does it, counts, and judges nothing: that is its caller's."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import linear_regression

from tests.support.campaign import Campaign, Reckoning
from tests.support.fleet import Fleet, Stage, open_fleet, shares
from tests.support.worker_process import wait_until

LATENCY = {"latency": 0.1, "jitter": 0.1}
"""Of the gateway, so that there is always a call under way when a worker is asked to stop."""


@dataclass(frozen=True)
class Spread:
    """How a campaign was shared out.

    Attributes:
        calls: of sendSMS, by worker, as each one's /metrics count them.
        seconds: from the first publish to the last result.
        cpu: seconds of processor that all workers took together.
        memory: MiB of the largest worker afterwards.
    """

    calls: Sequence[int]
    seconds: float
    cpu: float
    memory: float
    reckoning: Reckoning

    @property
    def shares(self) -> list[float]:
        """By worker, 1.0 for all where it is perfectly even."""
        return shares(self.calls)

    def __str__(self) -> str:
        return f"calls by worker {self.calls}, shares {self.shares}, {self.seconds:.1f} s; {self.reckoning}"


def spread(fleet: Fleet, text: str, *, jobs: int) -> Spread:
    """Let *jobs* small jobs be done by all."""
    campaign = fleet.campaign(text)
    return _shared_out(fleet, campaign, lambda: campaign.publish(jobs))


def large(fleet: Fleet, text: str, *, recipients: int) -> Spread:
    """Let one large job be done by all."""
    campaign = fleet.campaign(text)
    return _shared_out(fleet, campaign, lambda: campaign.publish_large(recipients))


def _shared_out(fleet: Fleet, campaign: Campaign, publish: Callable[[], None]) -> Spread:
    fleet.stage.gateway.change(**LATENCY)
    before, cpu, started = fleet.sends(), fleet.cpu(), time.monotonic()
    publish()
    campaign.wait_done(600)
    seconds = time.monotonic() - started
    calls = [now - then for now, then in zip(fleet.sends(), before, strict=True)]
    took = fleet.cpu() - cpu
    return Spread(calls, seconds, took, fleet.memory(), campaign.reckoning(fleet.queues))


@dataclass(frozen=True)
class Rate:
    """When the calls arrived at the gateway.

    Attributes:
        limit: calls a second of the whole fleet.
        arrivals: seconds, in order.
    """

    limit: float
    arrivals: Sequence[float]
    calls: Sequence[int]
    reckoning: Reckoning

    @property
    def sustained(self) -> float:
        """Calls a second once the burst is over, and the second in which its calls are still arriving.

        The slope of all arrivals: a single one that was held up on its way changes little.
        """
        rest = self.arrivals[2 * int(self.limit) :]
        return linear_regression(rest, range(len(rest))).slope

    def most_within(self, seconds: float) -> int:
        """Return the most calls that arrived within any *seconds*."""
        most, first = 0, 0
        for last, at in enumerate(self.arrivals):
            while at - self.arrivals[first] > seconds:
                first += 1
            most = max(most, last - first + 1)
        return most

    @property
    def beyond(self) -> float:
        """The worst window of 5, 10 or 30 s: its calls as a share of what the bucket allows, 1.0 at most.

        That is one second's worth in the bucket and what flows in meanwhile. Shorter windows tell of the way
        to the gateway: a call that is held up there arrives together with those behind it.
        """
        windows = [w for w in (5.0, 10.0, 30.0) if w < self.arrivals[-1] - self.arrivals[0]]
        return max(self.most_within(w) / (self.limit * (w + 1)) for w in windows)

    def __str__(self) -> str:
        return (
            f"limit {self.limit:g}/s, sustained {self.sustained:.2f}/s "
            f"({100 * (self.sustained / self.limit - 1):+.1f} %), most within 1 s {self.most_within(1.0)}, "
            f"worst window {100 * self.beyond:.0f} % of what the bucket allows, "
            f"calls by worker {self.calls}; {self.reckoning}"
        )


def rate(stage: Stage, text: str, *, workers: int, limit: int, seconds: int, **settings: object) -> Rate:
    """Give a fleet with a rate limit more work than it may do, for about *seconds*."""
    with open_fleet(stage, workers, ITON_RATE_LIMIT=limit, **settings) as fleet:
        campaign = fleet.campaign(text)
        campaign.publish(limit * (seconds + 1))
        campaign.wait_done(2 * seconds + 40)
        return Rate(limit, campaign.arrivals(), fleet.sends(), campaign.reckoning(fleet.queues))


@dataclass(frozen=True)
class Rolling:
    """A fleet replaced under load.

    Attributes:
        exit_codes: of the workers that were replaced.
        seconds: that the replacing took.
        per_second: calls at the gateway, on average.
        longest_gap: seconds between two of them.
    """

    exit_codes: Sequence[int]
    seconds: float
    per_second: float
    longest_gap: float
    reckoning: Reckoning

    def __str__(self) -> str:
        return (
            f"{len(self.exit_codes)} workers replaced in {self.seconds:.1f} s, exit codes {self.exit_codes}, "
            f"{self.per_second:.0f} calls a second meanwhile, "
            f"longest gap between two {self.longest_gap:.2f} s; {self.reckoning}"
        )


def rolling(fleet: Fleet, text: str, *, per_second: float, rounds: int = 1, **settings: object) -> Rolling:
    """Replace every worker while jobs flow, the new ones with *settings* beside the old ones'."""
    campaign = fleet.campaign(text)
    fleet.stage.gateway.change(**LATENCY)
    with campaign.flowing(per_second):
        campaign.wait_sent(int(per_second))
        started = time.monotonic()
        codes = [code for _ in range(rounds) for code in fleet.roll(**settings)]
        seconds = time.monotonic() - started
        campaign.wait_sent(campaign.sent() + int(per_second))
    campaign.wait_done()
    times = campaign.arrivals()
    speed = len(times) / (times[-1] - times[0])
    gap = max(later - earlier for earlier, later in pairwise(times))
    return Rolling(codes, seconds, speed, gap, campaign.reckoning(fleet.queues))


@dataclass(frozen=True)
class Scaling:
    """One worker, then four, then one.

    Attributes:
        phases: calls a second in each of the three.
        calls: by worker, of the four, until the three were asked to go.
        exit_codes: of these three.
    """

    phases: Sequence[float]
    calls: Sequence[int]
    exit_codes: Sequence[int]
    reckoning: Reckoning

    def __str__(self) -> str:
        speeds = ", ".join(f"{speed:.0f}" for speed in self.phases)
        return (
            f"calls a second with 1, 4, 1 workers: {speeds}; calls by worker {self.calls}, "
            f"exit codes {self.exit_codes}; {self.reckoning}"
        )


def scaling(fleet: Fleet, text: str, *, jobs: int, seconds: float) -> Scaling:
    """Let a fleet of one do a campaign, with three more in the middle of it; three quarters come then."""
    campaign = fleet.campaign(text)
    fleet.stage.gateway.change(**LATENCY)
    campaign.publish(jobs // 4)
    campaign.wait_sent(1)
    speeds = [_speed(campaign, seconds)]
    fleet.grow(3)
    campaign.publish(jobs - jobs // 4)
    speeds.append(_speed(campaign, seconds))
    calls = fleet.sends()
    codes = fleet.retire(*fleet.living[1:])
    speeds.append(_speed(campaign, seconds))
    campaign.wait_done(600)
    return Scaling(speeds, calls, codes, campaign.reckoning(fleet.queues))


def _speed(campaign: Campaign, seconds: float) -> float:
    """Return the calls a second over the next *seconds*."""
    before, started = campaign.sent(), time.monotonic()
    wait_until(lambda: time.monotonic() - started >= seconds, "the clock goes on", seconds + 10)
    return (campaign.sent() - before) / (time.monotonic() - started)
