"""A request to stop a send job as the ledger holds it: what it asks for, and what it was answered."""

import json
from dataclasses import dataclass

from schemas import CancelStatus
from worker.domain.entry_codec import UnreadableEntryError

_FORM = 1
_KIND = "cancel"  # neither a job id nor the key of a part begins with a kind and a slash


def cancel_key(job_id: str) -> str:
    """Name the entry of a cancel job: a job id identifies within its kind of job, and has no slash."""
    return f"{_KIND}/{job_id}"


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """What the ledger knows of a cancel job.

    Attributes:
        fingerprint: of the job's content; another content under the same id is a conflict.
        target: the send job.
        answer: None until it is carried out; then it stays.
    """

    fingerprint: str
    target: str
    answer: CancelStatus | None = None

    def encode(self) -> bytes:
        """Return the bytes that `decode_request` turns back into this."""
        row = {"form": _FORM, "f": self.fingerprint, "t": self.target, "a": self.answer}
        return json.dumps(row, separators=(",", ":")).encode()


def decode_request(state: bytes) -> CancelRequest:
    """Read what `CancelRequest.encode` wrote.

    Raises:
        UnreadableEntryError: it is something else.
    """
    try:
        row = json.loads(state)
        if row["form"] != _FORM:
            words = f"a cancel job has form {row['form']} in the ledger, this release reads {_FORM}"
            raise UnreadableEntryError(words, is_newer=isinstance(row["form"], int) and row["form"] > _FORM)
        answer = None if row["a"] is None else CancelStatus(row["a"])
        return CancelRequest(str(row["f"]), str(row["t"]), answer)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, UnreadableEntryError):
            raise
        raise UnreadableEntryError(f"a cancel job cannot be read ({type(error).__name__})") from None
