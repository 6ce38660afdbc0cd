"""The ledger's store is away: nothing is sent without it, and the work goes on by itself."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.chaos_gateway import LocalGateway, gateway_loop
from tests.support.chaos_scene import Scene, open_scene
from tests.support.failover_pairs import PostgresqlPair
from tests.support.postgresql_server import PostgresqlServer
from tests.support.redis_server import RedisServer
from tests.support.worker_process import wait_until

PLAIN = "919876543210"


@pytest.fixture
def gateway() -> Iterator[LocalGateway]:
    """Provide a gateway of the test's own."""
    with gateway_loop() as loop, loop.gateway() as gateway:
        yield gateway


@pytest.fixture
def scene(amqp_url: str, amqp_prefix: str, gateway: LocalGateway, tmp_path: Path) -> Iterator[Scene]:
    """Provide a scene on the shared broker."""
    with open_scene(amqp_url, amqp_prefix, gateway, tmp_path) as scene:
        yield scene


class TestSqliteAway:
    """Another process holds the file."""

    @pytest.mark.row(
        "outage/sqlite", "the SQLite file is locked", "no call meanwhile, `/readyz` 503, goes on by itself"
    )
    def test_locked(self, scene: Scene, gateway: LocalGateway) -> None:
        """No call while it is locked, 503 with the reason, and all of it afterwards."""
        worker = scene.ready()
        scene.wait_result(scene.send())
        with closing(sqlite3.connect(scene.folder / "ledger.db", isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            jobs = [scene.send(f"9198765433{number}") for number in range(20, 24)]
            assert "ledger" in worker.wait_not_ready()
            assert 1 == gateway.calls("sendSMS")
        worker.wait_ready(10)
        for job in jobs:
            assert {"accepted"} == set(scene.wait_result(job).outcomes.values())
        assert (0, []) == (scene.repeats(), scene.dead())

    @pytest.mark.row(
        "outage/sqlite-after-reply",
        "the file, right after a reply",
        "the ids are kept in memory until they can be recorded",
    )
    def test_locked_after_the_reply(self, scene: Scene, gateway: LocalGateway) -> None:
        """The ids of a reply that came meanwhile are kept until they can be recorded."""
        gateway.fault(command="sendSMS", latency=2.0, when="after", times=1)
        worker = scene.ready()
        job = scene.send()
        wait_until(lambda: gateway.ids(job), "the call is carried out")
        with closing(sqlite3.connect(scene.folder / "ledger.db", isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            worker.wait_not_ready()
        assert gateway.ids(job) == {PLAIN: [scene.wait_result(job).ids[PLAIN]]}


class TestPostgresqlAway:
    """The server was killed, or another one leads."""

    @pytest.mark.row("outage/postgresql", "PostgreSQL is killed and started with its data", "as with Redis")
    def test_killed_and_started(self, scene: Scene, gateway: LocalGateway) -> None:
        """No call without it; with its data back, what was sent is known."""
        with PostgresqlServer() as server:
            worker = scene.ready(LEDGER_URL=server.url)
            done = scene.send(text="once")
            scene.wait_result(done)
            server.kill()
            job = scene.send()
            assert "ledger" in worker.wait_not_ready()
            assert 1 == gateway.calls("sendSMS")
            server.start()
            worker.wait_ready(10)
            assert {PLAIN: "accepted"} == scene.wait_result(job).outcomes
            scene.send(job_id=done, text="once")
            wait_until(lambda: len(scene.results(done)) == 2, "the same result again")
            assert 0 == scene.repeats()

    @pytest.mark.row(
        "outage/failover",
        "its primary is killed, and the synchronous standby is promoted",
        "goes on at the new primary by itself; what was sent is known",
    )
    def test_failed_over(self, scene: Scene, gateway: LocalGateway) -> None:
        """The workers find the new primary in LEDGER_URL; no job is lost, nobody is texted twice."""
        with PostgresqlPair(lag=0.01, durable=False) as pair:
            worker = scene.ready(LEDGER_URL=pair.url)
            done = scene.send(text="once")
            scene.wait_result(done)
            jobs = [scene.send(f"9198765433{number}") for number in range(20, 40)]
            pair.fail_over()
            for job in jobs:
                assert {"accepted"} == set(scene.wait_result(job).outcomes.values())
            scene.send(job_id=done, text="once")
            wait_until(lambda: len(scene.results(done)) == 2, "the same result again")
            worker.wait_ready()
            assert (21, 0) == (gateway.calls("sendSMS"), scene.repeats())


class TestRedisAway:
    """The server was killed."""

    @pytest.mark.row(
        "outage/redis", "Redis is killed and started with its data", "the same; what was sent is known"
    )
    def test_killed_and_started(self, scene: Scene, gateway: LocalGateway) -> None:
        """No call without it; with its data back, what was sent is known."""
        with RedisServer(scene.folder / "redis") as redis:
            worker = scene.ready(LEDGER_URL=redis.url)
            done = scene.send(text="once")
            scene.wait_result(done)
            redis.kill()
            job = scene.send()
            assert "ledger" in worker.wait_not_ready()
            assert 1 == gateway.calls("sendSMS")
            redis.start()
            worker.wait_ready(10)
            assert {PLAIN: "accepted"} == scene.wait_result(job).outcomes
            scene.send(job_id=done, text="once")
            wait_until(lambda: len(scene.results(done)) == 2, "the same result again")
            assert 0 == scene.repeats()

    @pytest.mark.row("outage/redis-frozen", "Redis does not answer", "the same")
    def test_frozen(self, scene: Scene, gateway: LocalGateway) -> None:
        """The same where it does not answer."""
        with RedisServer(scene.folder / "redis") as redis:
            worker = scene.ready(LEDGER_URL=redis.url)
            with redis.frozen():
                job = scene.send()
                assert "ledger" in worker.wait_not_ready()
                assert 0 == gateway.calls("sendSMS")
            assert {PLAIN: "accepted"} == scene.wait_result(job).outcomes
            assert 0 == scene.repeats()
