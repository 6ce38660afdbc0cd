"""``iton-worker dead``."""

# ruff: noqa: PLC0415 - the help must not wait for the libraries of the work

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.dead_options import JobIds, Kinds, NewerThan, OlderThan, Reasons, read_wanted
from worker.cli.terminal import (
    complain,
    epilog,
    printable,
    read_settings,
    say,
    say_bytes,
    say_json,
    say_table,
)
from worker.cli.usage import Command, Group

if TYPE_CHECKING:
    from worker.client.dead_filter import Wanted
    from worker.client.dead_letters import DeadJob

_LIST_EPILOG = epilog("""
Examples:
    iton-worker dead list --counts
    iton-worker dead list --reason retries_exhausted --newer-than 12h --json
""")
_SHOW_EPILOG = epilog("""
Examples:
    iton-worker dead show 1
    iton-worker dead show order-1841 --body | jq .
""")
_REPLAY_EPILOG = epilog("""
Examples:
    iton-worker dead replay --reason retries_exhausted --dry-run
    iton-worker dead replay --all --yes --json

A letter goes back to the queue it came from and is removed once its copy is there. The worker sends to those
recipients that it had given up, and to nobody else: not to those that were sent to, not to those of whom
nobody knows. Killed half-way, the same command may be run again; nobody gets a text twice by it.

Left alone, unless --force is given: letters that may have been sent, and letters that are older than the
ledger remembers. Then somebody may get the text twice.

Exit codes: 0 all were replayed; 1 some were not; 2 wrong usage or setting, and nothing was; 130 interrupted.
""")
_PURGE_EPILOG = epilog("""
Examples:
    iton-worker dead export --older-than 30d --output old.jsonl
    iton-worker dead purge --older-than 30d
    iton-worker dead purge --all --yes

What is purged is gone. Letters that come after the count are kept.
""")
_EXPORT_EPILOG = epilog("""
Examples:
    iton-worker dead export | jq -r .reason
    iton-worker dead export --kind send --output dead.jsonl

A JSON object a line: id, time, reason, detail, attempts, queue, routing_key, properties, headers, and body,
or body_base64 where the body is no text. Bodies hold phone numbers and texts: keep the file to yourself.
""")

app = typer.Typer(
    cls=Group,
    help="Look at dead letters, jobs that were rejected or given up; replay, export or purge them.",
    no_args_is_help=True,
)

Limit = Annotated[
    int, typer.Option(metavar="N", min=1, max=1_000_000, help="No more than so many, the oldest first.")
]
All = Annotated[bool, typer.Option("--all", help="Every dead letter; in place of a filter.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as a JSON object.")]
_EVERY = 1_000_000


@app.command("list", cls=Command, epilog=_LIST_EPILOG)
def list_letters(  # noqa: PLR0913 - each is an option of the command
    *,
    reason: Reasons = None,
    kind: Kinds = None,
    job_id: JobIds = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    counts: Annotated[bool, typer.Option("--counts", help="How many for each reason, no list.")] = False,
    limit: Limit = 1_000,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
) -> None:
    """List dead letters, the oldest first; all stay where they are."""
    wanted = read_wanted(reason, kind, job_id, older_than, newer_than)
    if counts:
        _list_counts(wanted, as_json=as_json)
        return
    seen: list[tuple[object, ...]] = []
    reasons: Counter[str] = Counter()

    def take(one: "DeadJob") -> None:
        reasons[one.reason] += 1
        if as_json:
            say_json(one.summary())
        else:
            seen.append((one.number, one.time, one.reason, one.attempts, one.job_id or "-", one.detail))

    _each(wanted, take, limit=limit)
    if seen:
        say_table(("NO", "TIME", "REASON", "TRIES", "JOB", "DETAIL"), seen)
    if not as_json:
        complain(_sentence(reasons, limit))


