"""The command ``iton-worker``, and what becomes of errors that reach its edge."""

from collections.abc import Iterable
from typing import Annotated

import typer
from typer.exceptions import TyperException

from worker.cli import cancel, check, dead, job, ledger, results, run, schema, simulate, submit, topology
from worker.cli.terminal import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    OutputError,
    complain,
    let_go_of_stdout,
    say,
)
from worker.cli.usage import Command, Group, usage_lines
from worker.domain.errors import WorkerError

_EXIT_CODES = (
    "Exit codes: 0 all is well; 1 it failed; 2 wrong usage, setting or input, and nothing was done; "
    "130 interrupted."
)
# Their codes; the classes are in layers that --help should not have to load.
_USAGE_ERRORS = frozenset({"wrong_setting", "wrong_input", "health_port_unavailable"})

app = typer.Typer(
    name="iton-worker",
    cls=Group,
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
for _name, _command, _epilog in (
    ("run", run.run, run.EPILOG),
    ("submit", submit.submit, submit.EPILOG),
    ("cancel", cancel.cancel, cancel.EPILOG),
    ("results", results.results, results.EPILOG),
    ("topology", topology.topology, topology.EPILOG),
    ("check", check.check, check.EPILOG),
    ("simulate-gateway", simulate.simulate_gateway, simulate.EPILOG),
    ("schema", schema.schema, schema.EPILOG),
):
    app.command(_name, cls=Command, epilog=_epilog)(_command)
app.add_typer(dead.app, name="dead")
app.add_typer(job.app, name="job")
app.add_typer(ledger.app, name="ledger")


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the form of a typer callback
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - slow, and wanted here only

        say(f"iton-worker {version('iton-worker')}")
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
        return int(app(arguments, prog_name="iton-worker", standalone_mode=False) or 0)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_FAILED
    except typer.Abort:
        return _told(["interrupted"], EXIT_INTERRUPTED)
    except TyperException as error:
        return _told(usage_lines(error), EXIT_USAGE)
    except WorkerError as error:
        if isinstance(error, OutputError):
            let_go_of_stdout()
        code = EXIT_USAGE if error.code in _USAGE_ERRORS else EXIT_FAILED
        return _told(getattr(error, "faults", None) or [error.detail], code)


def _told(lines: Iterable[str], code: int) -> int:
    for line in lines:
        complain(line)
    return code
