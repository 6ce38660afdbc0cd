"""Scheduled jobs while their worker is killed and started again: how late they are sent."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.support.line import Line, line_on
from tests.support.results_side import numbers
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import Workshop, wait_until

TEXT = "scheduled {}"
AT_ONCE = "at once {}"
_CUT_OFF = 20  # calls, by a kill
_EVERY = 0.5  # seconds
_REACH = 1.5  # seconds before a job's time from which on a worker must have been ready, for it to be in time


@dataclass(frozen=True)
class Lateness:
    """Seconds after their times at which jobs reached the gateway.

    Attributes:
        seconds: of each job, in order.
        reachable: of those whose time came while a worker was ready, and had been for a moment.
        usual: the most that a job took meanwhile which was to be sent at once: what the machine is like.
    """

    seconds: tuple[float, ...]
    reachable: tuple[float, ...]
    usual: float

    @property
    def earliest(self) -> float:
        """Of all; less than nothing is too early."""
        return min(self.seconds)

    @property
    def within_reach(self) -> float:
        """The worst of those that a worker was there for; on a machine that starts none in time, nothing."""
        return max(self.reachable, default=0.0)

    def words(self) -> str:
        """For people."""
        ordered = sorted(self.seconds)
        p99 = ordered[int(0.99 * (len(ordered) - 1))]
        return (
            f"{len(ordered)} jobs: median {ordered[len(ordered) // 2]:.2f} s, p99 {p99:.2f} s, worst "
            f"{ordered[-1]:.2f} s; worst of the {len(self.reachable)} with a worker there "
            f"{self.within_reach:.2f} s; one that is sent at once takes up to {self.usual:.2f} s"
        )


def scheduled_under_kills(
    workshop: Workshop, gateway: SimulatorProcess, *, jobs: int, kills: int, over: float, first: float = 4.0
) -> Lateness:
    """Schedule *jobs* jobs, spread over *over* seconds from *first* on, and kill the worker meanwhile.

    Each job has one recipient and a text of its own. Others, to be sent at once, tell how fast anything is.
    """
    settings = {"WORKER_SEND_AFTER_LIMIT": 604_800}
    worker = workshop.ready(**settings)
    with ExitStack() as stack:
        line = line_on(stack, workshop, gateway)
        beginning = datetime.now(UTC) + timedelta(seconds=first)
        due = [beginning + timedelta(seconds=over * place / jobs) for place in range(jobs)]
        texts = {TEXT.format(place) for place in range(jobs)}
        ids = [
            line.producer.send([number], TEXT.format(place), dnd="skip", send_after=due[place].isoformat())
            for place, number in enumerate(numbers(jobs))
        ]
        away: list[tuple[datetime, datetime]] = []
        asked: list[datetime] = []

        def ask_until(moment: datetime) -> None:
            while (now := datetime.now(UTC)) < moment:
                line.producer.send(["919700000000"], AT_ONCE.format(len(asked)), dnd="skip")
                asked.append(now)
                time.sleep(min(_EVERY, max(0.0, (moment - now).total_seconds())))

        for moment in _moments(beginning, over, kills):
            ask_until(moment)
            died = datetime.now(UTC)
            worker.kill()
            worker = workshop.ready(**settings)
            away.append((died, datetime.now(UTC) + timedelta(seconds=_REACH)))
        ask_until(due[-1])
        told = _outcomes(line, ids, within=over + 60)
        times = Counter(gateway.times_of_all())
        assert {1} == set(times.values()), "each text is sent once"
        times = Counter({sent: many for sent, many in times.items() if sent[0] in texts})
        assert {"accepted", "uncertain"} >= set(told)
        # One that was killed between its claim and its call may not have arrived.
        assert jobs - len(times) <= told.count("uncertain") <= kills * _CUT_OFF
        arrived = {send["message"]: datetime.fromisoformat(send["at"]) for send in gateway.sends()}
    late = _late(arrived, TEXT, due)
    usual = _reachable(_late(arrived, AT_ONCE, asked), away)
    return Lateness(tuple(seconds for seconds, _ in late), _reachable(late, away), max(usual, default=0.0))


def _late(
    arrived: Mapping[str, datetime], text: str, times: Sequence[datetime]
) -> list[tuple[float, datetime]]:
    """Tell of each text that arrived by how much later than its time, and that."""
    by_text = {text.format(place): moment for place, moment in enumerate(times)}
    return [
        ((arrived[name] - moment).total_seconds(), moment)
        for name, moment in by_text.items()
        if name in arrived
    ]


def _reachable(
    late: Sequence[tuple[float, datetime]], away: Sequence[tuple[datetime, datetime]]
) -> tuple[float, ...]:
    """Keep those whose time came while a worker was there."""
    return tuple(
        seconds
        for seconds, moment in late
        if not any(died - timedelta(seconds=_REACH) <= moment <= back for died, back in away)
    )


def _outcomes(line: Line, ids: Sequence[str], within: float) -> list[str]:
    """Wait for a result of each job; return what became of its recipient."""

    def by_job() -> dict[str | None, str]:
        return {one.job_id: next(iter(one.outcomes.values())) for one in line.collector.all}

    wait_until(lambda: set(ids) <= by_job().keys(), "every job has a result", within, every=0.5)
    found = by_job()
    return [found[job] for job in ids]


def _moments(beginning: datetime, over: float, kills: int) -> Iterator[datetime]:
    """One kill before the first job is due, the others while they are."""
    for turn in range(kills):
        yield beginning + timedelta(seconds=-1.5 + turn * over / kills)
