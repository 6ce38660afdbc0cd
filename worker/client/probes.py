"""The parts that the settings name, each with the look that `check` takes at it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from worker.bootstrap.adapters import gateway_of, ledger_of, web_api_of
from worker.client.access import BrokerAccess
from worker.client.checking import (
    Finding,
    Look,
    check_all,
    look_at_broker,
    look_at_gateway,
    look_at_ledger,
    look_at_topology,
    look_at_web_api,
)
from worker.settings import Settings


async def probe(settings: Settings) -> AsyncGenerator[Finding]:
    """Yield a finding each of broker, topology, gateway and ledger, and of the Web API where there is one."""
    access = BrokerAccess.of(settings)
    gateway, ledger = gateway_of(settings), ledger_of(settings)
    looks: dict[str, Look] = {
        "broker": lambda: look_at_broker(access),
        "topology": lambda: look_at_topology(access),
        "gateway": lambda: look_at_gateway(gateway),
        "ledger": lambda: look_at_ledger(ledger, settings.ledger.kind),
    }
    web_api = web_api_of(settings, lambda _command, _outcome, _seconds: None)
    if web_api is not None:
        looks["web api"] = partial(look_at_web_api, web_api)
    try:
        async with aclosing(check_all(looks)) as findings:
            async for finding in findings:
                yield finding
    finally:
        await gateway.aclose()
        await ledger.close()
        if web_api is not None:
            await web_api.aclose()
