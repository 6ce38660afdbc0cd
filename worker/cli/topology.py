"""``iton-worker topology``."""

# ruff: noqa: PLC0415 - the help must not wait for the libraries of the work

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.terminal import complain, epilog, read_settings, say, say_table

if TYPE_CHECKING:
    from worker.client.access import BrokerAccess

EPILOG = epilog("""
Examples:
    iton-worker topology
    iton-worker topology --json | jq '.queues[].name'
    AMQP_URL=amqp://admin:...@broker/ iton-worker topology --declare

Exit codes: 0 printed or declared; 1 the broker cannot be reached or refuses; 2 wrong usage or setting.
""")


def topology(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, all arguments included.")] = False,
    declare: Annotated[bool, typer.Option("--declare", help="Declare it on the broker of AMQP_URL.")] = False,
) -> None:
    """Print the exchanges, queues and bindings that the worker uses, or declare them.

    Names start with AMQP_PREFIX; the delay queues follow WORKER_RETRY_DELAYS. Declaring is idempotent.
    """
    import json

    from worker.client.access import BrokerAccess

    access = BrokerAccess.of(read_settings())
    if declare:
        _declare(access)
    elif as_json:
        say(json.dumps(access.topology.to_json(), indent=2))
    else:
        say_table(("WHAT", "NAME", "TYPE OR KEY", "MORE"), access.topology.rows())


def _declare(access: "BrokerAccess") -> None:
    from worker.client.access import declare_topology

    asyncio.run(declare_topology(access))
    made = access.topology
    complain(f"declared {len(made.exchanges)} exchanges and {len(made.queues)} queues")
