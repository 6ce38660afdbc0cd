"""``python -m tests.worlds``: play worlds, and tell what is wrong with them.

``python -m tests.worlds mutations [WORDS]`` plants the faults of the table, one after the other.
"""

import os
import sys

from tests.worlds.planted import plant, table


def main() -> int:
    """Do what the arguments say."""
    arguments = sys.argv[1:]
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of strings belongs to a run as its seed does.
        again = [sys.executable, "-m", "tests.worlds", *arguments]
        os.execve(sys.executable, again, {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606 - ourselves
    if arguments[:1] == ["mutations"]:
        return table(" ".join(arguments[1:]), lambda line: print(line, flush=True))
    if "--planted" in arguments:
        plant(arguments[arguments.index("--planted") + 1])  # before the worker is imported
    from tests.worlds import command  # noqa: PLC0415 - imports the worker

    return command.run(arguments)


if __name__ == "__main__":
    sys.exit(main())
