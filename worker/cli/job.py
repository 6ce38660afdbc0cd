"""``iton-worker job``."""

# ruff: noqa: PLC0415 - the help must not wait for the libraries of the work

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.terminal import complain, epilog, read_settings, say, say_json, say_table
from worker.cli.usage import Command, Group, job_id_of, one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.client.job_looking import Fate, Known, Readable, Request

STATES = ("expected", "opened", "waiting", "calling", "done", "in_parts", "unreadable")
"""How far a send job has come; the class is in a package that the help should not have to load."""
_SHOWN = 20  # recipients, unless all are asked for

_SHOW_EPILOG = epilog("""
Examples:
    iton-worker job show order-1841
    iton-worker job show sale-3f2a --all --numbers --json

It reads the ledger of LEDGER_URL beside the workers that use it, and writes nothing. Phone numbers are masked
unless --numbers is given; texts are not in the ledger. A cancel job with the id is shown as well.

States: expected (cancelled before it came), opened (not planned yet), waiting (for calls), calling, done.

Exit codes: 0 the job is known; 1 it is not, or the ledger is away; 2 wrong usage or setting.
""")
_LIST_EPILOG = epilog("""
Examples:
    iton-worker job list --limit 50
    iton-worker job list --cancelled --json
    iton-worker job list --state calling --prefix sale-

Send jobs, in no order, a line each; of a large one not its parts (in_parts): job show looks at those. All
entries of the ledger are walked through until the limit is reached.

Exit codes: 0 also where there is none; 1 the ledger is away; 2 wrong usage or setting.
""")

app = typer.Typer(cls=Group, help="Show what the ledger knows of jobs.", no_args_is_help=True)


@app.command("show", cls=Command, epilog=_SHOW_EPILOG)
def show(
    job_id: Annotated[str, typer.Argument(metavar="JOB_ID", parser=job_id_of, help="Of the job.")],
    *,
    every: Annotated[
        bool, typer.Option("--all", help=f"All recipients, not the first {_SHOWN} alone.")
    ] = False,
    numbers: Annotated[bool, typer.Option("--numbers", help="Phone numbers in full.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Show how far a job has come, and what became of its recipients."""
    from worker.client.job_looking import look_up

    known, request = asyncio.run(_with_ledger(lambda ledger: look_up(ledger, job_id)))
    fates = list(known.fates if every else known.fates[:_SHOWN]) if known else []
    if as_json:
        say_json(_as_json(known, request, fates, numbers=numbers))
        return
    for line in _lines(known, request):
        say(line)
    if fates:
        rows = [_row(fate, numbers=numbers) for fate in fates]
        say_table(("recipient", "outcome", "message id", "code"), [list(row.values()) for row in rows])
    if known and len(fates) < len(known.fates):
        complain(f"{len(known.fates) - len(fates):,} more recipients; --all shows them")


@app.command("list", cls=Command, epilog=_LIST_EPILOG)
def list_jobs(
    *,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", parser=one_of(*STATES), help=f"Only those: {', '.join(STATES)}."),
    ] = None,
    cancelled: Annotated[bool, typer.Option("--cancelled", help="Only those that were cancelled.")] = False,
    prefix: Annotated[str, typer.Option(metavar="START", help="Only ids that start so.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    """List send jobs that the ledger knows."""

    def wanted(known: "Known") -> bool:
        return (
            (state is None or known.state.value == state)
            and (known.cancelled is not None or not cancelled)
            and known.job_id.startswith(prefix)
        )

    found, more = asyncio.run(_with_ledger(lambda ledger: _listed(ledger, wanted, limit)))
    if as_json:
        for known in found:
            say_json(_facts(known))
    else:
        columns = ("job id", "state", "recipients", "parts", "cancelled by")
        say_table(columns, [_line_of(known) for known in found])
    if more:
        complain(f"there are more; --limit shows more than {limit:,}")


async def _listed(
    ledger: "Readable", wanted: "Callable[[Known], bool]", limit: int
) -> "tuple[list[Known], bool]":
    from contextlib import aclosing
    from dataclasses import replace

    from worker.client.job_looking import walk

    found: dict[str, Known] = {}
    async with aclosing(walk(ledger)) as jobs:
        async for known in jobs:
            if not wanted(known):
                continue
            if len(found) == limit and known.job_id not in found:
                return list(found.values()), True
            # Counted and let go: a job may have a hundred thousand recipients.
            found[known.job_id] = replace(known, fates=(), tally=known.counts)
    return list(found.values()), False


async def _with_ledger(work: "Callable[[Readable], Any]") -> Any:  # noqa: ANN401 - whatever the work returns
    """Do *work* with the ledger of the settings; one that is not there is not made.

    Raises:
        SettingsError: nobody else can see what the ledger holds.
        LedgerUnavailableError: it is away, or not there.
    """
    from worker.bootstrap.adapters import ledger_of
    from worker.client.ledger_urls import insist_on_readable

    ledger = ledger_of(read_settings())
    try:
        return await work(insist_on_readable(ledger))
    finally:
        await ledger.close()


def _as_json(
    known: "Known | None", request: "Request | None", fates: "Sequence[Fate]", *, numbers: bool
) -> dict[str, Any]:
    shown = _facts(known) | {"recipients": [_row(one, numbers=numbers) for one in fates]} if known else None
    asked = {"target": request.target, "answer": request.answer} if request else None
    job_id = known.job_id if known else request.job_id if request else None
    return {"job_id": job_id, "send": shown, "cancel": asked}


def _facts(known: "Known") -> dict[str, Any]:
    return {
        "job_id": known.job_id,
        "state": known.state.value,
        "cancelled_by": known.cancelled,
        "revision": known.revision,
        "parts": known.parts,
        "parts_done": known.parts_done,
        "calls": known.attempts,
        "counts": known.counts,
    }


def _lines(known: "Known | None", request: "Request | None") -> list[str]:
    lines = []
    if known:
        stopped = f", cancelled by {known.cancelled}" if known.cancelled else ""
        lines.append(f"send job {known.job_id}: {known.state.value}{stopped}")
        calls = f"{known.attempts:,} call{'' if known.attempts == 1 else 's'} made"
        lines.append(f"parts: {known.parts_done:,} of {known.parts:,} done, {calls}")
        lines.append(f"recipients: {_counted(known)}")
        lines += [f"revision: {known.revision}"] if known.revision > 1 else []
    if request:
        answer = request.answer.value if request.answer else "under way"
        lines.append(f"cancel job {request.job_id}: to stop {request.target}, {answer}")
    return lines


def _line_of(known: "Known") -> list[object]:
    return [known.job_id, known.state.value, _counted(known), known.parts or "", known.cancelled or ""]


def _counted(known: "Known") -> str:
    return ", ".join(f"{count:,} {outcome}" for outcome, count in known.counts.items()) or "not known yet"


def _row(fate: "Fate", *, numbers: bool) -> dict[str, str]:
    from worker.logs.lines import masked

    return {
        "recipient": fate.recipient if numbers else masked(fate.recipient),
        "outcome": fate.outcome or "open",
        "message_id": fate.message_id or "",
        "code": fate.code or "",
    }
