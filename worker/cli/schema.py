"""``iton-worker schema``."""

# ruff: noqa: PLC0415 - the help must not wait for the libraries of the work

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.terminal import EXIT_FAILED, complain, epilog, say
from worker.cli.usage import none_of

EPILOG = epilog("""
Examples:
    iton-worker schema
    iton-worker schema send-job > send-job.schema.json
    iton-worker schema --output contract/

Exit codes: 0 printed or written; 1 it cannot be written; 2 there is no such document.
""")


def _parse_prefix(given: str) -> str:
    """Take what the worker takes: a document with other names would describe no worker."""
    from worker.settings import checks

    try:
        return checks.prefix(given)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def schema(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Document to print; without one the names are listed."),
    ] = None,
    *,
    output: Annotated[
        Path | None, typer.Option(metavar="DIRECTORY", help="Write all documents into it.", file_okay=False)
    ] = None,
    prefix: Annotated[
        str,
        typer.Option(
            envvar="AMQP_PREFIX",
            metavar="NAME",
            parser=_parse_prefix,
            help="Start of the names in the AsyncAPI document.",
        ),
    ] = "iton",
) -> None:
    """Print the JSON Schemas of jobs and results, and the AsyncAPI document."""
    from schemas import contract

    if output is not None:
        if name is not None:
            raise typer.BadParameter("goes without NAME: it writes all documents", param_hint="--output")
        for path in _written(output, prefix):
            say(f"wrote {path}")
        return
    documents = contract.documents(prefix)
    if name is None:
        for known in documents:
            say(known)
        return
    wanted = next((known for known in documents if name in {known, known.partition(".")[0]}), None)
    if wanted is None:
        short = [known.partition(".")[0] for known in documents]
        raise typer.BadParameter(none_of(name, short), param_hint="NAME")
    say(documents[wanted].removesuffix("\n"))


def _written(directory: Path, prefix: str) -> list[Path]:
    from schemas import contract

    try:
        return contract.write(directory, prefix)
    except OSError as error:
        why = (error.strerror or "it is no directory").lower()
        complain(f"{error.filename or directory} cannot be written: {why}")
        raise typer.Exit(EXIT_FAILED) from None
