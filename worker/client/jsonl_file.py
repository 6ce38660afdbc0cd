"""Jobs out of a JSON-lines file: a job a line."""

import hashlib
from collections.abc import Iterable, Mapping

from schemas.failures import FailureCode
from schemas.reading import JobRejectedError, read_json
from schemas.rejection import rejection
from worker.client.prepared import MOST_FAULTS, InputError, Preparation, PreparedJob, ReadJobs, faults_of
from worker.client.text_lines import SAVE

# The reader's own words count the lines and bytes of a body, which are not those of the file.
_WORDS: Mapping[str, str] = {
    FailureCode.NOT_JSON: "is not JSON: write one whole JSON object a line",
    FailureCode.NOT_UTF8: f"is not UTF-8: {SAVE}",
}


def read_jsonl(lines: Iterable[bytes], preparation: Preparation) -> ReadJobs:
    """Read and check every line; empty ones are skipped.

    Raises:
        InputError: at least one line is wrong; up to 20 faults are named.
    """
    found = _Found()
    faults: list[str] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            faults += _take(line, number, preparation, found)
        if len(faults) >= MOST_FAULTS:
            break
    if not faults and not found.jobs:
        faults = ["the file holds no job: write one JSON object a line"]
    if faults:
        raise InputError(faults)
    return ReadJobs(found.jobs, found.repeated)


class _Found:
    """The jobs so far, each id once."""

    def __init__(self) -> None:
        self.jobs: list[PreparedJob] = []
        self.repeated = 0
        self._seen: dict[str, tuple[int, bytes]] = {}

    def add(self, job: PreparedJob, number: int) -> list[str]:
        """Keep the job, unless an earlier line has its id; tell what is wrong with that."""
        digest = hashlib.sha256(job.body).digest()
        first, content = self._seen.setdefault(job.job_id, (number, digest))
        if first == number:
            self.jobs.append(job)
        elif content == digest:
            self.repeated += 1
        else:
            return [
                f"line {number}: has the job_id of line {first} and other content: give it one of its own"
            ]
        return []


def _take(line: bytes, number: int, preparation: Preparation, found: _Found) -> list[str]:
    """Read one line into *found*; return its faults."""
    try:
        job = _prepared(line, number, preparation)
    except JobRejectedError as error:
        return faults_of(error, f"line {number}")
    return found.add(job, number)


def _prepared(line: bytes, number: int, preparation: Preparation) -> PreparedJob:
    value = _read(line, preparation.max_bytes)
    if not isinstance(value, dict):
        raise rejection(FailureCode.NOT_AN_OBJECT, "is JSON but not an object: write one job a line")
    return preparation.prepare(value, [number])


def _read(line: bytes, max_bytes: int) -> object:
    """Read JSON; of what is none, say so in words for a file, not for the body of a message."""
    try:
        return read_json(line, max_bytes=max_bytes)
    except JobRejectedError as error:
        code = error.errors[0].type
        if code not in _WORDS:
            raise
    raise rejection(FailureCode(code), _WORDS[code])
