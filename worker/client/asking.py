"""From what a person asked for to the jobs that will be published."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from schemas.channels import JobKind
from schemas.checks import is_unicode
from schemas.reading import JobRejectedError
from worker.bootstrap.rules import acceptance_of, api_acceptance_of, numbering_of
from worker.client.csv_file import read_csv
from worker.client.jsonl_file import read_jsonl
from worker.client.prepared import InputError, Preparation, ReadJobs, campaign_name, faults_of
from worker.client.text_lines import plain_lines, text_lines
from worker.settings import Settings

_FROM_STDIN = Path("-")
# Where the option is not called as the field is.
_OPTIONS = {"recipients": "--to", "message_ids": "--message-id", "params": "--param", "target": "TARGET"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A submission as it was asked for; at most one of *csv* and *jsonl* is given.

    Attributes:
        fields: of the one job, or the defaults of a CSV's rows.
        campaign: start of the ids of jobs that bring none; None: the file's name.
    """

    kind: JobKind = JobKind.SEND
    urgent: bool = False
    campaign: str | None = None
    csv: Path | None = None
    jsonl: Path | None = None
    fields: Mapping[str, object] = field(default_factory=dict)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def read_asked(asked: Asked, settings: Settings, now: Callable[[], datetime] = _utc_now) -> ReadJobs:
    """Read and check everything that was asked for, as a worker with these *settings* would.

    Raises:
        InputError: a file cannot be read, or something in it is wrong; lines say where and what to do.
    """
    _insist_on_unicode(asked.fields)
    preparation = Preparation(
        kind=asked.kind,
        urgent=asked.urgent,
        campaign=campaign_of(asked),
        acceptance=acceptance_of(settings, now),
        api=api_acceptance_of(settings),
        plan=numbering_of(settings),
        sender=settings.sending.default_sender,
        now=now(),
    )
    if asked.csv is not None:
        with _opened(asked.csv) as stream:
            return read_csv(text_lines(stream), preparation, defaults=asked.fields)
    if asked.jsonl is not None:
        with _opened(asked.jsonl) as stream:
            return read_jsonl(plain_lines(stream), preparation)
    return _one(asked, preparation)


def _one(asked: Asked, preparation: Preparation) -> ReadJobs:
    """Make one job of the fields; without an id or a campaign each run is a new job."""
    job = dict(asked.fields)
    if "job_id" not in job and asked.campaign is None:
        job["job_id"] = f"cli-{token_hex(8)}"
    try:
        return ReadJobs([preparation.prepare(job)])
    except JobRejectedError as error:
        raise InputError(faults_of(error, "the job")) from None


def _insist_on_unicode(fields: Mapping[str, object]) -> None:
    """See that every option is text: what a terminal of another encoding types is none.

    Raises:
        InputError: one is not; the words for a body would count bytes that nobody has typed.
    """
    faults = [
        f"{_option(name)} holds bytes that are no UTF-8: write it in UTF-8"
        for name, value in fields.items()
        if not all(map(is_unicode, _strings_of(value)))
    ]
    if faults:
        raise InputError(faults)


def _option(name: str) -> str:
    return _OPTIONS.get(name) or f"--{name.replace('_', '-')}"


def _strings_of(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            yield from value
        case dict():
            yield from chain(value, value.values())


def campaign_of(asked: Asked) -> str:
    """Return the start of the ids of jobs that bring none."""
    if asked.campaign is not None:
        return campaign_name(asked.campaign)
    source = asked.csv or asked.jsonl or _FROM_STDIN
    return "stdin" if source == _FROM_STDIN else campaign_name(source.stem)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open it while the block runs; what cannot be read, at its start or further on, is one line."""
    try:
        with nullcontext(sys.stdin.buffer) if path == _FROM_STDIN else path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise InputError([_unreadable(path, error)]) from None


def _unreadable(path: Path, error: OSError) -> str:
    name = "stdin" if path == _FROM_STDIN else path
    return f"{name} cannot be read: {(error.strerror or 'it is no file').lower()}"
