"""What an operator does to a running fleet (docs/operations.md): nothing is lost or doubled by it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts.local_broker import PrivateBroker
from tests.support.campaign import Campaign
from tests.support.fleet import Fleet, Stage, open_fleet
from tests.support.redis_server import RedisServer
from tests.support.results_side import numbers
from tests.support.simulator_process import SimulatorProcess
from tests.support.worker_process import WorkerProcess, wait_until

pytestmark = pytest.mark.slow

Report = Callable[[str, object], None]
OLD, NEW = "alt-4f1c", "neu-93be"
PER_SECOND = 40
# A call is under way at any time, and a job that fails by itself is in its delay queue for a while.
SETTINGS = {"WORKER_RETRY_DELAYS": "2,4", "WORKER_RETRY_ATTEMPTS": 1, "WORKER_BREAKER_FAILURES": 1000}


def as_user(broker: PrivateBroker, name: str) -> str:
    """Return the broker's URL for a user whose password is its name."""
    return f"amqp://{name}:{name}@127.0.0.1:{broker.port}/"


def let_in(broker: PrivateBroker, name: str, prefix: str) -> None:
    """Add a user with the least that a worker needs."""
    own = f"^{prefix}\\."
    broker.rabbitmqctl("add_user", name, name)
    broker.rabbitmqctl("set_permissions", name, own, f"{own}|^amq\\.default$", own)


def returned(worker: WorkerProcess) -> list[str]:
    """Return the reasons for which jobs went back to their queue, by the log."""
    lines = worker.log_lines("job.completed")
    return [str(line["reason"]) for line in lines if line["result"] == "returned"]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Provide a Redis that asks for a password."""
    with RedisServer(tmp_path / "redis", password=OLD) as server:
        yield server


@pytest.fixture
def rotating(
    own_broker: PrivateBroker,
    own_broker_prefix: str,
    gateway: SimulatorProcess,
    redis: RedisServer,
    tmp_path: Path,
) -> Iterator[Fleet]:
    """Provide two workers that have every credential in its old form."""
    let_in(own_broker, OLD, own_broker_prefix)
    stage = Stage(own_broker.url, own_broker_prefix, gateway, redis.url, tmp_path)
    with open_fleet(stage, 2, AMQP_URL=as_user(own_broker, OLD)) as fleet:
        yield fleet
    own_broker.rabbitmqctl("delete_user", NEW)


class TestCredentials:
    """Broker, Redis and ITON, each under load, by replacing the workers one by one."""

    def test_rotated(
        self, rotating: Fleet, own_broker: PrivateBroker, redis: RedisServer, figures: Report
    ) -> None:
        """Old and new are valid side by side at broker and Redis; ITON has one password, and jobs wait."""
        gateway, campaign = rotating.stage.gateway, rotating.campaign("rotated")
        gateway.change(latency=0.1)
        with campaign.flowing(PER_SECOND):
            campaign.wait_sent(PER_SECOND)
            let_in(own_broker, NEW, rotating.stage.prefix)
            redis.command("ACL", "SETUSER", "default", f">{NEW}")
            gateway.change(password=NEW)
            codes = rotating.roll(
                AMQP_URL=as_user(own_broker, NEW),
                LEDGER_URL=redis.url.replace(OLD, NEW),
                ITON_PASSWORD=NEW,
            )
            redis.command("ACL", "SETUSER", "default", f"<{OLD}")
            own_broker.rabbitmqctl("delete_user", OLD)
            campaign.wait_sent(campaign.sent() + 2 * PER_SECOND)
        campaign.wait_done()
        found = campaign.reckoning(rotating.queues)
        figures("credentials rotated", f"exit codes {codes}; {found}")
        assert {} == found.faults
        assert [0, 0] == codes


class TestMove:
    """To another broker: producers first, then the old fleet works until its queues are empty."""

    def test_two_brokers_and_one_ledger(
        self, stage: Stage, own_broker: PrivateBroker, tmp_path: Path, figures: Report
    ) -> None:
        """A job that waits in a delay queue is done by the old fleet; one published on both is sent once."""
        other = Stage(own_broker.url, stage.prefix, stage.gateway, stage.ledger_url, tmp_path / "new")
        with ExitStack() as stack:
            old = stack.enter_context(open_fleet(stage, 1, **SETTINGS))
            new = stack.enter_context(open_fleet(other, 1, **SETTINGS))
            before, after = old.campaign("before"), new.campaign("after")
            stage.gateway.fault(command="sendSMS", status=503, times=3)
            before.publish(3)
            wait_until(lambda: old.queues.count("delay.2s") > 0, "jobs are in the delay queue")
            large = old.campaign("large")
            large.publish_large(2_000)
            twice = self._both(old, new)
            after.publish(200)
            for campaign in (before, large, after, *twice):
                campaign.wait_done()
            found = [before.reckoning(old.queues), large.reckoning(old.queues), after.reckoning(new.queues)]
            for what, reckoning in zip(("delayed", "large", "new"), found, strict=True):
                figures(f"moved to another broker, {what} jobs", reckoning)
            assert [{}, {}, {}] == [one.faults for one in found]
            assert dict.fromkeys(numbers(50), 1) == stage.gateway.times("both")
            assert [0] == old.retire(*old.living)
            assert 0 == old.queues.count("delay.2s") + old.queues.count("results.unrouted")

    @staticmethod
    def _both(old: Fleet, new: Fleet) -> list[Campaign]:
        campaigns = [old.campaign("both"), new.campaign("both")]
        for campaign in campaigns:
            campaign.publish(50)
        return campaigns


class TestUpgrade:
    """Two releases on one ledger while a deployment rolls."""

    def test_an_entry_of_a_newer_release_waits_for_it(
        self, stage: Stage, redis_of_stage: RedisServer
    ) -> None:
        """The job goes back to its queue, again and again; others are done, and it is when it can be read."""
        with open_fleet(stage, 1) as fleet:
            campaign = fleet.campaign("newer")
            key = f"{stage.prefix}:ledger:newer-{numbers(1)[0]}"
            redis_of_stage.command("SET", key, '2:t1{"v":2}')
            campaign.publish(20)
            campaign.wait_sent(19)
            (worker,) = fleet.living
            wait_until(lambda: len(returned(worker)) > 1, "the job went back twice")
            redis_of_stage.command("DEL", key)
            campaign.wait_done()
            assert {} == campaign.reckoning(fleet.queues).faults
            assert {"ledger_unreadable"} == set(returned(worker))
