"""``iton-worker ledger``."""

# ruff: noqa: PLC0415 - the help must not wait for the libraries of the work

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.terminal import EXIT_FAILED, complain, epilog, read_settings, say
from worker.cli.usage import Command, Group

if TYPE_CHECKING:
    from worker.client.ledger_moving import Moved, Store
    from worker.settings import Settings

_INIT_EPILOG = epilog("""
Examples:
    LEDGER_URL=postgresql://owner:...@db/iton iton-worker ledger init --role worker
    iton-worker ledger init --print-sql --role worker | psql iton

A worker makes the schema by itself where its role may. Run it again after an upgrade; it changes nothing
where nothing is to be changed.

Exit codes: 0 the schema is there, or printed; 1 the database is away or refuses; 2 wrong usage or setting.
""")
_MOVE_EPILOG = epilog("""
Examples:
    iton-worker ledger move --to postgresql://worker@db/iton
    OLD=redis://:...@redis/0 iton-worker ledger move --from env:OLD --to env:LEDGER_URL

Stop all workers first; then move, set LEDGER_URL to the new ledger, and start them. The old ledger stays as
it is. A move that was interrupted may be repeated: what is there already is left alone. At the end every
entry is compared. In the new ledger each lives for a whole WORKER_LEDGER_RETENTION.

A URL with a password is not taken from the command line, which every user of the machine can read: name the
variable that holds it.

Exit codes: 0 all is moved; 1 it is not, or there is nothing to be moved; 2 wrong usage or
setting, and nothing was done.
""")

app = typer.Typer(cls=Group, help="Prepare the ledger's database, or move the ledger.", no_args_is_help=True)

_FORMS = "postgresql://, redis:// or sqlite:///, or env:NAME of a variable."
_From = Annotated[str, typer.Option("--from", metavar="URL", help=f"The old ledger: {_FORMS}")]
_To = Annotated[str, typer.Option("--to", metavar="URL", help=f"The new ledger: {_FORMS}")]


@app.command("init", cls=Command, epilog=_INIT_EPILOG)
def init(
    *,
    print_sql: Annotated[
        bool, typer.Option("--print-sql", help="Print the SQL for an administrator, and do nothing.")
    ] = False,
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="Give this role what a worker needs, and no more.")
    ] = "",
) -> None:
    """Make the schema iton_worker in the PostgreSQL of LEDGER_URL, or bring it up to this release."""
    from worker.ledger.postgresql.schema import VERSION, rights, script

    if print_sql:
        say(f"BEGIN;\n\n{script()}{chr(10) + rights(role) if role else ''}\nCOMMIT;")
        return
    made = asyncio.run(_init(read_settings(), role))
    state = "made" if made else "was there already"
    say(f"schema version {VERSION} {state}{f', {role} may use it' if role else ''}")


@app.command("move", cls=Command, epilog=_MOVE_EPILOG)
def move(
    *,
    source: _From = "env:LEDGER_URL",
    target: _To = "env:LEDGER_URL",
    without_broker: Annotated[
        bool,
        typer.Option("--without-broker", help="Do not ask the broker of AMQP_URL whether a worker runs."),
    ] = False,
) -> None:
    """Copy all entries of one ledger to another, while no worker runs, and compare them."""
    settings = read_settings()
    moved = asyncio.run(_move(settings, (source, target), ask_broker=not without_broker))
    if not moved.entries:
        complain(
            "the old ledger holds no entry: where workers have used it, see whether --from and AMQP_PREFIX "
            f"({settings.broker.prefix}) are theirs before one starts with the new ledger"
        )
        raise typer.Exit(EXIT_FAILED)
    one = moved.entries == 1
    words = "1 entry is" if one else f"{moved.entries:,} entries are"
    say(f"{words} in the new ledger as {'it was' if one else 'they were'} in the old one")


async def _init(settings: "Settings", role: str) -> bool:
    from worker.bootstrap.adapters import ledger_of
    from worker.ledger.postgresql.store import PostgresqlLedger
    from worker.settings import SettingsError

    ledger = ledger_of(settings)
    try:
        if not isinstance(ledger, PostgresqlLedger):
            raise SettingsError(
                f"LEDGER_URL means {settings.ledger.kind}, which needs no schema; for one that a fleet "
                "shares set it to postgresql://USER:PASSWORD@HOST/DB"
            )
        return await ledger.init(role=role or None)
    finally:
        await ledger.close()


async def _move(settings: "Settings", urls: tuple[str, str], *, ask_broker: bool) -> "Moved":
    from worker.client.access import BrokerAccess
    from worker.client.ledger_moving import insist_on_no_user, insist_on_no_worker, move
    from worker.client.ledger_urls import insist_on_there

    source, target = _stores(settings, urls)
    try:
        insist_on_there(source, "--from")
        if ask_broker:
            await insist_on_no_worker(BrokerAccess.of(settings))
        await insist_on_no_user(source, "--from")
        await insist_on_no_user(target, "--to")
        return await move(source, target, lambda count: complain(f"entries copied: {count:,}"))
    finally:
        await source.close()
        await target.close()


def _stores(settings: "Settings", urls: tuple[str, str]) -> "tuple[Store, Store]":
    from worker.client.ledger_urls import store_at
    from worker.settings import SettingsError

    if urls[0] == urls[1]:
        raise SettingsError(
            "--from and --to name the same ledger; give both, or the one that LEDGER_URL is not"
        )
    return store_at(urls[0], "--from", settings), store_at(urls[1], "--to", settings)
