"""What a handler made of a delivery."""

from dataclasses import dataclass

from worker.domain.messages import Disposition, JobSummary


@dataclass(frozen=True, slots=True)
class Handled:
    """The disposition to execute and the summary to log and count."""

    disposition: Disposition
    summary: JobSummary
