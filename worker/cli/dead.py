"""``iton-worker dead``."""

# ruff: noqa: PLC0415 - the help must not wait for the libraries of the work

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.terminal import complain, epilog, printable, read_settings, say, say_json, say_table

if TYPE_CHECKING:
    from worker.client.dead_letters import DeadJob

_LIST_EPILOG = epilog("""
Examples:
    iton-worker dead list
    iton-worker dead list --reason retries_exhausted --json
""")
_SHOW_EPILOG = epilog("""
Examples:
    iton-worker dead show 1
    iton-worker dead show order-1841 --body | jq .
""")
_LIMIT_HELP = "Look at no more than so many, the oldest first."

app = typer.Typer(
    help="Look at dead letters: jobs that were rejected or given up. Looking leaves them in their queue.",
    no_args_is_help=True,
)

Limit = Annotated[int, typer.Option(min=1, max=1_000_000, help=_LIMIT_HELP)]


@app.command("list", epilog=_LIST_EPILOG)
def list_letters(
    *,
    reason: Annotated[str | None, typer.Option(help="Only those with this reason.")] = None,
    limit: Limit = 1_000,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
) -> None:
    """List dead letters, the oldest first."""
    letters = _read(limit, reason)
    if as_json:
        for letter in letters:
            say_json(letter.summary())
        return
    rows = [
        (one.number, one.time, one.reason, one.attempts, one.job_id or "-", one.detail) for one in letters
    ]
    if rows:
        say_table(("NO", "TIME", "REASON", "TRIES", "JOB", "DETAIL"), rows)
    complain(_count(letters, limit))


@app.command("show", epilog=_SHOW_EPILOG)
def show_letter(
    which: Annotated[str, typer.Argument(help="The number that list prints, or a job id.")],
    *,
    limit: Limit = 10_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    body: Annotated[bool, typer.Option("--body", help="The body alone, byte for byte.")] = False,
) -> None:
    """Show one dead letter: why it died, its properties and headers, its body."""
    import sys

    letter = next((one for one in _read(limit, None) if which in {str(one.number), one.job_id}), None)
    if letter is None:
        complain(f"there is no dead letter {which} among the oldest {limit}")
        raise typer.Exit(1)
    if body:
        sys.stdout.buffer.write(letter.body)
    elif as_json:
        say_json(letter.whole())
    else:
        _show(letter)


def _read(limit: int, reason: str | None) -> "list[DeadJob]":
    from worker.client.access import BrokerAccess
    from worker.client.dead_letters import dead_letters

    return asyncio.run(dead_letters(BrokerAccess.of(read_settings()), limit=limit, reason=reason))


def _show(letter: "DeadJob") -> None:
    whole = letter.whole()
    shown = whole.pop("body", None) or whole.pop("body_base64", "")
    nested = {**whole.pop("properties"), **whole.pop("headers")}
    for name, value in {**whole, **nested}.items():
        say(f"{printable(name) + ':':<18}{printable(value)}")
    say("")
    for line in shown.splitlines():
        say(printable(line))


def _count(letters: "list[DeadJob]", limit: int) -> str:
    from collections import Counter

    if not letters:
        return "no dead letters"
    reasons = ", ".join(
        f"{count} {reason}" for reason, count in Counter(one.reason for one in letters).most_common()
    )
    more = f" (only the oldest {limit} were looked at)" if letters[-1].number >= limit else ""
    return f"{len(letters)} dead letters: {reasons}{more}"
