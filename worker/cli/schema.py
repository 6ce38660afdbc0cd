"""``iton-worker schema``."""

# ruff: noqa: PLC0415 - the help must not wait for the libraries of the work

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.terminal import epilog, say

EPILOG = epilog("""
Examples:
    iton-worker schema
    iton-worker schema send-job > send-job.schema.json
    iton-worker schema --output contract/
""")


def schema(
    name: Annotated[
        str | None, typer.Argument(help="Document to print; without one the names are listed.")
    ] = None,
    *,
    output: Annotated[
        Path | None, typer.Option(help="Write all documents into this directory.", file_okay=False)
    ] = None,
    prefix: Annotated[
        str, typer.Option(envvar="AMQP_PREFIX", help="Start of the names in the AsyncAPI document.")
    ] = "iton",
) -> None:
    """Print the JSON Schemas of jobs and results, and the AsyncAPI document."""
    from schemas import contract

    if output is not None:
        for path in contract.write(output, prefix):
            say(f"wrote {path}")
        return
    documents = contract.documents(prefix)
    if name is None:
        for known in documents:
            say(known)
        return
    wanted = next((known for known in documents if name in {known, known.partition(".")[0]}), None)
    if wanted is None:
        raise typer.BadParameter(
            f"there is no such document; there are {', '.join(documents)}", param_hint="NAME"
        )
    typer.echo(documents[wanted], nl=False)
