"""A soak in small: 25 kills for each ledger. ``python -m tests.soak`` runs longer, rougher ones."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak.soak import Plan, Soak
from tests.soak.tally import Tally
from tests.support.chaos_gateway import LocalGateway, gateway_loop
from tests.support.chaos_scene import Scene, open_scene
from tests.support.postgresql_server import PostgresqlServer
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.slow

KILLS = 25
PAUSE = 0.65  # seconds between two of them, in the mean


@pytest.fixture
def slow_gateway() -> Iterator[LocalGateway]:
    """Provide a gateway that takes up to 0.6 s for each call, so that kills meet calls."""
    with gateway_loop() as loop, loop.gateway(latency=0.2, jitter=0.4) as gateway:
        yield gateway


@pytest.fixture
def scene(amqp_url: str, amqp_prefix: str, slow_gateway: LocalGateway, tmp_path: Path) -> Iterator[Scene]:
    """Provide a scene on the shared broker."""
    with open_scene(amqp_url, amqp_prefix, slow_gateway, tmp_path) as scene:
        yield scene


def check(tally: Tally) -> None:
    """Show the figures; nothing is lost, nothing doubled, every `uncertain` explained by a kill.

    Nor is anything sent before its time, or in spite of a cancellation, or followed to two ends.
    """
    print(*tally.lines(), sep="\n")  # noqa: T201 - the figures are what a soak is for
    assert KILLS == tally.strikes["kill"]
    assert (0, 0) == (tally.doubles, tally.lost), tally.lines()
    assert tally.features.kept, tally.lines()
    assert tally.uncertain <= tally.under_way, tally.lines()
    assert tally.kept, tally.lines()


class TestSoak:
    """Random SIGKILLs over two workers that share a ledger, while jobs flow."""

    @pytest.mark.row(
        "soak-sqlite",
        "25 times at random, two workers, a slow gateway; jobs of all kinds",
        "anything",
        "doubles 0, lost 0; every `uncertain` was a call under way at a kill; no call too early or after a "
        "cancellation; one end for each followed message",
    )
    def test_sqlite(self, scene: Scene) -> None:
        """With the ledger of one machine."""
        check(Soak(scene, Plan(KILLS, {}, pause=PAUSE)).run())

    @pytest.mark.row("soak-redis", "the same with a Redis ledger", "anything", "the same")
    def test_redis(self, scene: Scene, tmp_path: Path) -> None:
        """With the ledger of a fleet."""
        with RedisServer(tmp_path / "redis") as redis:
            check(Soak(scene, Plan(KILLS, {"LEDGER_URL": redis.url}, pause=PAUSE)).run())

    @pytest.mark.row("soak-postgresql", "the same with a PostgreSQL ledger", "anything", "the same")
    def test_postgresql(self, scene: Scene) -> None:
        """With the one that survives failovers."""
        with PostgresqlServer() as server:
            check(Soak(scene, Plan(KILLS, {"LEDGER_URL": server.url}, pause=PAUSE)).run())
