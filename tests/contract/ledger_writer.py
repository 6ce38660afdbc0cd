"""A process that writes to a SQLite ledger until it is killed, and says what was acknowledged.

``python -m tests.contract.ledger_writer DIRECTORY NAME`` prints a line ``key token`` after each swap.
``python -m tests.contract.ledger_writer DIRECTORY --limit`` fills files up to a limit that a write of the
operating system then fails at, lifts the limit, and prints what each of the two steps ended with.
"""

import asyncio
import resource
import sys
from pathlib import Path

from tests.contract.ledger_backends import LONG, SteppedClock, entry
from worker.domain.errors import LedgerUnavailableError
from worker.ledger import SqliteLedger

_CALLERS = 20
_LIMIT = 1_000_000


async def write_forever(path: Path, name: str) -> None:
    """Create and replace entries side by side, and print each write that stands."""
    ledger = SqliteLedger(path, retention=LONG, clock=SteppedClock())

    async def caller(number: int) -> None:
        for job in range(1_000_000):
            key, first, second = f"{name}-{number}-{job}", entry(), entry(b"done" * 50)
            for expected, new in ((None, first), (first.token, second)):
                if await ledger.swap(key, expected=expected, new=new):
                    sys.stdout.write(f"{key} {new.token}\n")
            sys.stdout.flush()

    await asyncio.gather(*[caller(number) for number in range(_CALLERS)])


async def meet_a_limit(path: Path) -> None:
    """Write until the files must not grow any more, then go on without the limit."""
    ledger = SqliteLedger(path, retention=LONG, clock=SteppedClock())
    kept = {}
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LIMIT, most))
    try:
        for number in range(10_000):
            new = entry(b"x" * 5000)
            await ledger.swap(f"job-{number}", expected=None, new=new)
            kept[f"job-{number}"] = new
    except LedgerUnavailableError as error:
        sys.stdout.write(f"{error.code}\n")
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    after = await ledger.swap("after", expected=None, new=entry(b"x" * 5000))
    lost = [key for key, new in kept.items() if await ledger.load(key) != new]
    sys.stdout.write(f"{after} {len(kept) > 0} {lost}\n")
    await ledger.close()


if __name__ == "__main__":
    directory, what = Path(sys.argv[1]), sys.argv[2]
    asyncio.run(meet_a_limit(directory) if what == "--limit" else write_forever(directory, what))
