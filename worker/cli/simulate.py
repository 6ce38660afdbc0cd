"""``iton-worker simulate-gateway``."""

# ruff: noqa: PLC0415 - the help must not wait for the libraries of the work

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.terminal import EXIT_FAILED, complain, epilog
from worker.cli.usage import none_of, pairs_of

if TYPE_CHECKING:
    from worker.simulator import SimulatorOptions

EPILOG = epilog("""
Examples:
    iton-worker simulate-gateway
    iton-worker simulate-gateway --port 9000 --set reply_form=text --set latency=0.2
    iton-worker simulate-gateway --list

The worker finds it by ITON_BASE_URL, which the first log line names. User name, password and token are those
of ITON_USERNAME, ITON_PASSWORD and ITON_API_TOKEN; without them demo, demo and none.
""")


def simulate_gateway(
    *,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", help="Where to listen; 0: any free one.", min=0, max=65_535)
    ] = 8090,
    chosen: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Choose an option; see --list.")
    ] = None,
    list_options: Annotated[bool, typer.Option("--list", help="List the options of --set and exit.")] = False,
) -> None:
    """Stand in for ITON, for development and tests: no SMS is sent.

    It speaks all four commands, and its faults can be switched while it runs.
    """
    from worker.simulator import serve

    if list_options:
        _list()
        return
    options = _options(chosen or [])
    _start_logs(options)
    try:
        serve(options, host=host, port=port)
    except (OSError, UnicodeError) as error:
        complain(_not_listening(error, host, port))
        raise typer.Exit(EXIT_FAILED) from None


def _not_listening(error: OSError | UnicodeError, host: str, port: int) -> str:
    import errno
    import os
    import socket

    match error:
        case UnicodeError() | socket.gaierror():
            return f"cannot listen on {host}: it is no address of this machine; choose another with --host"
        case OSError(errno=errno.EADDRNOTAVAIL):
            return f"cannot listen on {host}: it is no address of this machine; choose another with --host"
    why = os.strerror(error.errno or 0).lower()
    return f"cannot listen on {host}:{port} ({why}); choose another port with --port"


def _options(chosen: Iterable[str]) -> "SimulatorOptions":
    import os

    from pydantic import ValidationError

    from worker.domain.plain_words import in_words
    from worker.simulator import SimulatorOptions

    variables = {"username": "ITON_USERNAME", "password": "ITON_PASSWORD", "token": "ITON_API_TOKEN"}
    given: dict[str, object] = {
        name: value for name, variable in variables.items() if (value := os.environ.get(variable))
    }
    try:
        return SimulatorOptions.model_validate_strings({**given, **_chosen(chosen, variables)})
    except ValidationError as error:
        fault = error.errors()[0]
        name = ".".join(map(str, fault["loc"]))
        raise typer.BadParameter(f"{name}: {in_words(fault)}", param_hint="--set") from None


def _chosen(chosen: Iterable[str], secret: Iterable[str]) -> dict[str, object]:
    """Read NAME=VALUE; the value of a list is its items with commas between them."""
    from worker.simulator import SimulatorOptions

    fields = SimulatorOptions.model_fields
    pairs: dict[str, object] = {}
    for name, value in pairs_of(chosen, "--set").items():
        if name in secret:
            raise typer.BadParameter(f"{name} comes from the environment only", param_hint="--set")
        if name not in fields:
            raise typer.BadParameter(
                none_of(name, (known for known in fields if known not in secret)), param_hint="--set"
            )
        is_list = isinstance(fields[name].default, tuple)
        pairs[name] = tuple(item for item in value.split(",") if item) if is_list else value
    return pairs


def _list() -> None:
    from worker.cli.terminal import say_table
    from worker.simulator import SimulatorOptions

    rows = [
        (name, _written(field.default), field.description or "")
        for name, field in SimulatorOptions.model_fields.items()
    ]
    say_table(("NAME", "DEFAULT", "MEANING"), rows)


def _written(default: object) -> str:
    return ",".join(default) if isinstance(default, tuple) else str(default)


def _start_logs(options: "SimulatorOptions") -> None:
    from worker.logs import configure_logs
    from worker.settings import load_settings
    from worker.simulator import SimulatorOptions

    process = load_settings(credentials=False).process
    # The published default is no secret, and common enough a word.
    secrets = {options.password, options.token} - {"", SimulatorOptions().password}
    configure_logs(level=process.log_level, form=process.log_format, secrets=secrets)
