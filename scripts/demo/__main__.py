"""``python -m scripts.demo``."""

import signal
import sys
from types import FrameType

from rich.console import Console

from scripts.debian import PackagesMissingError
from scripts.demo.failure import DemoError
from scripts.demo.story import run
from scripts.local_broker import BrokerNotStartedError


def _leave(number: int, _: FrameType | None) -> None:
    """Unwind as on Ctrl+C: everything that was started is stopped."""
    sys.exit(128 + number)


def main() -> int:
    """Run the demo; 1 and the cause if it fails, 130 if it was interrupted."""
    signal.signal(signal.SIGTERM, _leave)
    errors = Console(stderr=True, highlight=False, markup=False)
    try:
        run(Console(highlight=False))
    except (DemoError, PackagesMissingError, BrokerNotStartedError) as error:
        errors.print(f"\nThe demo failed. {error}")
        return 1
    except KeyboardInterrupt:
        errors.print("\nInterrupted; everything was stopped.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
