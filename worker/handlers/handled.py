"""What a handler made of a delivery."""

from schemas import FailureCode
from worker.domain.messages import DeadLetter, Disposition, JobSummary
from worker.domain.value import value


@value
class Handled:
    """The disposition to execute and the summary to log and count."""

    disposition: Disposition
    summary: JobSummary


def forgotten(job_id: str, kind: str = "send") -> Handled:
    """Give a replay up whose entry is gone. The outcomes that were published before it stand."""
    words = (
        "the ledger no longer knows the job, so nobody can tell who was sent to before; nothing was sent now"
    )
    return Handled(DeadLetter(FailureCode.FORGOTTEN, words), JobSummary(kind, "forgotten", job_id))
