"""``iton-worker cancel``."""

# ruff: noqa: PLC0415 - the help must not wait for the libraries of the work

from typing import Annotated

import typer

from worker.cli.terminal import epilog
from worker.cli.usage import pairs_of

EPILOG = epilog("""
Examples:
    iton-worker cancel order-1841
    iton-worker cancel sale-3f2a --job-id stop-sale --json

The request is answered on the exchange results.cancel: recorded (from then on no call for the job begins,
and whoever would have been sent to is cancelled in the job's own results), or too_late (everybody has an
outcome). `iton-worker results --job-id ID` shows it, `iton-worker job show TARGET` what became of the job. A
job that has not come yet is stopped when it comes.

Each run is a request of its own, unless --job-id is given. To ask twice does no harm.

Exit codes: 0 the request is on its queue; 1 it is not, or may not be, and the last line says how to repeat
it; 2 wrong usage or setting, and nothing was published; 130 interrupted.
""")


def cancel(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="job_id of the send job to stop.")],
    *,
    job_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Of the request; a fresh one by default.")
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Comes back in the result; again for more.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as a JSON object.")] = False,
) -> None:
    """Publish a request to stop a send job, and wait until the broker has it.

    Its own id goes to stdout before it is published.
    """
    from schemas.channels import JobKind
    from worker.cli.submitting import Manner, submit_asked
    from worker.client.asking import Asked

    fields = {"job_id": job_id, "target": target, "metadata": pairs_of(metadata, "--metadata") or None}
    given = {name: value for name, value in fields.items() if value is not None}
    manner = Manner(dry_run=False, yes=True, as_json=as_json)
    raise typer.Exit(submit_asked(Asked(JobKind.CANCEL, fields=given), manner))
