"""Numbers that more than one room keeps to."""

from typing import Final

from schemas.results import MAX_ENTRIES_PER_PART

MOST_PER_CALL: Final = 100
"""Numbers of a sendSMS and ids of a message_status (docs/iton-api.md). The gateway's page says nothing of
check_DNDnumber, which is asked about as many.
"""
MOST_PER_PART: Final = MAX_ENTRIES_PER_PART
"""Recipients, or messages, of one result (docs/contract.md, 4)."""
DEFAULT_TRACK_DELAYS: Final = (30, 60, 120, 300, 900, 3600)
"""Seconds between two looks at tracked messages; the last one repeats."""
DEFAULT_DELAYS: Final = (5, 30, 120, 600)
"""Seconds of the rounds that a job has: a delay queue each."""

LADDER_STEPS: Final = 16
"""Queues of 1, 2, 4 ... 32,768 seconds, in which scheduled jobs wait."""
LONGEST_WAIT: Final = 2**LADDER_STEPS - 1
"""Seconds in all of them, 18 hours; then a worker looks at the job."""