@app.command("show", cls=Command, epilog=_SHOW_EPILOG)
def show_letter(
    which: Annotated[
        str, typer.Argument(metavar="NUMBER|ID", help="A number of the list, a job id or a letter's id.")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    body: Annotated[bool, typer.Option("--body", help="The body alone, byte for byte.")] = False,
) -> None:
    """Show one dead letter: why it died, its properties and headers, its body."""
    from worker.client.dead_filter import Wanted

    if body and as_json:
        raise typer.BadParameter("goes without --json, which has the body as well", param_hint="--body")
    found: list[DeadJob] = []

    def take(one: "DeadJob") -> bool:
        if which in {str(one.number), one.job_id, one.id}:
            found.append(one)
        return bool(found)

    _each(Wanted(), take, limit=_EVERY)
    if not found:
        complain(f"there is no dead letter {which}")
        raise typer.Exit(1)
    if body:
        say_bytes(found[0].body)
    elif as_json:
        say_json(found[0].whole())
    else:
        _show(found[0])


@app.command("replay", cls=Command, epilog=_REPLAY_EPILOG)
def replay_letters(  # noqa: PLR0913 - each is an option of the command
    *,
    reason: Reasons = None,
    kind: Kinds = None,
    job_id: JobIds = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    every: All = False,
    limit: Limit = _EVERY,
    force: Annotated[
        bool, typer.Option("--force", help="Also what may have been sent: somebody may get the text twice.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Give dead letters another chance: only recipients that were not sent to are sent to."""
    from worker.cli.dead_acting import Request, replay_asked

    wanted = read_wanted(reason, kind, job_id, older_than, newer_than)
    _insist_on_choice(wanted, every=every)
    request = Request(wanted, limit, dry_run=dry_run, yes=yes, as_json=as_json, force=force)
    raise typer.Exit(replay_asked(request))


@app.command("purge", cls=Command, epilog=_PURGE_EPILOG)
def purge_letters(  # noqa: PLR0913 - each is an option of the command
    *,
    reason: Reasons = None,
    kind: Kinds = None,
    job_id: JobIds = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    every: All = False,
    limit: Limit = _EVERY,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Remove dead letters for good."""
    from worker.cli.dead_acting import Request, purge_asked

    wanted = read_wanted(reason, kind, job_id, older_than, newer_than)
    _insist_on_choice(wanted, every=every)
    request = Request(wanted, limit, dry_run=dry_run, yes=yes, as_json=as_json)
    raise typer.Exit(purge_asked(request))


@app.command("export", cls=Command, epilog=_EXPORT_EPILOG)
def export_letters(  # noqa: PLR0913 - each is an option of the command
    *,
    reason: Reasons = None,
    kind: Kinds = None,
    job_id: JobIds = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    limit: Limit = _EVERY,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="A new file; else stdout.")] = None,
) -> None:
    """Write dead letters as JSON lines; all stay where they are."""
    from worker.cli.dead_export import export_to

    wanted = read_wanted(reason, kind, job_id, older_than, newer_than)
    with export_to(output) as write:
        count = _each(wanted, lambda one: write(one.whole()), limit=limit)
    complain(f"{count:,} dead letter{'' if count == 1 else 's'} exported")


def _insist_on_choice(wanted: "Wanted", *, every: bool) -> None:
    if wanted.everything and not every:
        raise typer.BadParameter("is needed, or a filter", param_hint="--all")
    if every and not wanted.everything:
        raise typer.BadParameter("goes without filters", param_hint="--all")


def _each(wanted: "Wanted", take: Callable[["DeadJob"], bool | None], *, limit: int) -> int:
    """Have *take* look at each letter that is wanted, until it says that this was enough; count them."""
    from worker.client.access import BrokerAccess
    from worker.client.dead_visit import dead_jobs

    access = BrokerAccess.of(read_settings())

    async def look() -> int:
        count = 0
        async with aclosing(dead_jobs(access, wanted, limit=limit)) as letters:
            async for letter in letters:
                count += 1
                if take(letter):
                    break
        return count

    return asyncio.run(look())


def _list_counts(wanted: "Wanted", *, as_json: bool) -> None:
    reasons: Counter[str] = Counter()

    def take(one: "DeadJob") -> None:
        reasons[one.reason] += 1

    _each(wanted, take, limit=_EVERY)
    if as_json:
        say_json(dict(reasons.most_common()))
    elif reasons:
        say_table(("LETTERS", "REASON"), ((count, name) for name, count in reasons.most_common()))
    else:
        complain("no dead letters")


def _show(letter: "DeadJob") -> None:
    whole = letter.whole()
    shown = whole.pop("body", None) or whole.pop("body_base64", "")
    nested = {**whole.pop("properties"), **whole.pop("headers")}
    for name, value in {**whole, **nested}.items():
        say(f"{printable(name) + ':':<18}{printable(value)}")
    say("")
    for line in shown.splitlines():
        say(printable(line))


def _sentence(reasons: Counter[str], limit: int) -> str:
    total = reasons.total()
    if not total:
        return "no dead letters"
    listed = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    more = f" (the oldest {limit}; --limit lists more)" if total >= limit else ""
    return f"{total:,} dead letter{'' if total == 1 else 's'}: {listed}{more}"
