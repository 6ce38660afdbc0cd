"""The ledger's store loses its entries, or stays away, while a call is under way: its ids are published."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chaos_gateway import LocalGateway, gateway_loop
from tests.support.chaos_scene import PLAIN, Scene, open_scene
from tests.support.redis_server import RedisServer
from tests.support.worker_process import wait_until

HELD = 2.0  # seconds of a call; the store is harmed within them
DRAIN = 12  # seconds, eight of which are for the reply and what is made of it
JOINT = pytest.mark.parametrize("joint", ["false", "true"], ids=["alone", "jointly"])


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


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Provide a Redis of the test's own."""
    with RedisServer(tmp_path / "redis") as redis:
        yield redis


def in_call(scene: Scene) -> str:
    """Publish a job and return it while the gateway has its call and keeps the reply back."""
    scene.gateway.fault(command="sendSMS", latency=HELD, when="after", times=1)
    job = scene.send()
    wait_until(lambda: scene.gateway.ids(job), "the call is carried out")
    return job


def sent_once_and_published(scene: Scene, job: str) -> None:
    """The gateway got one text, its id is in the result, and a repeat of the job is answered alike."""
    first = scene.wait_result(job)
    assert scene.gateway.ids(job) == {PLAIN: [first.ids[PLAIN]]}
    scene.send(job_id=job)
    wait_until(lambda: len(scene.results(job)) == 2, "the same result again")
    assert 1 == len({str(one.body) for one in scene.results(job)})
    assert (1, 0, []) == (scene.gateway.calls("sendSMS"), scene.repeats(), scene.dead())


class TestForgets:
    """It lost every entry."""

    @pytest.mark.row(
        "forgets/redis", "FLUSHALL", "one text, its id in one result; a repeat of the job is answered alike"
    )
    @JOINT
    def test_flushall_during_a_call(self, scene: Scene, redis: RedisServer, joint: str) -> None:
        """One text, its id in one result, and the ledger knows it again."""
        scene.ready(LEDGER_URL=redis.url, WORKER_COALESCE_SENDS=joint)
        job = in_call(scene)
        redis.command("FLUSHALL")
        sent_once_and_published(scene, job)

    @pytest.mark.row("forgets/sqlite", "the SQLite files are removed", "the same")
    @JOINT
    def test_sqlite_files_removed_during_a_call(self, scene: Scene, joint: str) -> None:
        """The same."""
        scene.ready(WORKER_COALESCE_SENDS=joint)
        job = in_call(scene)
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            (scene.folder / name).unlink(missing_ok=True)
        sent_once_and_published(scene, job)

    @pytest.mark.row("forgets/moved", "they are moved elsewhere", "the same")
    def test_sqlite_files_moved_during_a_call(self, scene: Scene) -> None:
        """The same, where an operator puts them elsewhere."""
        scene.ready()
        job = in_call(scene)
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            (scene.folder / name).rename(scene.folder / f"moved-{name}")
        sent_once_and_published(scene, job)

    @pytest.mark.row("forgets/foreign", "another program overwrites the entry", "the id is published")
    def test_another_program_takes_the_key(self, scene: Scene, redis: RedisServer) -> None:
        """The id is published, and the value that is not ours is left alone."""
        scene.ready(LEDGER_URL=redis.url)
        job = in_call(scene)
        key = f"{scene.prefix}:ledger:{job}"
        redis.command("SET", key, "not an entry")
        result = scene.wait_result(job)
        assert scene.gateway.ids(job) == {PLAIN: [result.ids[PLAIN]]}
        assert b"not an entry" == redis.command("GET", key)
        assert 1 == scene.gateway.calls("sendSMS")


class TestAwayAtAStop:
    """A worker must end while it waits with a reply for its ledger."""

    @pytest.mark.row(
        "forgets/away-stopped",
        "the store does not answer, and the worker must stop",
        "the id is published without a record; the next worker does not send",
    )
    @JOINT
    def test_the_ids_are_published_without_a_record(
        self, scene: Scene, redis: RedisServer, joint: str
    ) -> None:
        """And the job is acknowledged: whoever gets it again finds the claim, and does not send."""
        worker = scene.ready(LEDGER_URL=redis.url, WORKER_COALESCE_SENDS=joint, WORKER_DRAIN_TIMEOUT=DRAIN)
        job = in_call(scene)
        with redis.frozen():
            worker.terminate()
            assert 0 == worker.wait_dead()
        result = scene.wait_result(job)
        assert scene.gateway.ids(job) == {PLAIN: [result.ids[PLAIN]]}
        scene.ready(LEDGER_URL=redis.url)
        scene.send(job_id=job)
        # The claim stands in the ledger until its call's time is over.
        wait_until(lambda: len(scene.results(job)) >= 2, "the job is answered again")
        assert 1 == scene.gateway.calls("sendSMS")
