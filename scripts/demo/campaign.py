"""What the demo sends: the rows of the sample campaign, one urgent job, one large job."""

import csv
from dataclasses import dataclass
from pathlib import Path

from schemas import RecipientResult, SendJob
from worker.domain.recipients import NumberingPlan, normalise
from worker.domain.spellings import InvalidNumberError

SHOWN_FILE = "examples/campaign.csv"
FILE = Path(__file__).parents[2] / SHOWN_FILE
INDIA = NumberingPlan("IN", frozenset({"IN"}))
LARGE = 2_500
FIRST_OF_LARGE = 9_810_000_000
LARGE_TEXT = "Your electricity bill is ready. Pay it online by the 15th to avoid a late fee."

# Outcomes by the campaign's template and the recipient as its result spells it.
Outcomes = dict[tuple[str, str], RecipientResult]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the campaign's file.

    Attributes:
        recipient: as somebody wrote it.
        template: the column ``metadata.template``, which comes back in the results.
    """

    recipient: str
    text: str
    category: str
    template: str

    def outcome(self, outcomes: Outcomes) -> RecipientResult | None:
        """Find what became of it: under its digits, or as it was written if it is no number."""
        try:
            name = normalise(self.recipient, INDIA)
        except InvalidNumberError:
            name = self.recipient
        return outcomes.get((self.template, name))


def rows() -> list[Row]:
    """Read the sample campaign."""
    with FILE.open(encoding="utf-8", newline="") as lines:
        return [
            Row(row["recipient"], row["text"], row["category"], row["metadata.template"])
            for row in csv.DictReader(lines)
        ]


def urgent_job(job_id: str) -> SendJob:
    """Return a one-time password: exempt from the DND filter, and harmless to get twice."""
    return SendJob(
        job_id=job_id,
        recipients=("9876500000",),
        text="Your code is 424242. It is valid for 10 minutes.",
        category="transactional",
        on_uncertain="resend",
    )


def large_job(job_id: str) -> SendJob:
    """Return a job of 2,500 recipients, one in a hundred of them on the DND list."""
    return SendJob(
        job_id=job_id,
        recipients=tuple(str(FIRST_OF_LARGE + number) for number in range(LARGE)),
        text=LARGE_TEXT,
    )
