"""One campaign out of a CSV file: rows that differ in the recipient only become one job."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from itertools import chain

from schemas.checks import MAX_RECIPIENTS
from schemas.reading import JobRejectedError
from schemas.rejection import JobError
from worker.client.csv_columns import DELIMITERS, Columns, Row
from worker.client.prepared import MOST_FAULTS, InputError, Preparation, PreparedJob, ReadJobs
from worker.domain.recipients import distinct


@dataclass(slots=True)
class _Group:
    """Rows that differ in the recipient only.

    Attributes:
        lines: where each recipient stands.
    """

    template: dict[str, object]
    urgent: bool
    recipients: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def read_csv(lines: Iterable[str], preparation: Preparation, *, defaults: Mapping[str, object]) -> ReadJobs:
    """Group the rows into jobs, in the order in which their first rows appear.

    Args:
        lines: a header line first; comma, semicolon or tab between the cells.
        preparation: for the ids and the limits, and for what is one number where a group is too large for
            one job.
        defaults: of a job, for columns that are absent and cells that are empty.

    Raises:
        InputError: a column, a row or a job is wrong; up to 20 faults are named.
    """
    jobs: list[PreparedJob] = []
    faults: list[str] = []
    for group in _grouped(lines, defaults, urgent=preparation.urgent):
        try:
            jobs += _jobs_of(group, replaced(preparation, urgent=group.urgent))
        except JobRejectedError as error:
            faults += [f"line {_line_of(fault, group)}: {fault.msg}" for fault in error.errors]
    if faults:
        raise InputError(faults)
    return ReadJobs(jobs)


def _grouped(lines: Iterable[str], defaults: Mapping[str, object], *, urgent: bool) -> list[_Group]:
    groups: dict[str, _Group] = {}
    faults: list[str] = []
    for line, row in _rows(iter(lines), defaults):
        if isinstance(row, str):
            faults.append(f"line {line}: {row}")
        else:
            key = json.dumps([row.urgent, row.template], sort_keys=True)
            group = groups.setdefault(key, _Group(row.template, urgent or row.urgent))
            group.recipients.append(row.recipient)
            group.lines.append(line)
        if len(faults) >= MOST_FAULTS:
            break
    if not faults and not groups:
        faults = ["the file holds no row: write a header line, then a line a recipient"]
    if faults:
        raise InputError(faults)
    return list(groups.values())


def _rows(lines: Iterator[str], defaults: Mapping[str, object]) -> Iterator[tuple[int, Row | str]]:
    """Yield the line that each row begins on, and what the row says or what is wrong with it."""
    first = next(lines, "")
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    begun = 1
    try:
        columns = Columns.of(next(reader, []), delimiter)
        begun = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield begun, _read(columns, cells, defaults)
            begun = reader.line_num + 1
    except csv.Error as error:
        yield begun, _no_csv(str(error))
    except ValueError as error:
        yield 1, str(error)


def _no_csv(words: str) -> str:
    if "expected after" in words:
        return "has a quote in the middle of a cell: double each quote that belongs to a text"
    if "field limit" in words:
        return (
            f"has a cell of more than {csv.field_size_limit():,} characters: shorten it, or close the quote "
            "that it opens"
        )
    return "opens a quote that nothing closes: close it, or double it where it belongs to a text"


def _read(columns: Columns, cells: list[str], defaults: Mapping[str, object]) -> Row | str:
    try:
        return columns.read(cells, defaults)
    except ValueError as error:
        return str(error)


def _jobs_of(group: _Group, preparation: Preparation) -> list[PreparedJob]:
    """Make one job, or several where the recipients are too many for one."""
    recipients, lines = group.recipients, group.lines
    if len(recipients) > MAX_RECIPIENTS:
        # The worker collapses repeats inside a job; across two jobs only we can.
        first = dict(zip(reversed(recipients), reversed(lines), strict=True))
        recipients = list(distinct(recipients, preparation.plan).order)
        lines = [first.get(name, lines[0]) for name in recipients]
    pieces = [slice(at, at + MAX_RECIPIENTS) for at in range(0, len(recipients), MAX_RECIPIENTS)]
    return [
        preparation.prepare({**group.template, "recipients": recipients[piece]}, lines[piece])
        for piece in pieces
    ]


def _line_of(fault: JobError, group: _Group) -> int:
    """Return the line that a fault is about: the recipient's own, else the group's first."""
    match fault.loc:
        case ("recipients", int(place)) if place < len(group.lines):
            return group.lines[place]
        case _:
            return group.lines[0]
