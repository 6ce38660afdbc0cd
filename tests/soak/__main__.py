"""``python -m tests.soak``: hours of trouble in minutes, and the figures of it."""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from scripts.local_broker import PrivateBroker
from tests.soak.hours import MINUTE, Break
from tests.soak.soak import Plan, Soak, Strike
from tests.soak.tally import Tally
from tests.support.broker import breakable_broker, own_prefix
from tests.support.chaos_gateway import gateway_loop
from tests.support.chaos_scene import open_scene
from tests.support.failover_pairs import PostgresqlPair, RedisPair
from tests.support.postgresql_server import PostgresqlServer
from tests.support.redis_server import RedisServer

KINDS = {"kill": 60.0, "stop": 10.0, "freeze": 6.0, "gateway": 20.0, "broker": 4.0}
FAULTS: tuple[Mapping[str, object], ...] = (
    {"status": 503, "times": 20},
    {"command": "sendSMS", "kind": "drop", "when": "after", "times": 2},
    {"command": "sendSMS", "kind": "truncated", "times": 2},
    {"command": "sendSMS", "kind": "hang", "times": 2},
    {"command": "check_DNDnumber", "kind": "reset", "times": 10},
    {"command": "sendSMS", "kind": "html", "times": 2},
    # Of the Web API its 200 would be an answer like any other.
    {"command": "sendSMS", "kind": "no_credits", "times": 4},
    {"command": "account", "kind": "no_credits", "times": 4},
    {"status": 429, "retry_after": 2, "times": 4},
    {"latency": 1.0, "jitter": 1.0, "when": "after", "times": 30},
    {"command": "message_status", "status": 500, "times": 5},
    {"command": "message_status", "kind": "truncated", "times": 3},
    {"command": "web_api", "kind": "drop", "when": "after", "times": 2},
    {"command": "web_api", "status": 503, "times": 2},
)
# All messages as well: those that a queue hands on are neither ready nor unacknowledged.
_QUEUE_COLUMNS = ("name", "messages", "messages_ready", "messages_unacknowledged", "consumers")
_LAG = 0.01  # seconds between the ledger's primary and its follower, each way
LIMIT_MIB = 40.0  # growth of the living worker that is still flat


def main() -> int:
    """Soak, print the figures, return 0 if the promise was kept."""
    options = _options()
    tally = _soak(options)
    print("", *tally.lines(), sep="\n")  # noqa: T201 - for a person at a terminal
    grown = tally.memory[-1] - tally.memory[0] if tally.memory else 0.0
    if options.plant:
        found = tally.finds_the_planted
        print("the planted double was found" if found else "THE PLANTED DOUBLE WAS NOT FOUND")  # noqa: T201 - as above
        return 0 if found else 1
    kept = tally.kept and grown <= LIMIT_MIB
    print("the promise was kept" if kept else "THE PROMISE WAS BROKEN")  # noqa: T201 - as above
    return 0 if kept else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="strikes in all (default 200)")
    parser.add_argument("--minutes", type=float, default=0.0, help="in place of a number of strikes")
    parser.add_argument("--ledger", choices=("sqlite", "redis", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=0, help="of the dice; 0: another one each time")
    parser.add_argument("--joint", action="store_true", help="one text for all jobs, which share calls")
    parser.add_argument(
        "--failovers", action="store_true", help="no other trouble than the ledger's primary killed"
    )
    parser.add_argument(
        "--plant", action="store_true", help="send a text a second time behind the workers' backs: find it"
    )
    parser.add_argument("--only-kills", action="store_true", help="no other trouble than SIGKILL")
    return parser.parse_args()


def _soak(options: argparse.Namespace) -> Tally:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        broker = stack.enter_context(breakable_broker())
        gateways = stack.enter_context(gateway_loop())
        gateway = stack.enter_context(gateways.gateway(latency=0.1, jitter=0.4))
        settings: dict[str, object] = {"WORKER_BREAKER_COOLDOWN": 1}
        pair = _pair(options, folder)
        if pair is not None:
            stack.enter_context(pair)
            settings["LEDGER_URL"] = pair.url
        elif options.ledger == "redis":
            settings["LEDGER_URL"] = stack.enter_context(RedisServer(folder / "redis")).url
        elif options.ledger == "postgresql":
            settings["LEDGER_URL"] = stack.enter_context(PostgresqlServer(durable=True)).url
        if options.joint:
            settings["WORKER_COALESCE_SENDS"] = "true"
        prefix = stack.enter_context(own_prefix(broker.url))
        scene = stack.enter_context(open_scene(f"{broker.url}?heartbeat=5", prefix, gateway, folder))
        plan = Plan(
            options.kills,
            settings,
            kinds=_kinds(options),
            others={
                "broker": _broker_killed(broker),
                "gateway": _gateway_in_trouble,
                "failover": _failover(pair),
            },
            # Of a Redis each server has a file of its own.
            history=not (options.failovers and options.ledger == "redis"),
            text="to all" if options.joint else "",
            job_every=0.03 if options.joint else 0.1,
            witness=True,
            hours=_hours(options),
            plant=options.plant,
            seed=options.seed,
            minutes=options.minutes,
            queues=partial(broker.rabbitmqctl, "list_queues", *_QUEUE_COLUMNS),
            say=_say,
        )
        return Soak(scene, plan).run()


def _hours(options: argparse.Namespace) -> Break:
    """Have them close in the middle of a run that is long enough for that."""
    lasts = 60 * (options.minutes or options.kills / 60)
    return Break.soon(lasts / 3) if lasts > 2 * MINUTE else Break()


def _kinds(options: argparse.Namespace) -> Mapping[str, float]:
    if options.failovers:
        return {"failover": 1.0}
    return {"kill": 1.0} if options.only_kills else KINDS


def _pair(options: argparse.Namespace, folder: Path) -> "PostgresqlPair | RedisPair | None":
    if not options.failovers:
        return None
    return RedisPair(folder, lag=_LAG) if options.ledger == "redis" else PostgresqlPair(lag=_LAG)


def _failover(pair: "PostgresqlPair | RedisPair | None") -> Strike:
    def strike(soak: Soak) -> None:
        if pair is not None:
            pair.fail_over()
            time.sleep(soak.dice.uniform(0, 3))
            pair.heal()

    return strike


def _broker_killed(broker: PrivateBroker) -> Strike:
    def strike(soak: Soak) -> None:
        broker.kill()
        time.sleep(soak.dice.uniform(0, 3))
        broker.start()

    return strike


def _gateway_in_trouble(soak: Soak) -> None:
    soak.scene.gateway.fault(**soak.dice.choice(FAULTS))


def _say(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{line:60}", end="", file=sys.stderr, flush=True)  # noqa: T201 - progress


if __name__ == "__main__":
    sys.exit(main())
