"""The parts that the settings name, each with the look that `check` takes at it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from worker.bootstrap.adapters import gateway_of, ledger_of
from worker.client.access import BrokerAccess
from worker.client.checking import (
    Finding,
    check_all,
    look_at_broker,
    look_at_gateway,
    look_at_ledger,
    look_at_topology,
)
from worker.settings import Settings


async def probe(settings: Settings) -> AsyncGenerator[Finding]:
    """Yield a finding each of broker, topology, gateway and ledger."""
    access = BrokerAccess.of(settings)
    gateway, ledger = gateway_of(settings), ledger_of(settings)
    looks = {
        "broker": lambda: look_at_broker(access),
        "topology": lambda: look_at_topology(access),
        "gateway": lambda: look_at_gateway(gateway),
        "ledger": lambda: look_at_ledger(ledger, settings.ledger.kind),
    }
    try:
        async with aclosing(check_all(looks)) as findings:
            async for finding in findings:
                yield finding
    finally:
        await gateway.aclose()
        await ledger.close()
