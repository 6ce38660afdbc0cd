"""``iton-worker results``."""

# ruff: noqa: PLC0415 - the help must not wait for the libraries of the work

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.terminal import EXIT_FAILED, complain, epilog, read_settings, say, say_json
from worker.cli.usage import job_id_of

if TYPE_CHECKING:
    from worker.client.access import BrokerAccess
    from worker.client.following import SeenResult

EPILOG = epilog("""
Examples:
    iton-worker results
    iton-worker results --job-id order-1841 --timeout 60
    iton-worker results --json --count 1 | jq .counts
    iton-worker results --unrouted

Exit codes: 0 as many came as were asked for; 1 the time was over before; 130 interrupted.
""")

_PAST = """\
past results are not seen by this command: `iton-worker results --unrouted --job-id ID` has what no queue took
to see them again, start this command and publish the job once more with the same id and content: \
it is sent once, and its results are published again while the ledger knows it (WORKER_LEDGER_RETENTION)"""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the person asked for."""

    job_ids: frozenset[str]
    count: int | None
    timeout: float | None
    as_json: bool


def results(
    *,
    job_id: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            parser=job_id_of,
            help="Only of this job, again for more; ends when all parts have come.",
        ),
    ] = None,
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="End after so many results.")] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="End after so many seconds.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line, as it came.")] = False,
    unrouted: Annotated[
        bool, typer.Option("--unrouted", help="Read what nobody was bound for, and leave it there.")
    ] = False,
    take: Annotated[bool, typer.Option("--take", help="With --unrouted: take it out of the queue.")] = False,
) -> None:
    """Follow results as they are published.

    A queue of its own is bound to the result exchanges while the command runs: other consumers miss
    nothing, and what was published before is not seen. To see results once more, publish the job again with
    the same id and content: it is sent once, and answered again. Nothing else is declared on the broker.
    """
    from worker.client.access import BrokerAccess

    if take and not unrouted:
        raise typer.BadParameter("goes with --unrouted only", param_hint="--take")
    if take and job_id:
        raise typer.BadParameter("goes without --job-id: it takes all that it looks at", param_hint="--take")
    wanted = _Wanted(frozenset(job_id or ()), count, timeout, as_json)
    access = BrokerAccess.of(read_settings())
    if unrouted:
        asyncio.run(_show_unrouted(access, wanted, take=take))
    elif not asyncio.run(_follow_in_time(access, wanted)):
        raise typer.Exit(EXIT_FAILED)


async def _follow_in_time(access: "BrokerAccess", wanted: _Wanted) -> bool:
    """Show results until there are enough; False when the time was over before."""
    try:
        async with asyncio.timeout(wanted.timeout):
            await _follow(access, wanted)
    except TimeoutError:
        if wanted.count is None and not wanted.job_ids:
            return True
        complain(f"the results did not come within {wanted.timeout:g} s")
        for line in _PAST.splitlines() if wanted.job_ids else ():
            complain(line)
        return False
    return True


async def _follow(access: "BrokerAccess", wanted: _Wanted) -> None:
    from contextlib import aclosing

    from schemas.channels import ResultKind
    from worker.client.following import Awaited, follow

    awaited = Awaited(wanted.job_ids)
    shown = 0
    async with aclosing(follow(access, ResultKind, lambda: complain("waiting for results"))) as arrivals:
        async for result in arrivals:
            if not awaited.wants(result):
                continue
            _show(result, as_json=wanted.as_json)
            shown += 1
            awaited.note(result)
            if shown == wanted.count or awaited.over:
                return


async def _show_unrouted(access: "BrokerAccess", wanted: _Wanted, *, take: bool) -> None:
    from contextlib import aclosing

    from worker.client.following import Awaited, read_result
    from worker.client.looking import Look, look_into

    awaited = Awaited(wanted.job_ids)
    look = Look(limit=wanted.count or 1_000_000, take=take)
    async with aclosing(look_into(access, access.topology.unrouted, look)) as messages:
        async for message in messages:
            result = read_result(message.routing_key, message.body)
            if awaited.wants(result):
                _show(result, as_json=wanted.as_json)


def _show(result: "SeenResult", *, as_json: bool) -> None:
    from worker.cli.result_lines import lines_of

    if as_json:
        say_json(result.body)
        return
    for line in lines_of(result):
        say(line)
