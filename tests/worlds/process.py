"""A whole worker process on a host of the world."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from unittest import mock

from tests.worlds.clock import WorldClock
from tests.worlds.gateway import Gateway, WayToGateway
from tests.worlds.history import Life
from tests.worlds.jobs import PASSWORD, TOKEN, USERNAME
from tests.worlds.loop import Host, VirtualLoop
from tests.worlds.store import HostLedger, Store
from tests.worlds.web import ADDRESS, PATHS, WayToWeb, WebGateway
from worker.bootstrap.assembly import Assembly
from worker.bootstrap.collaborators import Collaborators
from worker.runtime import StopSignals, serve
from worker.settings import Settings, load_settings

BROKER = ("broker.world", 5672)


@lru_cache(maxsize=256)
def settings_of(variables: tuple[tuple[str, str], ...]) -> Settings:
    """Read the settings that *variables* give."""
    given: Mapping[str, str] = {
        "AMQP_URL": f"amqp://guest:guest@{BROKER[0]}:{BROKER[1]}/",
        "ITON_BASE_URL": "http://gateway.world/api/",
        "ITON_USERNAME": USERNAME,
        "ITON_PASSWORD": PASSWORD,
        "ITON_API_TOKEN": TOKEN,
        "ITON_WEB_API_URL": ADDRESS,
        "ITON_WEB_API_PATHS": PATHS,
        "LEDGER_URL": "memory://",
        "HEALTH_PORT": "0",  # opened for real, by every process of the world
        "HEALTH_HOST": "127.0.0.1",
        **dict(variables),
    }
    with mock.patch.dict(os.environ, given, clear=True):
        return load_settings(env_file="")


@dataclass(slots=True)
class Process:
    """Started on a host, and ended with it or by a signal."""

    host: Host
    life: Life
    assembly: Assembly
    clock: WorldClock
    way: WayToGateway
    web: WayToWeb
    signals: StopSignals = field(default_factory=StopSignals)
    task: "asyncio.Task[int] | None" = None

    def stop(self) -> None:
        """Send it SIGTERM."""
        self.signals.stop.set()

    def works(self) -> "list[asyncio.Task[None]]":
        """Return what is at work on a delivery."""
        in_hand = self.assembly.consumer._in_hand
        return [task for received, task in in_hand.working.items() if received.started]

    def body_bytes(self) -> int:
        """Count the bytes of the bodies that it keeps, of lost deliveries as well."""
        return sum(len(each.body) for each in self.assembly.consumer.held())


def start(
    loop: VirtualLoop,
    name: str,
    settings: Settings,
    *,
    gateways: tuple[Gateway, WebGateway],
    store: Store,
    chance: Random,
) -> Process:
    """Start a worker process on a new host."""
    host, clock = Host(name), WorldClock(loop)
    way, to_web = WayToGateway(gateways[0], host, loop), WayToWeb(gateways[1], host, loop)
    given = Collaborators(
        clock=clock,
        random=Random(chance.getrandbits(64)),  # noqa: S311 - chance of a world, no secret
        transport=way,
        web_transport=to_web,
        store=HostLedger(store, host, clock),
    )
    process = Process(host, Life(name, loop.time()), Assembly(settings, given), clock, way, to_web)

    async def run() -> int:
        return await serve(process.assembly.parts(), process.signals)

    process.task = host.context.copy().run(loop.create_task, run(), name=f"worker {name}")
    return process
