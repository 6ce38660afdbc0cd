"""The command ``iton-worker``, and what becomes of errors that reach its edge."""

from typing import Annotated

import typer

from worker.cli import check, dead, results, run, schema, simulate, submit, topology
from worker.cli.terminal import EXIT_FAILED, EXIT_USAGE, complain
from worker.domain.errors import WorkerError

_EXIT_CODES = (
    "Exit codes: 0 all is well; 1 it failed; 2 wrong usage, setting or input, and nothing was done; "
    "130 interrupted."
)
# Their codes; the classes are in layers that --help should not have to load.
_USAGE_ERRORS = frozenset({"wrong_setting", "wrong_input", "health_port_unavailable"})

app = typer.Typer(
    name="iton-worker",
    help="Sends SMS jobs from RabbitMQ through the ITON gateway: each recipient ends in exactly one "
    "published outcome, nobody gets a text twice. Settings come from the environment, .env and secret files, "
    "credentials from nowhere else.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
    # Its tracebacks show local variables, credentials among them.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", epilog=run.EPILOG)(run.run)
app.command("submit", epilog=submit.EPILOG)(submit.submit)
app.command("results", epilog=results.EPILOG)(results.results)
app.add_typer(dead.app, name="dead")
app.command("topology", epilog=topology.EPILOG)(topology.topology)
app.command("check", epilog=check.EPILOG)(check.check)
app.command("simulate-gateway", epilog=simulate.EPILOG)(simulate.simulate_gateway)
app.command("schema", epilog=schema.EPILOG)(schema.schema)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the form of a typer callback
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - slow, and wanted here only

        typer.echo(f"iton-worker {version('iton-worker')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Take the options in front of a command."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; expected trouble is a line on stderr, not a traceback."""
    try:
        app(arguments, prog_name="iton-worker")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_FAILED
    except WorkerError as error:
        return _complain_of(error)
    return 0


def _complain_of(error: WorkerError) -> int:
    for line in getattr(error, "faults", None) or [error.detail]:
        complain(line)
    return EXIT_USAGE if error.code in _USAGE_ERRORS else EXIT_FAILED
