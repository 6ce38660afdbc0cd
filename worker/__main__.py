"""``python -m worker`` and the command ``iton-worker``."""

import sys

from worker.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
