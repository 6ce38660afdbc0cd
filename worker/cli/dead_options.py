"""The options that the commands about dead letters share."""

# ruff: noqa: PLC0415 - the help must not wait for the libraries of the work

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.usage import one_of

if TYPE_CHECKING:
    from worker.client.dead_filter import Wanted

KINDS = ("send", "status", "account", "api", "cancel")
"""What jobs ask for; the classes are in packages that the help should not have to load."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGE = re.compile(r"(\d{1,7})([smhd])")


def _reasons() -> list[str]:
    """Return every reason that a letter can have: the worker's codes, and what the broker says."""
    from schemas.failures import FailureCode
    from worker.client.dead_letters import BROKER_REASONS

    return list(dict.fromkeys([*(code.value for code in FailureCode), *sorted(BROKER_REASONS)]))


def parse_age(given: str) -> timedelta:
    """Read ``90s``, ``15m``, ``12h`` or ``7d``."""
    found = _AGE.fullmatch(given.strip())
    if not found:
        raise typer.BadParameter(f"{given} is no age: 90s, 15m, 12h or 7d, say")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


Reasons = Annotated[
    list[str] | None,
    typer.Option(
        "--reason",
        metavar="CODE",
        parser=one_of(known=_reasons),
        help="Only those with this reason; again for more.",
    ),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="|".join(KINDS),
        parser=one_of(*KINDS),
        help="Only jobs of this kind; again for more.",
    ),
]
JobIds = Annotated[
    list[str] | None, typer.Option("--job-id", metavar="ID", help="Only of this job; again for more.")
]
OlderThan = Annotated[
    timedelta | None,
    typer.Option("--older-than", parser=parse_age, metavar="AGE", help="Only those that died longer ago."),
]
NewerThan = Annotated[
    timedelta | None,
    typer.Option("--newer-than", parser=parse_age, metavar="AGE", help="Only those that died since then."),
]


def read_wanted(
    reasons: Sequence[str] | None,
    kinds: Sequence[str] | None,
    job_ids: Sequence[str] | None,
    older_than: timedelta | None,
    newer_than: timedelta | None,
) -> "Wanted":
    """Return what the options ask for, ages counted back from now."""
    from schemas.channels import JobKind
    from worker.client.dead_filter import Wanted

    if older_than is not None and newer_than is not None and newer_than <= older_than:
        raise typer.BadParameter(
            "goes with a shorter --older-than only: no letter is both", param_hint="--newer-than"
        )
    return Wanted(
        reasons=frozenset(reasons or ()),
        kinds=frozenset(JobKind(kind) for kind in kinds or ()),
        job_ids=frozenset(job_ids or ()),
        before=_ago(older_than, "--older-than"),
        after=_ago(newer_than, "--newer-than"),
    )


def _ago(age: timedelta | None, option: str) -> datetime | None:
    try:
        return None if age is None else datetime.now(UTC) - age
    except OverflowError:
        raise typer.BadParameter("nothing is as old as that", param_hint=option) from None
