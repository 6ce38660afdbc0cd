"""A worker is ready only with a ledger that it can use; it says why not, once, and goes on by itself."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.free_ports import free_ports
from tests.support.chaos_gateway import LocalGateway, gateway_loop
from tests.support.chaos_process import ForkedWorker
from tests.support.chaos_scene import PLAIN, Scene, open_scene
from tests.support.faults_gate import fault_gate
from tests.support.forked import run_program
from tests.support.postgresql_server import PASSWORD, PostgresqlServer
from tests.support.redis_server import RedisServer
from tests.support.worker_process import wait_until, worker_environment

Broken = Callable[[Path], str]


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


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Provide a Redis with a password that nobody harms."""
    with RedisServer(tmp_path_factory.mktemp("redis"), password="right") as redis:
        yield redis


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresqlServer]:
    """Provide a PostgreSQL without the schema."""
    with PostgresqlServer() as server:
        yield server


def run(scene: Scene, *command: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run a command of the program to its end."""
    env = worker_environment(
        amqp_url=scene.amqp_url,
        prefix=scene.prefix,
        gateway_url=scene.gateway.url,
        folder=scene.folder,
        **settings,
    )
    return run_program(*command, env=env, cwd=scene.folder)


def no_redis(_folder: Path) -> str:
    """Nobody listens."""
    return f"redis://127.0.0.1:{free_ports(1)[0]}/0"


def no_file(folder: Path) -> str:
    """There is a directory of that name."""
    (folder / "taken.db").mkdir()
    return f"sqlite:///{folder}/taken.db"


def no_directory(folder: Path) -> str:
    """A part of the path is a file."""
    (folder / "file").touch()
    return f"sqlite:///{folder}/file/ledger.db"


def corrupt(folder: Path) -> str:
    """No database at all."""
    (folder / "corrupt.db").write_bytes(b"not a database, and longer than the header of one" * 100)
    return f"sqlite:///{folder}/corrupt.db"


def reasons(worker: ForkedWorker) -> dict[str, str]:
    """What /readyz says."""
    status, body = worker.readiness()
    found: dict[str, str] = json.loads(body)["reasons"] if status else {"nobody": "answers"}
    return found


def only_lacks_the_ledger(worker: ForkedWorker) -> str:
    """Wait until nothing else is wrong; return what is wrong with the ledger."""
    wait_until(
        lambda: list(reasons(worker)) == ["ledger"] and "tried" not in str(reasons(worker)), "it waits"
    )
    return reasons(worker)["ledger"]


class TestNeverReady:
    """With a ledger that cannot be used, from the start."""

    @pytest.mark.row(
        "outage/never",
        "a ledger that cannot be used from the start: no server, a wrong password or database, "
        "a replica, a file that cannot be written or is none",
        "`/readyz` 503 with the reason before any job comes, one line; the process waits",
    )
    @pytest.mark.parametrize(
        ("broken", "words"),
        [
            (no_redis, "cannot be reached"),
            (no_file, "belong to the worker's user"),
            (no_directory, "belong to the worker's user"),
            (corrupt, "damaged"),
        ],
    )
    def test_it_says_why_once(self, scene: Scene, broken: Broken, words: str) -> None:
        """No job is needed for it, and the process goes on waiting."""
        worker = scene.worker(LEDGER_URL=broken(scene.folder))
        assert words in only_lacks_the_ledger(worker)
        scene.send()
        wait_until(lambda: worker.events("intake.paused") == 1, "sends are paused")
        assert 1 == worker.events("ledger.unavailable")
        assert 503 == worker.readiness()[0]
        assert 0 == scene.gateway.calls("sendSMS")

    @pytest.mark.row("outage/never")
    @pytest.mark.parametrize(
        ("start", "end", "words"),
        [(":wrong@", "/0", "correct them in LEDGER_URL"), (":right@", "/77", "no database of that number")],
    )
    def test_a_wrong_address(
        self, scene: Scene, redis: RedisServer, start: str, end: str, words: str
    ) -> None:
        """A rollout with it replaces no pod."""
        worker = scene.worker(LEDGER_URL=f"redis://{start}127.0.0.1:{redis.port}{end}")
        assert words in only_lacks_the_ledger(worker)
        assert 1 == worker.events("ledger.unavailable")
        assert "right" not in worker.log.read_text().replace("bright", "")

    def test_a_replica_that_takes_no_writes(self, scene: Scene) -> None:
        """Until it is a primary."""
        with RedisServer(scene.folder / "redis") as replica:
            replica.command("REPLICAOF", "127.0.0.1", str(free_ports(1)[0]))
            worker = scene.worker(LEDGER_URL=replica.url)
            assert "primary" in only_lacks_the_ledger(worker)
            replica.command("REPLICAOF", "NO", "ONE")
            worker.wait_ready()
            assert (1, 1) == (worker.events("ledger.unavailable"), worker.events("ledger.available"))


class TestComesAndGoes:
    """A store that is away for a while."""

    def test_a_redis_that_starts_after_the_worker(self, scene: Scene) -> None:
        """The worker waits for it, and works."""
        with RedisServer(scene.folder / "redis") as redis:
            redis.kill()
            worker = scene.worker(LEDGER_URL=redis.url)
            only_lacks_the_ledger(worker)
            redis.start()
            worker.wait_ready()
            assert {PLAIN: "accepted"} == scene.wait_result(scene.send()).outcomes

    @pytest.mark.row(
        "outage/idle",
        "the store goes away while nothing is to do",
        "noticed within 10 s or so; well again by itself",
    )
    def test_an_idle_worker_notices(self, scene: Scene) -> None:
        """Without a job."""
        with RedisServer(scene.folder / "redis") as redis:
            worker = scene.ready(LEDGER_URL=redis.url)
            redis.kill()
            assert "cannot be reached" in worker.wait_not_ready(20)
            redis.start()
            worker.wait_ready()
            # What the trials wrote, and what was read of the account's balance.
            left = [key for key in redis.command("KEYS", "*") if b"balance" not in key]
            assert len(left) == 1

    def test_a_file_that_is_taken_away(self, scene: Scene) -> None:
        """And a directory in its place, while nothing is to do."""
        worker = scene.ready()
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            (scene.folder / name).unlink(missing_ok=True)
        (scene.folder / "ledger.db").mkdir()
        assert "ledger.db" in worker.wait_not_ready(20)
        (scene.folder / "ledger.db").rmdir()
        worker.wait_ready()


class TestPostgresql:
    """The database of a fleet, from the start of a worker on."""

    def test_the_schema_is_made_where_the_role_may(self, scene: Scene, database: PostgresqlServer) -> None:
        """A first worker needs nobody to prepare it."""
        worker = scene.ready(LEDGER_URL=database.url)
        assert {PLAIN: "accepted"} == scene.wait_result(scene.send()).outcomes
        assert PASSWORD not in worker.log.read_text()

    @pytest.mark.row("outage/never")
    def test_who_may_not_make_it_waits_for_one_who_may(
        self, scene: Scene, database: PostgresqlServer
    ) -> None:
        """And says what to type; then it goes on by itself, with the least rights."""
        database.command("CREATE DATABASE bare")
        database.command(f"CREATE ROLE small LOGIN PASSWORD '{PASSWORD}'")
        worker = scene.worker(LEDGER_URL=database.url_of("small", database="bare"))
        assert "iton-worker ledger init" in only_lacks_the_ledger(worker)
        assert 1 == worker.events("ledger.unavailable")
        owner = database.url_of("postgres", database="bare")
        ended = run(scene, "ledger", "init", "--role", "small", LEDGER_URL=owner)
        assert (0, "schema version 1 made, small may use it\n") == (ended.returncode, ended.stdout)
        worker.wait_ready()
        assert {PLAIN: "accepted"} == scene.wait_result(scene.send()).outcomes
        assert PASSWORD not in worker.log.read_text()

    @pytest.mark.row("outage/never")
    @pytest.mark.parametrize(
        ("user", "name", "words"),
        [("nobody", "postgres", "correct them in LEDGER_URL"), ("postgres", "absent", "no such database")],
    )
    def test_a_wrong_address(
        self, scene: Scene, database: PostgresqlServer, user: str, name: str, words: str
    ) -> None:
        """A rollout with it replaces no pod."""
        worker = scene.worker(LEDGER_URL=database.url_of(user, database=name))
        assert words in only_lacks_the_ledger(worker)
        assert 1 == worker.events("ledger.unavailable")
        assert PASSWORD not in worker.log.read_text()

    @pytest.mark.parametrize(
        "slip", ["postgres://u:pw@h/db", "postgresql://u:pw@h", "postgresql://h/db?ssl=1"]
    )
    def test_a_mistyped_url_ends_the_start(self, scene: Scene, slip: str) -> None:
        """With exit code 2 and one line, which names the variable and what it would have to be."""
        ended = run(scene, "run", LEDGER_URL=slip)
        (line,) = (ended.stdout + ended.stderr).splitlines()
        assert 2 == ended.returncode
        assert "LEDGER_URL" in line
        assert "postgresql://" in line
        assert "pw@" not in line


class TestSlow:
    """A Redis that takes its time."""

    @pytest.mark.row("outage/slow", "Redis takes 2.2 s for each command", "slow, but right: sent once, ready")
    def test_two_seconds_are_no_reason_to_stop(self, scene: Scene) -> None:
        """Slow, but right: the job is sent once, and the worker is ready."""
        with RedisServer(scene.folder / "redis") as redis, fault_gate(redis.url) as way:
            way._gate.delay = 1.1
            worker = scene.worker(LEDGER_URL=way.url, ITON_TIMEOUT=10).wait_ready()
            jobs = [scene.send() for _ in range(3)]
            for job in jobs:
                assert {PLAIN: "accepted"} == scene.wait_result(job).outcomes
            assert (3, 0) == (scene.gateway.calls("sendSMS"), scene.repeats())
            assert 0 == worker.events("ledger.unavailable")

    @pytest.mark.row(
        "outage/too-slow",
        "it takes longer than a claim may be old (5 s)",
        "no call, `/readyz` 503; goes on by itself",
    )
    def test_more_than_a_claim_may_take_is_one(self, scene: Scene) -> None:
        """The worker pauses, says so, and is not ready; then it goes on."""
        with RedisServer(scene.folder / "redis") as redis, fault_gate(redis.url) as way:
            worker = scene.ready(LEDGER_URL=way.url)
            way._gate.delay = 4.0
            job = scene.send()
            assert "ledger" in worker.wait_not_ready()
            assert 0 == scene.gateway.calls("sendSMS")
            assert 1 <= worker.events("ledger.unavailable") <= 2
            way._gate.delay = 0.0
            worker.wait_ready()
            assert {PLAIN: "accepted"} == scene.wait_result(job).outcomes
            assert 1 == scene.gateway.calls("sendSMS")


class TestRefused:
    """What can never work ends the start."""

    @pytest.mark.parametrize("assigned", [False, True], ids=["no slots", "all slots"])
    def test_a_node_of_a_cluster(self, scene: Scene, *, assigned: bool) -> None:
        """By `run` with exit code 2 and one line, and by `check`."""
        with RedisServer(scene.folder / "redis", cluster=True) as node:
            if assigned:
                node.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
            ended = run(scene, "run", LEDGER_URL=node.url)
            (line,) = (ended.stdout + ended.stderr).splitlines()
            assert (2, True, True) == (ended.returncode, "LEDGER_URL" in line, "Cluster" in line)
            checked = run(scene, "check", LEDGER_URL=node.url)
            assert 1 == checked.returncode
            assert "Cluster" in checked.stdout

    def test_a_ledger_that_forgets_too_soon(self, scene: Scene) -> None:
        """The line says how long it must remember at least."""
        settings = {"WORKER_RETRY_MAX_AGE": 7200, "WORKER_RETRY_DELAYS": "5,900"}
        ended = run(scene, "run", WORKER_LEDGER_RETENTION=8099, **settings)
        (line,) = (ended.stdout + ended.stderr).splitlines()
        assert (2, True) == (ended.returncode, "WORKER_LEDGER_RETENTION" in line)
        assert "8100" in line
