"""From what a person asked for to the jobs that will be published."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from schemas.channels import JobKind
from schemas.reading import JobRejectedError
from worker.client.csv_file import read_csv
from worker.client.jsonl_file import read_jsonl
from worker.client.prepared import InputError, Preparation, ReadJobs, campaign_name, faults_of
from worker.client.text_lines import plain_lines, text_lines
from worker.domain.recipients import NumberingPlan
from worker.settings import Settings

_FROM_STDIN = Path("-")


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


def read_asked(asked: Asked, settings: Settings) -> ReadJobs:
    """Read and check everything that was asked for.

    Raises:
        InputError: a file cannot be read, or something in it is wrong; lines say where and what to do.
    """
    preparation = Preparation(
        kind=asked.kind,
        urgent=asked.urgent,
        campaign=_campaign(asked),
        max_bytes=settings.broker.max_body_bytes,
    )
    if asked.csv is not None:
        plan = NumberingPlan(settings.sending.default_region, frozenset(settings.sending.allowed_regions))
        with _opened(asked.csv) as stream:
            return read_csv(text_lines(stream), preparation, defaults=asked.fields, plan=plan)
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


def _campaign(asked: Asked) -> str:
    if asked.campaign is not None:
        return campaign_name(asked.campaign)
    source = asked.csv or asked.jsonl or _FROM_STDIN
    return "stdin" if source == _FROM_STDIN else campaign_name(source.stem)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if path == _FROM_STDIN:
        yield sys.stdin.buffer
        return
    try:
        stream = path.open("rb")
    except OSError as error:
        raise InputError([_unreadable(path, error)]) from None
    with stream:
        yield stream


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path} cannot be read: {(error.strerror or 'it is no file').lower()}"
