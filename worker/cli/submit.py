"""``iton-worker submit``."""

# ruff: noqa: PLC0415 - the help must not wait for the libraries of the work

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.dead_options import KINDS
from worker.cli.terminal import epilog
from worker.cli.usage import one_of, pairs_of

if TYPE_CHECKING:
    from worker.client.asking import Asked

CATEGORY = ("promotional", "service", "service_explicit", "transactional")
DND = ("filter", "skip")
ON_UNCERTAIN = ("report", "resend")
_SEND, _CANCEL = "send", "cancel"

EPILOG = epilog("""
Examples:
    iton-worker submit --to 919876543210 --text "Your order is on its way." --category service
    iton-worker submit --urgent --to "+91 98765 43210" --text "Your code is 424242" --on-uncertain resend
    iton-worker submit --csv people.csv --text "We are open again." --campaign reopening
    iton-worker submit --jsonl jobs.jsonl --dry-run
    iton-worker submit --kind status --message-id 532073f7e4b05199d2c3d812
    iton-worker submit --kind account

A CSV has a header line with a column recipient, and if you like text, sender, category, dnd, on_uncertain,
expires_at, send_after, track, urgent, params.NAME and metadata.NAME; options stand in for empty cells. Rows
that differ in the recipient only become one job.

More than 1,000 recipients are sent to after a question only; without a terminal to ask on, --yes is needed.

Nobody gets a text twice by a second run under the same ids: a job is carried out once, and answered again,
while the ledger knows it (WORKER_LEDGER_RETENTION). Jobs of a file that bring no job_id get one that is made
of the campaign's name (else the file's) and the job's content: an unchanged file may be submitted again with
the same --campaign. One job from arguments is a new one each time, unless --job-id or --campaign is given.

Nothing is declared on the broker: it says so where the exchange is not there, or no worker consumes.

Exit codes: 0 all jobs are on their queue; 1 some are not, or may not be, and the last line says how to repeat
them; 2 wrong usage, setting or input, and nothing was published; 130 interrupted.
""")


def submit(  # noqa: PLR0913 - each is an option of the command
    *,
    to: Annotated[
        list[str] | None, typer.Option(metavar="NUMBER", help="Recipient; again or with commas for more.")
    ] = None,
    text: Annotated[str | None, typer.Option(metavar="TEXT", help="What is sent, as it is.")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="A campaign; - for stdin.")] = None,
    jsonl: Annotated[Path | None, typer.Option(metavar="FILE", help="A job a line; - for stdin.")] = None,
    campaign: Annotated[
        str | None, typer.Option(metavar="NAME", help="Start of the job ids; else the file's name.")
    ] = None,
    kind: Annotated[
        str, typer.Option(metavar="|".join(KINDS), parser=one_of(*KINDS), help="What the jobs ask for.")
    ] = _SEND,
    message_id: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="To ask the status of; again for more.")
    ] = None,
    job_id: Annotated[str | None, typer.Option(metavar="ID", help="Of the one job.")] = None,
    urgent: Annotated[bool, typer.Option("--urgent", help="Never waits behind bulk work.")] = False,
    sender: Annotated[str | None, typer.Option(metavar="ID", help="Sender ID.")] = None,
    category: Annotated[
        str | None,
        typer.Option(metavar="|".join(CATEGORY), parser=one_of(*CATEGORY), help="Default: promotional."),
    ] = None,
    dnd: Annotated[
        str | None,
        typer.Option(metavar="|".join(DND), parser=one_of(*DND), help="Overrules what the category says."),
    ] = None,
    on_uncertain: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(ON_UNCERTAIN),
            parser=one_of(*ON_UNCERTAIN),
            help="After a lost reply. Default: report.",
        ),
    ] = None,
    expires_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="RFC 3339 with offset; not sent after it.")
    ] = None,
    send_after: Annotated[
        str | None, typer.Option(metavar="TIME", help="RFC 3339 with offset; not sent before it.")
    ] = None,
    track: Annotated[
        bool, typer.Option("--track", help="Follow each accepted message until its end.")
    ] = False,
    param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="For the gateway; again for more.")
    ] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Comes back in results; again for more.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count; publish nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, however many are sent to.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as a JSON object.")] = False,
) -> None:
    """Publish jobs: one from arguments, a campaign from a CSV, or a job a line from a JSON-lines file.

    Before anything is published, everything is checked as a worker with these settings would, and the ids of
    the jobs go to stdout, one a line; progress and the summary go to stderr.
    """
    from schemas.channels import JobKind
    from worker.cli.submitting import Manner, submit_asked
    from worker.client.asking import Asked

    fields = {
        "job_id": job_id,
        "recipients": _listed(to) or None,
        "message_ids": _listed(message_id) or None,
        "text": text,
        "sender": sender,
        "category": category,
        "dnd": dnd,
        "on_uncertain": on_uncertain,
        "expires_at": expires_at,
        "send_after": send_after,
        "track": track or None,
        "params": pairs_of(param, "--param") or None,
        "metadata": pairs_of(metadata, "--metadata") or None,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    asked = Asked(JobKind(kind), urgent, campaign, csv, jsonl, given)
    _refuse_contradictions(asked)
    raise typer.Exit(submit_asked(asked, Manner(dry_run, yes, as_json)))


def _refuse_contradictions(asked: "Asked") -> None:
    """Usage errors that no single option shows."""
    of_one_job = asked.fields.keys() & {"recipients", "job_id", "message_ids"}
    if asked.urgent and asked.kind.value != _SEND:
        raise typer.BadParameter("goes with send jobs only", param_hint="--urgent")
    if asked.kind.value == _CANCEL and asked.jsonl is None:
        raise typer.BadParameter(
            "cancel goes with --jsonl: `iton-worker cancel` stops one", param_hint="--kind"
        )
    if asked.csv is not None and asked.jsonl is not None:
        raise typer.BadParameter("goes without --jsonl", param_hint="--csv")
    if asked.csv is not None and (asked.kind.value != _SEND or of_one_job):
        raise typer.BadParameter(
            "goes without --to, --job-id, --message-id and --kind: the file has the recipients",
            param_hint="--csv",
        )
    if asked.jsonl is not None and asked.fields:
        raise typer.BadParameter(
            "goes without options of a job: each line is a whole one", param_hint="--jsonl"
        )
    if asked.csv is None and asked.jsonl is None and asked.kind.value == _SEND and not of_one_job:
        raise typer.BadParameter("is needed, or --csv or --jsonl", param_hint="--to")


def _listed(given: Iterable[str] | None) -> list[str]:
    """Take values that were given one by one or with commas between them."""
    return [item.strip() for value in given or () for item in value.split(",") if item.strip()]
