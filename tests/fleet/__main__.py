"""``make fleet``: the trials of a fleet in full, and their figures as a table."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.fleet import stopping, trials
from tests.fleet.sizes import Size, postgresql_sizes, redis_sizes, sqlite_sizes
from tests.support.broker import breakable_broker, own_prefix
from tests.support.campaign import Reckoning
from tests.support.fleet import Stage, open_fleet
from tests.support.postgresql_server import PostgresqlServer
from tests.support.redis_server import RedisServer
from tests.support.simulator_process import SimulatorProcess, simulator_process
from tests.support.worker_process import AS_TYPED

WORKERS = 4


_SERVERS: dict[str, Callable[[Path], RedisServer | PostgresqlServer]] = {
    "redis": lambda folder: RedisServer(folder / "redis"),
    "postgresql": lambda _: PostgresqlServer(durable=True),
}


@dataclass(frozen=True)
class Place:
    """Where a trial is held.

    Attributes:
        ledger: which server keeps it.
    """

    url: str
    gateway: SimulatorProcess
    folder: Path
    ledger: str


@dataclass(frozen=True)
class Row:
    """One line of the table: what was tried, what came of it, how the recipients fared."""

    trial: str
    figures: str
    reckoning: Reckoning

    def cells(self) -> tuple[str, ...]:
        """As the table has them."""
        sums = self.reckoning
        accepted = sums.outcomes.get("accepted", 0)
        counts = (sums.jobs, sums.recipients, accepted, sums.lost, sums.doubled, sums.dead, sums.repeated)
        return (self.trial, self.figures, *(f"{count:,}" for count in counts))


def main() -> int:
    """Try everything, print the tables, return 0 if nothing was lost, doubled or dead."""
    options = _options()
    only = options.only or [*TRIALS, "sizes"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-")))
        broker = stack.enter_context(breakable_broker())
        gateway = stack.enter_context(simulator_process(folder))
        chosen = {name: trial for name, trial in TRIALS.items() if name in only}
        rows = [
            _tried(trial, Place(broker.url, gateway, folder / name, options.ledger))
            for name, trial in chosen.items()
        ]
        if "sizes" in only:
            _say(
                _size_table(
                    [*redis_sizes(folder / "sizes"), *postgresql_sizes(), *sqlite_sizes(folder / "sizes")]
                )
            )
    _say(_table(rows))
    broken = [row.trial for row in rows if row.reckoning.faults]
    _say(f"BROKEN: {', '.join(broken)}" if broken else "nothing lost, doubled or dead-lettered")
    return 1 if broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    names = ", ".join(sorted(TRIALS))
    parser.add_argument("--ledger", choices=sorted(_SERVERS), default="redis")
    parser.add_argument("only", nargs="*", help=f"of {names}, sizes; none: all of them")
    return parser.parse_args()


def _tried(trial: "Trial", place: Place) -> Row:
    place.gateway.reset()
    server = _SERVERS[place.ledger](place.folder)
    with own_prefix(place.url) as prefix, server as ledger:
        row = trial(Stage(place.url, prefix, place.gateway, ledger.url, place.folder, AS_TYPED))
    sys.stderr.write(f"{row.trial}: {row.figures}; {row.reckoning}\n")
    return row


def spread(stage: Stage) -> Row:
    """20,000 small jobs over four workers."""
    with open_fleet(stage, WORKERS) as fleet:
        found = trials.spread(fleet, "spread", jobs=20_000)
    return Row(f"20,000 jobs, {WORKERS} workers", _spread(found), found.reckoning)


def large(stage: Stage) -> Row:
    """One job for 100,000 recipients."""
    with open_fleet(stage, WORKERS) as fleet:
        found = trials.large(fleet, "large", recipients=100_000)
    return Row(f"one job for 100,000, {WORKERS} workers", _spread(found), found.reckoning)


def rate(stage: Stage) -> Row:
    """A rate limit over four workers, for a minute."""
    found = trials.rate(stage, "rate", workers=WORKERS, limit=50, seconds=60)
    return Row(f"`ITON_RATE_LIMIT`, {WORKERS} workers, {_name(stage)}", _rate(found), found.reckoning)


def shares(stage: Stage) -> Row:
    """The same without a Redis: each worker takes its share."""
    url = f"sqlite:///{stage.folder}/shared.db"
    found = trials.rate(stage, "shares", workers=WORKERS, limit=50, seconds=60, LEDGER_URL=url)
    return Row(f"`ITON_RATE_LIMIT`, {WORKERS} workers, SQLite", _rate(found), found.reckoning)


def _name(stage: Stage) -> str:
    return "Redis" if stage.ledger_url.startswith("redis") else "PostgreSQL"


def _rate(found: trials.Rate) -> str:
    off = 100 * (found.sustained / found.limit - 1)
    return (
        f"limit 50/s: {found.sustained:.2f}/s sustained ({off:+.1f} %), most within 1 s "
        f"{found.most_within(1.0)} of 100 allowed; worst window {100 * found.beyond:.0f} % of its allowance"
    )


def rolling(stage: Stage) -> Row:
    """Four workers replaced twice under load."""
    with open_fleet(stage, WORKERS) as fleet:
        found = trials.rolling(fleet, "rolling", per_second=100, rounds=2)
    figures = (
        f"{len(found.exit_codes)} replaced in {found.seconds:.0f} s at {found.per_second:.0f} jobs/s, "
        f"exit codes {sorted(set(found.exit_codes))}, longest gap between two calls {found.longest_gap:.2f} s"
    )
    return Row(f"rolling restart, {WORKERS} workers", figures, found.reckoning)


def scaling(stage: Stage) -> Row:
    """From one to four and back in a campaign."""
    narrow = {"WORKER_MAX_CALLS": 10, "WORKER_URGENT_CALLS": 2, "WORKER_PREFETCH": 20}
    with open_fleet(stage, 1, **narrow) as fleet:
        found = trials.scaling(fleet, "scaling", jobs=8_000, seconds=10)
    speeds = " / ".join(f"{speed:.0f}" for speed in found.phases)
    return Row("1 worker, 4, 1 (8 bulk calls each)", f"{speeds} calls/s", found.reckoning)


def stop(stage: Stage) -> Row:
    """One job for 20,000, stopped in the middle while workers are killed."""
    with open_fleet(stage, WORKERS, **stopping.NARROW) as fleet:
        found = stopping.stopped(fleet, "stop", recipients=20_000)
    return Row(f"a job for 20,000 is stopped, {WORKERS} workers", str(found), found.reckoning)


Trial = Callable[[Stage], Row]
TRIALS: dict[str, Trial] = {
    "spread": spread,
    "large": large,
    "rate": rate,
    "shares": shares,
    "rolling": rolling,
    "scaling": scaling,
    "stop": stop,
}


def _spread(found: trials.Spread) -> str:
    calls = ", ".join(f"{count:,}" for count in found.calls)
    each = 1000 * found.cpu / sum(found.calls)
    return (
        f"calls by worker {calls}; {found.seconds:.1f} s; {each:.1f} ms of processor a call, "
        f"{found.memory:.0f} MiB the largest worker"
    )


def _table(rows: list[Row]) -> str:
    head = (
        "trial",
        "measured",
        "jobs",
        "recipients",
        "accepted",
        "lost",
        "doubled",
        "dead",
        "same result again",
    )
    return _markdown(head, [row.cells() for row in rows])


def _size_table(sizes: list[Size]) -> str:
    head = ("store", "entry", "bytes an entry", "per million")
    return _markdown(head, [size.cells() for size in sizes])


def _markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 - for a person at a terminal


if __name__ == "__main__":
    sys.exit(main())
