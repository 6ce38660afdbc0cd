"""``iton-worker check``."""

# ruff: noqa: PLC0415 - the help must not wait for the libraries of the work

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.terminal import EXIT_FAILED, EXIT_USAGE, epilog, printable, read_settings, say, say_json

if TYPE_CHECKING:
    from worker.client.checking import Finding
    from worker.settings import Settings

EPILOG = epilog("""
Examples:
    iton-worker check
    iton-worker check --json | jq 'select(.ok | not)'

Exit codes: 0 all is well; 1 something is not; 2 a wrong setting, with one line that names it.
""")


def check(*, as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False) -> None:
    """Look at settings, broker, topology, gateway and ledger: a line each, with the remedy.

    Nothing is declared, published or sent; the gateway is asked for the account's balance, and a ledger that
    is not there is made: the file, or the schema in a PostgreSQL where the role may.
    """
    from worker.client.checking import Finding
    from worker.settings import SettingsError

    try:
        settings = read_settings(credentials=True)
    except SettingsError as error:
        _print(Finding("settings", ok=False, detail=error.detail), as_json=as_json)
        raise typer.Exit(EXIT_USAGE) from None
    _print(Finding("settings", ok=True, detail="all valid"), as_json=as_json)
    if not asyncio.run(_check(settings, as_json=as_json)):
        raise typer.Exit(EXIT_FAILED)


async def _check(settings: "Settings", *, as_json: bool) -> bool:
    """Print the findings as they come; tell whether all are well."""
    from contextlib import aclosing

    from worker.client.probes import probe

    well = True
    async with aclosing(probe(settings)) as findings:
        async for finding in findings:
            _print(finding, as_json=as_json)
            well = well and finding.ok
    return well


def _print(finding: "Finding", *, as_json: bool) -> None:
    if as_json:
        say_json(finding.to_json())
        return
    word = (
        typer.style("ok    ", fg=typer.colors.GREEN)
        if finding.ok
        else typer.style("failed", fg=typer.colors.RED)
    )
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    say(f"{word}  {finding.part:<9} {printable(finding.detail + remedy)}")
