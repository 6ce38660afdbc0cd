"""``python3 -m bench``: installs what it needs into ``.local/bench-venv``, then measures from there.

Runs on the machine's own Python: the standard library only.
"""

import os
import sys
from typing import NoReturn

from bench.environment import PYTHON, install
from scripts import set_up
from scripts.uv_tool import ROOT, SetUpError


def main() -> NoReturn:
    """Hand over to the benchmark's own interpreter; exit with 1 where it cannot be made."""
    try:
        if not set_up.PROGRAM.exists():
            set_up.set_up()
        install()
    except (OSError, SetUpError) as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)
    os.chdir(ROOT)
    program, given = ("profile", sys.argv[2:]) if sys.argv[1:2] == ["profile"] else ("app", sys.argv[1:])
    os.execv(PYTHON, [str(PYTHON), "-m", f"bench.{program}", *given])  # noqa: S606 - our own interpreter


if __name__ == "__main__":
    main()
