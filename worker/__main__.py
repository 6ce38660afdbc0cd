"""``python -m worker`` and the command ``iton-worker``."""

import os
import signal
import sys

_TERMINATED = 128 + signal.SIGTERM  # what a shell says of a program that SIGTERM ended


def main() -> int:
    """Run one command; return its exit code."""
    end_at_sigterm(sys.argv[1:])
    open_closed_streams()
    from worker.cli.app import main as run_command  # noqa: PLC0415 - takes a while, and a stop must not wait

    return run_command()


def end_at_sigterm(arguments: list[str]) -> None:
    """Let SIGTERM end us at once until the command takes it over: ``run`` with 0, as there is no work yet.

    Linux drops a signal for which process 1 has no handler: a container stopped in its first second would
    go on until it is killed.
    """
    asked_to_run = arguments[:1] == ["run"]
    if asked_to_run or os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0 if asked_to_run else _TERMINATED))


def open_closed_streams() -> None:
    """Stand in for what the shell closed (`<&-`, `2>&-`): nothing to read, and nobody who reads our lines.

    Python has None there, and the next file or connection that is opened would get the number of the stream.
    A closed stdout stays None: a command whose output is lost says so.
    """
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY), encoding="utf-8")
    if sys.stdout is None:
        os.open(os.devnull, os.O_WRONLY)
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
