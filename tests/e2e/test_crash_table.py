"""A worker is killed before every step of every kind of job, on a real RabbitMQ; others finish the work."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from scripts.find_broker import FoundBroker
from tests.support.chaos_rows import ON_SERVERS, OPEN, PLAIN, ROWS, WALKS, Row
from tests.support.chaos_table import Aftermath, Played, ends, followed, play
from tests.support.postgresql_server import PostgresqlServer
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def aftermaths(amqp: str, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Play the whole table once."""
    return play(ROWS, amqp, tmp_path_factory.mktemp("table"))


@pytest.fixture(scope="module")
def on_redis(amqp: str, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Play the rows of the small send jobs with the ledger of a fleet."""
    folder = tmp_path_factory.mktemp("redis-table")
    with RedisServer(folder / "redis") as redis:
        return play(ON_SERVERS, amqp, folder, LEDGER_URL=redis.url)


@pytest.fixture(scope="module")
def on_postgresql(amqp: str, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Play them with the one that survives failovers."""
    with PostgresqlServer() as server:
        return play(ON_SERVERS, amqp, tmp_path_factory.mktemp("postgresql-table"), LEDGER_URL=server.url)


@pytest.fixture(scope="module")
def amqp(broker: FoundBroker) -> str:
    """Return the URL of the shared broker: no row harms it."""
    return broker.url


class TestCrashTable:
    """Rows of docs/crash-table.md."""

    @pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
    def test_killed(self, row: Row, aftermaths: Played) -> None:
        """Every recipient ends in the outcome that the table names, and nobody gets the text twice."""
        _check(row, aftermaths)

    @pytest.mark.parametrize("row", ON_SERVERS, ids=lambda row: row.id)
    def test_killed_with_redis(self, row: Row, on_redis: Played) -> None:
        """The same holds with the ledger in Redis."""
        _check(row, on_redis)

    @pytest.mark.parametrize("row", ON_SERVERS, ids=lambda row: row.id)
    def test_killed_with_postgresql(self, row: Row, on_postgresql: Played) -> None:
        """And with the ledger in PostgreSQL."""
        _check(row, on_postgresql)


def _check(row: Row, played: Played) -> None:
    walk, after = WALKS[row.walk], played[row.id]
    if isinstance(after, AssertionError):
        raise after
    _check_walk(row, after)
    assert all(key.startswith(walk.result) for key, _, _ in after.results), after.results
    assert bool(after.dead) == walk.dead
    _check_repetitions(row, after)
    if row.outcomes:
        _check_recipients(row, after)
    if walk.tracked:
        _check_ends(after)


def _check_walk(row: Row, after: Aftermath) -> None:
    """The worker did what the table says up to the moment, and died there."""
    walk, moment = WALKS[row.walk], row.moment
    assert (0 if moment is None else -9) == after.exit_code
    # The first question is the worker's own, at its start.
    whole = ["account", *walk.steps]
    if moment is None and walk.ordered:
        assert whole == after.steps
    elif moment is None:
        assert Counter(whole) == Counter(after.steps)
    else:
        done = moment.nth if moment.side == "after" else moment.nth - 1
        assert done == after.steps.count(moment.step)


def _check_repetitions(row: Row, after: Aftermath) -> None:
    """A result may come twice; then it is the same one, under the same message id."""
    by_id: dict[str, list[object]] = {}
    for _, message_id, body in after.results:
        by_id.setdefault(message_id, []).append(body)
    assert all(all(body == bodies[0] for body in bodies) for bodies in by_id.values())
    assert not row.repeated or any(len(bodies) > 1 for bodies in by_id.values())


def _check_recipients(row: Row, after: Aftermath) -> None:
    by_id = {message_id: body for _, message_id, body in after.results if "track" not in body}
    entries = [entry for body in by_id.values() for entry in body["recipients"]]
    assert len(entries) == len({entry["recipient"] for entry in entries})
    assert row.outcomes == Counter(entry["outcome"] for entry in entries)
    assert row.calls in {None, after.calls}
    assert row.walk == "resend" or all(len(ids) == 1 for ids in after.ids.values())
    accepted = {e["recipient"]: e["message_id"] for e in entries if e["outcome"] == "accepted"}
    assert all(message_id == after.ids[name][-1] for name, message_id in accepted.items())
    in_doubt = {e["recipient"] for e in entries if e["outcome"] == "uncertain"}
    assert set(after.ids) <= accepted.keys() | in_doubt
    _check_owners(row, by_id.values())


def _check_ends(after: Aftermath) -> None:
    """Each message is in exactly one tracked result, however often that comes."""
    by_id = {message_id: body for _, message_id, body in after.results}
    assert Counter(followed(by_id.values())) == Counter(ends(by_id.values()))
    assert all(
        message_id == f"{body['job_id']}/track/{body['track']}"
        for message_id, body in by_id.items()
        if "track" in body
    )
    told = [
        row
        for body in by_id.values()
        if "track" in body
        for one in body["messages"]
        for row in one["recipients"]
    ]
    assert {PLAIN: "delivered", OPEN: "unknown"} == {row["recipient"]: row["status"] for row in told}


def _check_owners(row: Row, bodies: Iterable[Mapping[str, Any]]) -> None:
    """The results of a job name all of its recipients, and nobody else's."""
    named: dict[str, set[str]] = {}
    for body in bodies:
        named.setdefault(body["job_id"], set()).update(entry["recipient"] for entry in body["recipients"])
    jobs = WALKS[row.walk].jobs.items()
    assert named == {job_id: set(job["recipients"]) for job_id, job in jobs if not isinstance(job, bytes)}
